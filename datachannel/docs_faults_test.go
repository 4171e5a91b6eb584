package datachannel

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-rtc/turnout/datachannel/store"
	"github.com/turnout-rtc/turnout/datachannel/store/storetest"
)

func TestFullDiskIsToldAndNothingAcknowledgedIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(t, Config{})
		h, end := s.start()
		a, b := edit(join(t, h, "a", everything), 1), edit(join(t, h, "b", everything), 2)
		a.open()
		b.open()
		a.type_("safe")
		a.read()
		s.fault.Store(int32(storetest.FullDisk))
		a.type_("one")
		a.read()
		a.type_("two")
		a.read()
		if a.codes() != "storage.full storage.full" || !a.errors[0].Retryable {
			t.Fatal(a.codes())
		}
		a.send("chat", "goes on")
		b.wantMessages("a chat goes on")
		b.open()
		if b.core.StateVector().Clock(1) != 7 {
			t.Fatal("reading does not go on", b.core.StateVector())
		}
		s.fault.Store(int32(storetest.None))
		time.Sleep(2 * time.Second)
		a.open() // sends again what the server lacks
		a.read()
		if a.acked != 10 {
			t.Fatal("not acknowledged after there was room", a.acked, a.codes())
		}
		end()
		c := edit(join(t, s.hub(), "c", everything), 3)
		c.open()
		if c.core.StateVector().Clock(1) != 10 {
			t.Fatal(c.core.StateVector())
		}
	})
}

func TestDamagedRecordIsPutAsideAndTheEpochChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(t, Config{})
		h, end := s.start()
		a := edit(join(t, h, "a", everything), 1)
		a.open()
		for range 3 {
			a.type_("abc")
			a.read()
		}
		before := a.at
		end()
		s.store.Damage(store.Doc{Room: "room", Name: "notes"}, 2)
		h, end = s.start()
		b := edit(join(t, h, "b", everything), 2)
		b.open()
		if b.at.Epoch == before.Epoch || b.at.Epoch == 0 || h.Stats().Dropped[DroppedDamaged] != 1 {
			t.Fatal(b.at, before, h.Stats().Dropped)
		}
		a2 := edit(join(t, h, "a", everything), 1) // has everything, and brings back what was lost
		a2.core, a2.clock = a.core, a.clock
		a2.open()
		b.read()
		if b.core.StateVector().Clock(1) != 9 {
			t.Fatal(b.core.StateVector())
		}
		time.Sleep(time.Second)
		end()
		state, _ := s.store.Load(store.Doc{Room: "room", Name: "notes"})
		if len(state.Damaged) > 0 || state.Epoch != b.at.Epoch {
			t.Fatal("not put aside, or the epoch is not on disk", state.Damaged, state.Epoch)
		}
	})
}

func TestEditorsConverge(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 8))
			s := newShelf(t, Config{Rate: 1e6, Burst: 1e6, Relay: []string{RelayAtOnce, RelayAfterCommit}[seed%2]})
			h, end := s.start()
			editors := make([]*editor, 3)
			for i := range editors {
				editors[i] = edit(join(t, h, fmt.Sprint(i), everything), uint64(i)+1)
				editors[i].open()
			}
			for range 150 {
				e := editors[random.IntN(3)]
				switch random.IntN(12) {
				case 0:
					s.fault.Store(int32([]storetest.Fault{storetest.FailedWrite, storetest.FailedSync, storetest.FullDisk}[random.IntN(3)]))
				case 1:
					s.fault.Store(int32(storetest.None))
				case 2:
					breakWire(random, e.client)
				case 3:
					e.read()
				case 4:
					time.Sleep(time.Duration(random.IntN(1500)) * time.Millisecond)
				case 5:
					if random.IntN(4) == 0 { // the server restarts, in order
						end()
						h, end = s.start()
						for _, e := range editors {
							e.client = join(t, h, e.name, everything)
							clear(e.unsynced)
							e.open()
						}
					}
				default:
					e.type_(strings.Repeat("x", 1+random.IntN(5)))
				}
			}
			s.fault.Store(int32(storetest.None))
			time.Sleep(3 * time.Second)
			for range 2 {
				for _, e := range editors {
					e.open()
					e.read()
				}
			}
			end()
			h, end = s.start()
			defer end()
			late := edit(join(t, h, "late", everything), 9)
			late.open()
			for i, e := range editors {
				if e.text() != late.text() || e.acked != e.clock {
					t.Fatalf("seed %d: editor %d has %v, the disk %v, acknowledged is %d of %d", seed, i, e.core.StateVector(), late.core.StateVector(), e.acked, e.clock)
				}
			}
		})
	}
}

func TestWithoutAStoreThereAreNoDocuments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := edit(join(t, startHub(t, Config{}), "a", everything), 1)
		a.open()
		if a.codes() != "data.unsupported" {
			t.Fatal(a.codes())
		}
	})
}

func TestUnreadableStoreClosesTheDocument(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(t, Config{})
		h := s.hub()
		_ = s.store.Close()
		a := edit(join(t, h, "a", everything), 1)
		a.open()
		if len(a.closed) != 1 || a.closed[0].Code != string(CodeStorageFailed) || !a.closed[0].Retryable || h.Stats().Documents != 0 {
			t.Fatal(a.closed, a.codes())
		}
	})
}
