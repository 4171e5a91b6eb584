package yjs

import (
	"errors"
	"math/rand/v2"
	"runtime"
	"testing"
)

// mutate damages an update in one of the ways that wires and attackers do.
func mutate(r *rand.Rand, update []byte) []byte {
	b := append([]byte(nil), update...)
	if len(b) == 0 {
		return b
	}
	switch r.IntN(5) {
	case 0:
		return b[:r.IntN(len(b))]
	case 1:
		b[r.IntN(len(b))] ^= 1 << r.IntN(8)
	case 2:
		for range 4 {
			b[r.IntN(len(b))] = byte(r.Uint32())
		}
	case 3:
		b[r.IntN(min(len(b), 8))] = byte(r.Uint32())
	case 4:
		i, j := r.IntN(len(b)), r.IntN(len(b))
		return append(b[:max(i, j)], update[min(i, j):]...)
	}
	return b
}

// TestAcceptedDamageNeverBreaksYjs gives damaged updates to a document. Those that it refuses are named; those that it takes
// for well-formed must not throw in any client that they are relayed to, for one such update in a room would lock everybody out.
func TestAcceptedDamageNeverBreaksYjs(t *testing.T) {
	t.Parallel()
	o := startOracle(t)
	r := rand.New(rand.NewPCG(1, 2))
	refused, accepted := 0, 0
	for seed := range 80 {
		p := o.history(t, seed)
		rooms := [][][]byte{}
		for range 40 {
			room, took := damagedRoom(t, r, p)
			if took {
				accepted++
				rooms = append(rooms, room)
			} else {
				refused++
			}
		}
		var reply struct{ Thrown []string }
		o.ask(t, map[string]any{"ask": "receive", "rooms": rooms}, &reply)
		for i, thrown := range reply.Thrown {
			if thrown != "" {
				t.Errorf("seed %d: %x is accepted, and then: %s", seed, rooms[i], thrown)
			}
		}
	}
	t.Logf("%d refused, %d accepted", refused, accepted)
	if refused < 1000 || accepted < 300 {
		t.Error("too few to mean something")
	}
}

// damagedRoom is what a client hears in a room where one of the updates is damaged; took says that it was not refused.
func damagedRoom(t *testing.T, r *rand.Rand, p past) (relayed [][]byte, took bool) {
	d := NewDoc(Limits{})
	damaged := r.IntN(len(p.Deliveries))
	for i, u := range p.Deliveries {
		if i == damaged {
			u = mutate(r, u)
		}
		a, err := d.Apply(u)
		if i == damaged {
			took = a.New != nil
		}
		if err == nil && a.New != nil {
			relayed = append(relayed, a.New)
		}
	}
	check(t, d)
	return append(relayed, d.Encode()), took
}

// TestDamagedUpdatesAllocateWithinBounds holds whatever arrives to a multiple of its own size.
func TestDamagedUpdatesAllocateWithinBounds(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	w := randomWorld(r)
	var before, after runtime.MemStats
	for range 2000 {
		update := mutate(r, must(merge(w.pieces[r.IntN(len(w.pieces))], typed(9, 0, "some more"))))
		d := NewDoc(Limits{})
		runtime.ReadMemStats(&before)
		_, err := d.Apply(update)
		runtime.ReadMemStats(&after)
		var equivocation *EquivocationError
		if errors.As(err, &equivocation) {
			t.Fatalf("%v in an empty document", err)
		}
		if used, bound := after.TotalAlloc-before.TotalAlloc, uint64(64<<10+64*len(update)); used > bound {
			t.Fatalf("%d bytes allocated for %x", used, update)
		}
	}
}
