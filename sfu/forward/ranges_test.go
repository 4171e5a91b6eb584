package forward

import (
	"math/rand/v2"
	"testing"
)

// naive remembers all numbers.
type naive struct {
	first, out, highest uint64
	left                map[uint64]bool
}

func (m *naive) number(n uint64) (uint64, bool) {
	m.highest = max(m.highest, n)
	if n < m.first || m.left[n] {
		return 0, false
	}
	out := m.out + n - m.first
	for l := range m.left {
		if l < n {
			out--
		}
	}
	return out, true
}

func TestNumbersAreThoseOfAModelThatRemembersAll(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 3))
		at := uint64(1<<16 + rng.IntN(1000))
		r, m := newRanges(at, 77), &naive{first: at, out: 77, highest: at - 1, left: map[uint64]bool{}}
		var changes []uint64 // where runs of left-out numbers end
		for range 500 {
			switch rng.IntN(3) {
			case 0:
				n := at + uint64(rng.IntN(3))
				at = n + 1
				if got := r.leaveOut(n); got != (n > m.highest) {
					t.Fatalf("seed %d: %d is left out: %v", seed, n, got)
				}
				if n > m.highest {
					if len(changes) == 0 || changes[len(changes)-1] != n {
						changes = append(changes, 0)
					}
					changes[len(changes)-1] = n + 1
					m.highest, m.left[n] = n, true
				}
			case 1:
				n := at + uint64(rng.IntN(3))
				at = n + 1
				got, ok := r.number(n)
				if want, wantOK := m.number(n); ok != wantOK || got != want {
					t.Fatalf("seed %d: %d became %d, not %d", seed, n, got, want)
				}
			default:
				n := at - uint64(rng.IntN(200))
				got, ok := r.number(n)
				want, wantOK := m.number(n)
				forgotten := len(changes) >= maxSpans && n < changes[len(changes)-maxSpans]
				if !(ok == wantOK && got == want || forgotten && !ok) {
					t.Fatalf("seed %d: %d, late, became %d (%v), not %d (%v)", seed, n, got, ok, want, wantOK)
				}
			}
		}
	}
}
