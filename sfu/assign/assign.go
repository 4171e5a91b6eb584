// Package assign decides which slot shows what, for one subscriber.
//
// Its nouns: a Slot is an m-line that can show one subscription of its kind. A subscription is known by a key of the
// caller's. Subscriptions take free slots in the order in which they came; a slot once taken is kept until its subscription
// ends. What finds no slot waits, and Wanted says how many slots would do.
//
// An audio and a video slot may be a pair, which the client plays in sync: sound and picture of one publisher get a pair if
// there is one free, and those of two avoid one, for the quicker would wait for the slower.
package assign

// Kind of media; slots of one kind do not show the other.
type Kind uint8

// The two kinds.
const (
	Audio Kind = iota
	Video
)

// Slot is where one subscription can be shown.
type Slot struct {
	ID   string
	Kind Kind
	Pair int // the same for an audio and a video slot that are played in sync; 0 for none
}

// Counts of slots by kind.
type Counts struct{ Audio, Video int }

// spare slots are asked for beyond what is needed now, so that not every newcomer costs every participant a negotiation.
const (
	spareAudio = 1
	spareVideo = 2
)

// Table is the state of one subscriber. The zero value has no slots and no subscriptions.
type Table[K comparable] struct {
	slots  []place[K]
	subs   []subscription[K] // in the order in which they came
	asked  Counts            // highest totals that Wanted has returned
	shared Counts            // subscriptions by kind
	limit  int
}

type place[K comparable] struct {
	Slot
	shows K
	taken bool
}

type subscription[K comparable] struct {
	key  K
	kind Kind
	from any    // who publishes it, nil for nobody in particular
	slot string // "" while it waits
}

// NewTable makes a table that never asks for more than limit slots.
func NewTable[K comparable](limit int) *Table[K] { return &Table[K]{limit: limit} }

// AddSlot adds a free slot.
func (t *Table[K]) AddSlot(s Slot) { t.slots = append(t.slots, place[K]{Slot: s}) }

// RemoveSlot removes a slot; what it showed waits for another.
func (t *Table[K]) RemoveSlot(id string) {
	for i := range t.slots {
		if t.slots[i].ID != id {
			continue
		}
		if t.slots[i].taken {
			t.subs[t.find(t.slots[i].shows)].slot = ""
		}
		t.slots = append(t.slots[:i], t.slots[i+1:]...)
		return
	}
}

// Subscribe adds a subscription, unless it is there. It says whether it was added. from is who publishes it: what has the same
// goes together. It must be comparable; nil goes with nothing.
func (t *Table[K]) Subscribe(key K, kind Kind, from any) bool {
	if t.find(key) >= 0 {
		return false
	}
	t.subs = append(t.subs, subscription[K]{key: key, kind: kind, from: from})
	*t.shared.of(kind)++
	return true
}

// Unsubscribe removes a subscription and frees its slot. It says whether it was there.
func (t *Table[K]) Unsubscribe(key K) bool {
	i := t.find(key)
	if i < 0 {
		return false
	}
	*t.shared.of(t.subs[i].kind)--
	for j := range t.slots {
		if t.slots[j].taken && t.slots[j].ID == t.subs[i].slot {
			var none K
			t.slots[j].taken, t.slots[j].shows = false, none
		}
	}
	t.subs = append(t.subs[:i], t.subs[i+1:]...)
	return true
}

// Assign gives free slots to waiting subscriptions.
func (t *Table[K]) Assign() {
	for i := range t.subs {
		if s := &t.subs[i]; s.slot == "" {
			t.place(s)
		}
	}
}

// place gives s the free slot that suits it best, the first of several.
func (t *Table[K]) place(s *subscription[K]) {
	var best *place[K]
	for j := range t.slots {
		p := &t.slots[j]
		if !p.taken && p.Kind == s.kind && (best == nil || t.suits(p, s) > t.suits(best, s)) {
			best = p
		}
	}
	if best != nil {
		best.taken, best.shows = true, s.key
		s.slot = best.ID
	}
}

// suits says how well: in sync with the same publisher, with nothing, or with another.
func (t *Table[K]) suits(p *place[K], s *subscription[K]) int {
	const another, nothing, same = 0, 1, 2
	for j := range t.slots {
		other := &t.slots[j]
		if p.Pair == 0 || other.Pair != p.Pair || other.Kind == p.Kind || !other.taken {
			continue
		}
		if from := t.subs[t.find(other.shows)].from; from != nil && from == s.from {
			return same
		}
		return another
	}
	return nothing
}

// Shown is one slot that shows something.
type Shown[K comparable] struct {
	Slot string
	Key  K
}

// Map returns what is shown where, in the order of the slots.
func (t *Table[K]) Map() []Shown[K] {
	var m []Shown[K]
	for _, p := range t.slots {
		if p.taken {
			m = append(m, Shown[K]{p.ID, p.shows})
		}
	}
	return m
}

// Keys returns all subscriptions, shown or not, in the order in which they came.
func (t *Table[K]) Keys() []K {
	keys := make([]K, 0, len(t.subs))
	for _, s := range t.subs {
		keys = append(keys, s.key)
	}
	return keys
}

// Wanted returns the totals of slots to ask the client for, if subscriptions wait. The same totals are not asked for twice:
// a client that gave fewer has its reasons, and would be asked for ever.
func (t *Table[K]) Wanted() (Counts, bool) {
	have := t.have()
	had := Counts{max(have.Audio, t.asked.Audio), max(have.Video, t.asked.Video)}
	want := had
	if t.shared.Audio > had.Audio {
		want.Audio = t.shared.Audio + spareAudio
	}
	if t.shared.Video > had.Video {
		want.Video = t.shared.Video + spareVideo
	}
	want.Audio = max(min(want.Audio, t.limit-had.Video), had.Audio)
	want.Video = max(min(want.Video, t.limit-want.Audio), had.Video)
	if want == had {
		return Counts{}, false
	}
	t.asked = want
	return want, true
}

func (t *Table[K]) have() Counts {
	var c Counts
	for _, p := range t.slots {
		*c.of(p.Kind)++
	}
	return c
}

func (c *Counts) of(k Kind) *int {
	if k == Audio {
		return &c.Audio
	}
	return &c.Video
}

func (t *Table[K]) find(key K) int {
	for i := range t.subs {
		if t.subs[i].key == key {
			return i
		}
	}
	return -1
}
