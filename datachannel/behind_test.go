package datachannel

import (
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-rtc/turnout/datachannel/yjs"
)

// doorway is a door's connection whose queue is bounded, with a reader of its own for each document.
type doorway struct {
	t       *testing.T
	visit   *Visit
	limit   int
	mu      sync.Mutex
	waiting []told // in the queue. Guarded by mu, as all below
	size    int    // of it
	most    int    // largest size so far
	waits   bool   // for Drained
	read    int    // bytes that the other end was sent
	ends    []*docEnd
}

type told struct {
	to    *docEnd
	event DocEvent
	size  int
}

// docEnd is what a client makes of what it hears about one document.
type docEnd struct {
	way    *doorway
	reader *DocReader
	core   yjs.Doc
	states int
	acks   map[uint64]int
	aware  map[byte]string
	open   bool
	lost   bool // says the doorway
}

func (w *doorway) openDoc(name string) *docEnd {
	e := &docEnd{way: w, acks: map[uint64]int{}, aware: map[byte]string{}}
	w.ends = append(w.ends, e)
	e.reader = w.visit.OpenDoc("slow", name, everything, []byte{0}, func(event DocEvent) Reception { return w.tell(e, event) })
	return e
}

func (w *doorway) tell(to *docEnd, event DocEvent) Reception {
	w.mu.Lock()
	defer w.mu.Unlock()
	size := 10
	switch e := event.(type) {
	case DocState:
		size, to.open, to.lost = len(e.Update)+len(e.StateVector), true, false
	case DocChange:
		size = len(e.Update)
		if to.lost {
			w.t.Error("a reader that has lost something is told a change")
		}
	case DocAwareness:
		size = len(e.Update)
	case DocWaits:
		to.open, w.waits = true, true
		return Waits
	case DocPause:
		return Waits
	}
	first := len(w.waiting) == 0
	w.waiting = append(w.waiting, told{to, event, size})
	w.size += size
	w.most = max(w.most, w.size)
	switch {
	case w.size > w.limit:
		w.drop()
		return Full
	case first:
		return Taken
	}
	return Waits
}

func (w *doorway) drop() {
	kept := w.waiting[:0]
	w.size, w.waits = 0, true
	for _, m := range w.waiting {
		switch m.event.(type) {
		case DocState, DocChange, DocAwareness:
		default:
			kept = append(kept, m)
			w.size += m.size
		}
	}
	w.waiting = kept
	for _, e := range w.ends {
		e.lost = true
	}
}

// take reads n messages, or all that wait.
func (w *doorway) take(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for ; n > 0 && len(w.waiting) > 0; n-- {
		m := w.waiting[0]
		w.waiting = w.waiting[1:]
		w.size -= m.size
		w.read += m.size
		m.to.hear(m.event)
	}
	if len(w.waiting) == 0 && w.waits {
		w.waits = false
		w.visit.Drained()
	}
}

func (e *docEnd) hear(event DocEvent) {
	switch event := event.(type) {
	case DocState:
		e.states++
		e.apply(event.Update)
	case DocChange:
		e.apply(event.Update)
	case DocAck:
		e.acks[event.ID]++
	case DocAwareness:
		hearAwareness(e.aware, event.Update)
	}
}

func (e *docEnd) apply(update []byte) {
	if _, err := e.core.Apply(update); err != nil {
		e.way.t.Error(err)
	}
}

func slowDoor(t *testing.T, h *Hub, limit int) *doorway {
	return &doorway{t: t, visit: h.Visit(), limit: limit}
}

