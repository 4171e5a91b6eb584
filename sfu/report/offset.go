package report

import "time"

const (
	offsetWindow = 30 * time.Second     // over which the quickest report is looked for
	offsetError  = 5 * time.Millisecond // that is let be: less than anyone hears or sees
)

// Offset is how far a peer's wall clock is ahead of ours, as its sender reports tell. The report that was quickest on its way
// tells it best: it looks the least late. What a slow way adds is the same for all streams of the peer. The zero value knows
// nothing.
type Offset struct {
	ahead time.Duration
	known bool

	most  time.Duration // within the window
	since time.Time     // begin of the window
}

// Observe takes the time of a report that arrived now. It says whether Ahead has changed: what was computed with it is to be
// computed again then.
func (o *Offset) Observe(now time.Time, ntp NTP) (changed bool) {
	ahead := ntp.Sub(ToNTP(now))
	if !o.known {
		o.ahead, o.most, o.since, o.known = ahead, ahead, now, true
		return true
	}
	o.most = max(o.most, ahead)
	if ahead > o.ahead+offsetError {
		o.ahead = ahead
		return true
	}
	if now.Sub(o.since) < offsetWindow {
		return false
	}
	// Both clocks drift, and either may be set.
	lower := o.most < o.ahead-offsetError
	if lower {
		o.ahead = o.most
	}
	o.most, o.since = ahead, now
	return lower
}

// Ahead is how far the peer's clock is ahead of ours. ok is false before the first report.
func (o *Offset) Ahead() (d time.Duration, ok bool) { return o.ahead, o.known }

// Ours turns a time of the peer's into ours.
func (o *Offset) Ours(t NTP) NTP { return t.Add(-o.ahead) }

// Fixed turns a duration into seconds with 32 bits of fraction, as header extensions write it.
func Fixed(d time.Duration) int64 { return int64(NTP(0).Add(d)) }
