package pace

import (
	"math/rand/v2"
	"testing"
	"time"
)

var start = time.Unix(1_700_000_000, 0) //nolint:gochecknoglobals // a constant

func TestBucketNeverLetsMorePassThanItsRate(t *testing.T) {
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 1))
		b := Bucket{Rate: 10_000 + rng.IntN(1_000_000), Burst: 2000 + rng.IntN(10_000)}
		now, passed, largest := start, 0, 0
		for range 3000 {
			now = now.Add(time.Duration(rng.IntN(3000)) * time.Microsecond)
			n := 1 + rng.IntN(1500)
			if b.Take(now, n) {
				passed, largest = passed+n, max(largest, n)
			}
			if most := b.Burst + largest + int(now.Sub(start).Seconds()*float64(b.Rate)) + 1; passed > most {
				t.Fatalf("seed %d: %d bytes have passed, of %d", seed, passed, most)
			}
		}
		if least := int(now.Sub(start).Seconds()*float64(b.Rate)) / 3; passed < min(least, 300_000) {
			t.Errorf("seed %d: only %d bytes have passed, of %d", seed, passed, least)
		}
	}
}

func TestNextIsWhenThereIsRoom(t *testing.T) {
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 2))
		b := Bucket{Rate: 1000 + rng.IntN(10_000_000), Burst: 1 + rng.IntN(20_000)}
		now := start
		for range 100 {
			n := 1 + rng.IntN(5000)
			if at := b.Next(now, n); at.After(now) {
				if early := now.Add(at.Sub(now) * 9 / 10); early.Sub(now) > time.Millisecond {
					c := b
					if c.Take(early, n) {
						t.Fatalf("seed %d: %d bytes pass before %v", seed, n, at)
					}
				}
				now = at
			}
			if !b.Take(now, n) {
				t.Fatalf("seed %d: %d bytes do not pass when it was said", seed, n)
			}
		}
	}
}

func TestBudgetIsAShareWithAFloor(t *testing.T) {
	b := Budget{Percent: 20, Floor: 10_000}
	spend := func(now time.Time) (n int) {
		for b.Spend(now, 100) {
			n += 100
		}
		return n
	}
	if n := spend(start); n != 10_000 {
		t.Errorf("%d at first", n)
	}
	b.Sent(50_000)
	if n := spend(start); n != 10_000 {
		t.Errorf("%d of what was sent", n)
	}
	if n := spend(start.Add(500 * time.Millisecond)); n != 5000 {
		t.Errorf("%d after half a second", n)
	}
	if n := spend(start.Add(time.Hour)); n != 10_000 {
		t.Errorf("%d after an hour", n)
	}
	for range 1000 {
		b.Sent(1_000_000)
	}
	if n := spend(start.Add(time.Hour)); n != 10_000+reserve {
		t.Errorf("%d were saved up", n)
	}
}

func TestPacingAllocatesNothing(t *testing.T) {
	b, g, now := Bucket{Rate: 1000, Burst: 5000}, Budget{Percent: 10, Floor: 100}, start
	if n := testing.AllocsPerRun(100, func() {
		now = now.Add(time.Millisecond)
		b.Take(now, 10)
		b.Next(now, 10)
		g.Sent(100)
		g.Spend(now, 10)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
