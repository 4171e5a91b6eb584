package sfu

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/turnout-rtc/turnout/sfu/forward"
)

// TestRunAgreesWithAModel has packets lost, late, and of key frames, publications and pauses at random.
func TestRunAgreesWithAModel(t *testing.T) {
	type had struct {
		n  uint64
		at time.Time
	}
	served := 0
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var g gop
		shows := []*Publication{{}, {}}
		p, src, now := shows[1], &source{}, time.Unix(1_700_000_000, 0)
		var run []had // what a model keeps: the newest key frame and all since
		n, ts, newest := uint64(1<<16), uint32(0), uint64(0)
		var missing []uint64
		give := func(n uint64, ts uint32, key bool) {
			in := &forward.In{N: n, Key: key, Newer: n > newest}
			in.Timestamp = ts
			newest = max(newest, n)
			switch {
			case key && in.Newer:
				run = []had{{n, now}}
			case len(run) > 0 && n > run[0].n:
				run = append(run, had{n, now})
			}
			g.packet(now, p, src, in, 100)
		}
		for range 400 {
			now = now.Add(time.Duration(rng.IntN(20)) * time.Millisecond)
			switch rng.IntN(40) {
			case 0:
				p.pauses.Add(1)
				run = nil
			case 1:
				p, run = shows[0], nil
				shows[0], shows[1] = shows[1], shows[0]
				g.packet(now, p, src, &forward.In{N: n}, 100) // what is not of the run before ends it
				n++
			case 2:
				src, run = &source{}, nil
			case 3:
				missing = append(missing, n)
				n++
			case 4:
				if len(missing) > 0 {
					give(missing[0], ts, false)
					missing = missing[1:]
				}
			default:
				ts++
				give(n, ts, rng.IntN(30) == 0)
				n++
			}
			got, ok := g.of(now, p, 60, time.Second)
			want := len(run) > 0 && len(run) <= 60 && now.Sub(run[0].at) <= time.Second
			if want {
				highest := run[0].n
				for _, h := range run {
					highest = max(highest, h.n)
				}
				want = highest-run[0].n+1 == uint64(len(run))
			}
			if src != got.source && ok {
				ok = false // no packet of the new source yet: whoever asks has seen none either
			}
			if ok != want || ok && got.first != run[0].n {
				t.Fatalf("seed %d: %v %+v, not %v %v", seed, ok, got, want, run)
			}
			if ok {
				served++
			}
		}
	}
	if served < 1000 {
		t.Errorf("a run was there %d times only", served)
	}
}
