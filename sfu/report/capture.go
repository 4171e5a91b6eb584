package report

import "time"

const (
	stillFor = 500 * time.Millisecond // without a packet: timestamps may have stood still as well
	lagSlack = 250 * time.Millisecond // by which a way that was just used again may be slower
)

// Capture tells when the packets of one incoming stream were captured. Some publishers' timestamps stand still while they send
// nothing; by the last sender report from before, what follows would be late by as long, and be played so. It is not believed then,
// until there is another report or the times are right again. The zero value is ready.
type Capture struct {
	by    *Clock
	last  time.Time     // a packet came
	lag   time.Duration // of the last packet that was believed
	stale bool
}

// Time is when a packet was captured that came now, 0 for unknown. clock is replaced for every report, never changed; its times
// are ours. One report may come as two clocks, when more is known about the publisher's wall clock. newer says that the packet is
// newer than all before.
func (c *Capture) Time(now time.Time, clock *Clock, rtp uint32, newer bool) NTP {
	at := clock.Time(rtp)
	if newer {
		lag := ToNTP(now).Sub(at)
		switch {
		case c.by == nil || c.by.rtp != clock.rtp || lag <= c.lag+lagSlack:
			c.stale = false
		case now.Sub(c.last) >= stillFor:
			c.stale = true
		}
		if c.by, c.last = clock, now; !c.stale {
			c.lag = lag
		}
	}
	if c.stale {
		return 0
	}
	return at
}
