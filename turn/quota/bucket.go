// Package quota counts what users and sources take of a TURN server and says when it is enough.
// Nothing here grows with the number of strangers who knock, and nothing reads the clock.
package quota

import "time"

// Rate is a token bucket's size: PerSecond tokens flow in, and at most Burst are kept.
type Rate struct{ PerSecond, Burst float64 }

// Bucket is a token bucket. Its zero value is full. It is not safe for concurrent use.
type Bucket struct {
	used float64   // tokens missing from a full bucket
	last time.Time // when used was right
}

// Take takes n tokens, or none when there are too few. More than Burst are never there.
func (b *Bucket) Take(now time.Time, r Rate, n float64) bool {
	if elapsed := now.Sub(b.last).Seconds(); elapsed > 0 {
		b.used = max(0, b.used-elapsed*r.PerSecond)
		b.last = now
	}
	if b.used+n > r.Burst {
		return false
	}
	b.used += n
	return true
}
