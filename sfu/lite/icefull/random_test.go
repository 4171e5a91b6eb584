package icefull

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/turnout-rtc/turnout/sfu/demux"
)

// Whatever happens, checks are paced, go only where a candidate or a request has pointed since the session began, and no pair
// that is not in use is asked for ever.
func TestRandomCommandsKeepTheRules(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		c, now := checker(), start
		var s Scratch
		known := map[demux.Path]bool{}
		unanswered := map[demux.Path]int{}
		used := demux.Path{}
		var last time.Time
		addr := func() netip.AddrPort { return netip.AddrPortFrom(them4.Addr(), uint16(1000+rng.IntN(6))) }
		path := func() demux.Path { return demux.Path{Socket: rng.IntN(2) << 16, Remote: addr()} }
		for range 2000 {
			now = now.Add(time.Duration(rng.IntN(400)) * time.Millisecond)
			switch p := path(); rng.IntN(30) {
			case 0:
				to := addr()
				if c.Add(now, to) {
					known[demux.Path{Remote: to}] = true
				}
			case 1:
				c.Heard(now, p)
				known[p], unanswered[p] = true, 0
			case 2:
				c.Follow(now, p)
				used, known[p], unanswered[p] = p, true, 0
			case 3:
				c.Follow(now, demux.Path{})
				used = demux.Path{}
			case 4:
				c.Lost(p)
				delete(known, p)
				if used == p {
					used = demux.Path{}
				}
			case 5:
				if rng.IntN(20) == 0 {
					c.Begin(ours, theirs, []Base{local4})
					clear(known)
					used = demux.Path{}
				}
			default:
				next, due := c.Next()
				check, ok := c.Poll(now, &s)
				if ok != (due && !next.After(now)) {
					t.Fatalf("Next says %v %v at %v, Poll %v", next, due, now, ok)
				}
				if !ok {
					continue
				}
				if now.Sub(last) < Pace || !known[check.Path] {
					t.Fatalf("%v after the last check, to %v, known: %v", now.Sub(last), check.Path, known)
				}
				last = now
				if unanswered[check.Path]++; check.Path != used && unanswered[check.Path] > 4*tries {
					t.Fatalf("%v was asked %d times", check.Path, unanswered[check.Path])
				}
				if rng.IntN(3) == 0 {
					raw := append([]byte(nil), check.Raw...)
					if !c.Answered(now, check.Path, answer(t, raw, theirs.Pwd), &s) {
						t.Fatal("an authentic answer was refused")
					}
					unanswered[check.Path] = 0
				}
			}
		}
	}
}
