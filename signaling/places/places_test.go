package places

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestRandomUseAgreesWithAModel(t *testing.T) {
	const most = 4
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		p := New[int, string](most)
		inside, reserved, shut := map[int]string{}, 0, false
		for step := range 200 {
			k := rng.IntN(6)
			switch rng.IntN(10) {
			case 0, 1, 2:
				if want := len(inside)+reserved < most; p.Reserve() != want {
					t.Fatalf("seed %d, step %d: Reserve says %v", seed, step, !want)
				} else if want {
					reserved++
				}
			case 3:
				if reserved > 0 {
					p.Release()
					reserved--
				}
			case 4, 5, 6:
				if _, there := inside[k]; there || reserved == 0 {
					continue
				}
				if p.Fill(k, "x") == shut {
					t.Fatalf("seed %d, step %d: Fill, and it is shut: %v", seed, step, shut)
				} else if !shut {
					reserved--
					inside[k] = "x"
				}
			case 7, 8:
				p.Leave(k)
				delete(inside, k)
			default:
				if step < 150 {
					continue
				}
				shut = true
				if all := p.Shut(); !slices.Equal(all, slices.Collect(maps.Values(inside))) {
					t.Fatalf("seed %d, step %d: inside are %d, want %d", seed, step, len(all), len(inside))
				}
			}
			v, there := p.Find(k)
			if v != inside[k] || there != (inside[k] != "") || p.Len() != len(inside) {
				t.Fatalf("seed %d, step %d: %d inside, want %d; Find(%d) = %q, %v", seed, step, p.Len(), len(inside), k, v, there)
			}
		}
	}
}

func TestEmptiedIsToldWhenTheLastHasLeftOrIsNotLetIn(t *testing.T) {
	p := New[int, int](2)
	<-p.Emptied() // nobody is there
	p.Reserve()
	p.Fill(1, 1)
	p.Reserve()
	one, another := p.Emptied(), p.Emptied()
	p.Leave(1)
	select {
	case <-one:
		t.Fatal("somebody is on the way in")
	default:
	}
	p.Release()
	<-one
	<-another
	<-p.Emptied()
}