func TestASlowReaderAtADoorIsSentWhatItLacks(t *testing.T) {
	const updates = 20_000
	synctest.Test(t, func(t *testing.T) {
		h := newShelf(t, Config{Rate: 1e6, Burst: 1e6}).hub()
		w := slowDoor(t, h, 200_000)
		end := w.openDoc("notes")
		gathered()
		w.take(10)
		a, b := edit(join(t, h, "a", everything), 1), edit(join(t, h, "b", everything), 2)
		a.open()
		b.open()
		a.say(frameAwareness(1, 1, `{"name":"a"}`))
		a.type_(strings.Repeat("before", 20_000))
		for range 3 { // it takes what it is told
			a.read()
			w.take(10)
			b.type_("x")
		}
		a.read()
		w.take(10)
		read, replay := w.read, 0
		for n := range uint64(updates) { // and it reads nothing
			replay += len(insertion(2, b.clock, "x"))
			b.type_("x")
			if n%100 == 0 {
				end.reader.Update(n, insertion(3, n/100, "y"))
				b.read()
			}
		}
		a.say(frameAwareness(1, 2, "null"))
		gathered()
		b.read()
		if len(b.unsynced) > 0 {
			t.Error("others are disturbed")
		}
		w.take(len(w.waiting))
		gathered()
		w.take(len(w.waiting))
		if end.core.StateVector().Clock(2) != updates+3 || end.states != 2 {
			t.Fatalf("has %d of %d after %d states", end.core.StateVector().Clock(2), updates+3, end.states)
		}
		if len(end.acks) != updates/100 || end.aware[1] != "" {
			t.Errorf("%d acks, and sees %v", len(end.acks), end.aware)
		}
		if sent := w.read - read; sent > replay/5 || w.most > w.limit+100 {
			t.Errorf("was sent %d bytes, of changes with %d, and %d waited", sent, replay, w.most)
		}
		if s := h.Stats(); s.CaughtUp != 1 || s.Dropped[DroppedBehind] == 0 {
			t.Errorf("%+v", s)
		}
		b.type_("after")
		gathered()
		w.take(10)
		if end.core.StateVector().Clock(2) != updates+8 || end.states != 2 {
			t.Error("does not go on")
		}
	})
}

// TestSlowReadersConverge has doors with several documents read now and then, and too little; at the end each has everything, and
// every update is acknowledged once.
func TestSlowReadersConverge(t *testing.T) {
	caughtUp := uint64(0)
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 11))
			cfg := Config{Rate: 1e6, Burst: 1e6}
			if seed%2 == 1 {
				cfg.Relay = RelayAfterCommit
			}
			h := newShelf(t, cfg).hub()
			names := []string{"one", "two", "three"}
			clocks := map[string]uint64{}
			var ways []*doorway
			sent := map[*docEnd]int{}
			for range 3 {
				ways = append(ways, slowDoor(t, h, 190_000+random.IntN(20_000)))
			}
			writer := slowDoor(t, h, 1<<30)
			writers := map[string]*docEnd{}
			for _, name := range names {
				writers[name] = writer.openDoc(name)
			}
			gathered()
			for n := range 600 {
				w := ways[random.IntN(len(ways))]
				switch random.IntN(12) {
				case 0:
					w.take(1 + random.IntN(100))
				case 1:
					if len(w.ends) < len(names) {
						w.openDoc(names[len(w.ends)])
					}
				case 2:
					if len(w.ends) > 0 {
						e := w.ends[random.IntN(len(w.ends))]
						e.reader.Sync([]byte{0})
					}
				case 3:
					if len(w.ends) > 0 {
						e := w.ends[random.IntN(len(w.ends))]
						sent[e]++
						e.reader.Update(uint64(sent[e]), insertion(1000+uint64(n), 0, "z"))
					}
				case 4, 5:
					gathered()
				default:
					name := names[random.IntN(len(names))]
					text := strings.Repeat("x", 1+random.IntN(1500))
					writers[name].reader.Update(1, insertion(1, clocks[name], text))
					clocks[name] += uint64(len(text))
				}
				writer.take(1000)
			}
			for range 200 {
				time.Sleep(100 * time.Millisecond)
				synctest.Wait()
				for _, w := range ways {
					w.take(1000)
				}
			}
			for _, w := range ways {
				for i, e := range w.ends {
					if got := e.core.StateVector().Clock(1); got != clocks[names[i]] || !e.open {
						t.Fatalf("seed %d: has %d of %d", seed, got, clocks[names[i]])
					}
					for id := range sent[e] {
						if e.acks[uint64(id)+1] != 1 {
							t.Fatalf("seed %d: update %d is acknowledged %d times", seed, id+1, e.acks[uint64(id)+1])
						}
					}
				}
			}
			caughtUp += h.Stats().CaughtUp
		})
	}
	if caughtUp < 100 {
		t.Errorf("only %d readers were slow", caughtUp)
	}
}
