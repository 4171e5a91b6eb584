package packet

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"
)

var start = time.Unix(1_000_000, 0)

func TestRingKeepsTheNewest(t *testing.T) {
	r := NewRing(8, time.Hour)
	for n := uint64(100); n < 120; n++ {
		r.Put(start, n, []byte{byte(n)}, nil)
	}
	r.Put(start, 105, []byte("too late"), nil)
	for n := uint64(100); n < 130; n++ {
		b, ok := r.Get(n, nil)
		if want := n >= 112 && n < 120; ok != want || ok && b[0] != byte(n) {
			t.Errorf("packet %d: %v %v", n, b, ok)
		}
	}
}

func TestRingAllocatesNothingOnceGrown(t *testing.T) {
	r, b, n := NewRing(256, time.Hour), make([]byte, 1200), uint64(1)
	for ; n < 600; n++ {
		r.Put(start, n, b, nil)
	}
	dst := make([]byte, 0, 1500)
	if a := testing.AllocsPerRun(100, func() { r.Put(start, n, b, nil); dst, _ = r.Get(n, dst[:0]); n++ }); a != 0 {
		t.Errorf("%v allocations", a)
	}
}

// holders counts who holds it.
type holders struct{ n int }

func (h *holders) Retain()  { h.n++ }
func (h *holders) Release() { h.n-- }

func TestRingHoldsTheMemoryOfWhatItKeepsAndNoMore(t *testing.T) {
	r := NewRing(8, time.Hour)
	old, late, young := &holders{}, &holders{}, &holders{}
	for n := uint64(100); n < 108; n++ {
		r.Put(start, n, []byte{1}, old)
	}
	r.Put(start, 92, []byte{1}, late)
	for n := uint64(108); n < 111; n++ {
		r.Put(start, n, []byte{1}, young)
	}
	if old.n != 5 || late.n != 0 || young.n != 3 {
		t.Errorf("%d, %d and %d are held", old.n, late.n, young.n)
	}
	r.Clear()
	if old.n != 0 || young.n != 0 {
		t.Errorf("%d and %d are held", old.n, young.n)
	}
	if _, ok := r.Get(108, nil); ok {
		t.Error("a packet is still there")
	}
}

func TestRingGrowsWithTheRateAndNoFurther(t *testing.T) {
	for _, c := range []struct{ perSecond, want int }{{20, 64}, {31, 64}, {100, 256}, {300, 1024}, {5000, 1024}} {
		r, now := NewRing(1024, 2*time.Second), start
		for n := range uint64(5 * c.perSecond) {
			now = now.Add(time.Second / time.Duration(c.perSecond))
			r.Put(now, 1<<16+n, []byte{1}, nil)
		}
		if len(r.entries) != c.want {
			t.Errorf("%d packets a second: room for %d, not %d", c.perSecond, len(r.entries), c.want)
		}
	}
}

// TestRingKeepsItsHorizon puts packets at any rate, with losses, leaps and late ones: what has come in order within the horizon is
// there, as far as there is room; nothing else is held; and what is there is what was put.
func TestRingKeepsItsHorizon(t *testing.T) {
	const most, horizon = 256, time.Second
	scratch := make([]byte, 0, 8)
	for seed := range uint64(20) {
		rng, late := rand.New(rand.NewPCG(seed, 1)), seed%2 == 0
		r, held := NewRing(most, horizon), &holders{}
		came := map[uint64]time.Time{} // in order
		now, newest, last := start, uint64(1<<16), start
		pause := time.Duration(1+rng.IntN(40)) * time.Millisecond
		for i := range 1500 {
			now = now.Add(time.Duration(rng.Int64N(int64(2 * pause))))
			n := newest + 1
			switch rng.IntN(50) {
			case 0:
				n += uint64(rng.IntN(600))
			case 1, 2, 3:
				n += uint64(rng.IntN(3))
			case 4:
				if late {
					n = newest - uint64(rng.IntN(most))
				}
			case 5:
				pause = time.Duration(1+rng.IntN(40)) * time.Millisecond
			}
			if n > newest {
				newest, last = n, now
				came[n] = now
			}
			r.Put(now, n, binary.BigEndian.AppendUint64(nil, n), held)
			if i%16 != 0 {
				continue
			}
			there := 0
			for k := newest - 2*most; k <= newest; k++ {
				b, ok := r.Get(k, scratch)
				if ok {
					there++
				}
				if ok && binary.BigEndian.Uint64(b) != k {
					t.Fatalf("seed %d: %d is there as %d", seed, k, binary.BigEndian.Uint64(b))
				}
				at, inOrder := came[k]
				if age := last.Sub(at); inOrder && !ok && newest-k < leastRing && age < horizon-time.Millisecond {
					t.Fatalf("seed %d: %d of %d is gone after %v", seed, k, newest, age)
				} else if ok && !late && age > horizon+time.Millisecond { // else one that came late may stand in front of it
					t.Fatalf("seed %d: %d is there after %v", seed, k, age)
				}
			}
			if held.n != there {
				t.Fatalf("seed %d: memory of %d packets is held, %d are there", seed, held.n, there)
			}
		}
	}
}
