package assign

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// model is the rule told naively: of each kind, the subscriptions that have a slot keep it, the others take what is free in
// the order in which they came.
type model struct {
	slots map[string]Kind
	subs  []string
	kinds map[string]Kind
	shown map[string]string // slot by subscription
}

func (m *model) assign(order []string) {
	for _, sub := range m.subs {
		if m.shown[sub] != "" {
			continue
		}
		for _, slot := range order {
			taken := false
			for _, s := range m.shown {
				taken = taken || s == slot
			}
			if m.slots[slot] == m.kinds[sub] && !taken {
				m.shown[sub] = slot
				break
			}
		}
	}
}

func TestTableAgreesWithAModel(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		table := NewTable[string](20)
		m := model{map[string]Kind{}, nil, map[string]Kind{}, map[string]string{}}
		var order []string
		for i := range 300 {
			switch sub := fmt.Sprint("p", rng.IntN(12)); rng.IntN(8) {
			case 0, 1, 2:
				kind := Kind(sub[len(sub)-1] % 2)
				if table.Subscribe(sub, kind, nil) != !slices.Contains(m.subs, sub) {
					t.Fatal("Subscribe disagrees")
				}
				if !slices.Contains(m.subs, sub) {
					m.subs, m.kinds[sub] = append(m.subs, sub), kind
				}
			case 3, 4:
				if table.Unsubscribe(sub) != slices.Contains(m.subs, sub) {
					t.Fatal("Unsubscribe disagrees")
				}
				m.subs = slices.DeleteFunc(m.subs, func(s string) bool { return s == sub })
				delete(m.shown, sub)
			case 5:
				if len(order) < 20 {
					slot := Slot{ID: fmt.Sprint("s", i), Kind: Kind(rng.IntN(2))}
					table.AddSlot(slot)
					m.slots[slot.ID] = slot.Kind
					order = append(order, slot.ID)
				}
			case 6:
				if len(order) > 0 && rng.IntN(3) == 0 {
					gone := order[rng.IntN(len(order))]
					table.RemoveSlot(gone)
					order = slices.DeleteFunc(order, func(s string) bool { return s == gone })
					for sub, slot := range m.shown {
						if slot == gone {
							delete(m.shown, sub)
						}
					}
				}
			}
			table.Assign()
			m.assign(order)
			got := map[string]string{}
			for _, s := range table.Map() {
				got[s.Key] = s.Slot
			}
			if fmt.Sprint(got) != fmt.Sprint(m.shown) {
				t.Fatalf("seed %d step %d: shown %v, not %v", seed, i, got, m.shown)
			}
			if !slices.Equal(table.Keys(), m.subs) {
				t.Fatalf("subscriptions %v, not %v", table.Keys(), m.subs)
			}
			checkWanted(t, table, m)
		}
	}
}

// checkWanted: what is asked for suffices, or is all there may be.
func checkWanted(t *testing.T, table *Table[string], m model) {
	t.Helper()
	var subs, slots Counts
	for _, s := range m.subs {
		*subs.of(m.kinds[s])++
	}
	for _, k := range m.slots {
		*slots.of(k)++
	}
	want, ok := table.Wanted()
	if !ok {
		return
	}
	if want.Audio+want.Video > 20 {
		t.Fatalf("%v slots are asked for, above the limit", want)
	}
	if want.Audio+want.Video < 20 && (want.Audio < subs.Audio || want.Video < subs.Video) {
		t.Fatalf("%v slots are asked for, for %v", want, subs)
	}
	if again, ok := table.Wanted(); ok {
		t.Fatalf("%v is asked for again", again)
	}
}

func TestWantedAsksOnceForTheTotals(t *testing.T) {
	table := NewTable[int](100)
	table.AddSlot(Slot{ID: "a", Kind: Audio})
	table.AddSlot(Slot{ID: "v", Kind: Video})
	table.Subscribe(1, Video, nil)
	if c, ok := table.Wanted(); ok {
		t.Errorf("%v is asked for while a slot is free", c)
	}
	table.Subscribe(2, Video, nil)
	if c, ok := table.Wanted(); !ok || c != (Counts{1, 2 + spareVideo}) {
		t.Errorf("%v is asked for", c)
	}
	table.AddSlot(Slot{ID: "v2", Kind: Video}) // fewer than asked for
	table.Subscribe(3, Video, nil)
	if c, ok := table.Wanted(); ok {
		t.Errorf("%v is asked for again", c)
	}
	table.Subscribe(4, Video, nil)
	table.Subscribe(5, Video, nil)
	table.Subscribe(6, Audio, nil)
	table.Subscribe(7, Audio, nil)
	if c, ok := table.Wanted(); !ok || c != (Counts{2 + spareAudio, 5 + spareVideo}) {
		t.Errorf("%v is asked for", c)
	}
}

func TestSoundAndPictureOfOnePublisherAreAPair(t *testing.T) {
	table := NewTable[string](20)
	for i := range 3 {
		table.AddSlot(Slot{fmt.Sprint("a", i), Audio, i + 1})
	}
	for i := range 5 {
		table.AddSlot(Slot{fmt.Sprint("v", i), Video, i + 1})
	}
	shown := func() map[string]string {
		table.Assign()
		m := map[string]string{}
		for _, s := range table.Map() {
			m[s.Key] = s.Slot
		}
		return m
	}
	table.Subscribe("ann mic", Audio, "ann")
	table.Subscribe("bob mic", Audio, "bob")
	table.Subscribe("bob cam", Video, "bob")
	table.Subscribe("cid cam", Video, "cid")
	table.Subscribe("ann screen", Video, "ann")
	table.Subscribe("ann cam", Video, "ann")
	want := map[string]string{
		"ann mic": "a0", "bob mic": "a1", "bob cam": "v1", "cid cam": "v2", // v0 would be played with ann's sound
		"ann screen": "v0", "ann cam": "v3",
	}
	if got := shown(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("%v, not %v", got, want)
	}
	table.Unsubscribe("bob mic")
	table.Subscribe("cid mic", Audio, "cid")
	table.Subscribe("dan cam", Video, "dan")
	table.Subscribe("dan mic", Audio, "dan")
	want["cid mic"], want["dan cam"], want["dan mic"] = "a2", "v4", "a1" // there is nothing better
	delete(want, "bob mic")
	if got := shown(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("%v, not %v", got, want)
	}
}
