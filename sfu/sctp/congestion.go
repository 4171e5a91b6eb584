package sctp

import "time"

// congestion says how many bytes may be in flight (RFC 9260 §7.2).
type congestion struct {
	mtu        int // bytes of a full packet
	window     int // cwnd
	threshold  int // ssthresh
	partial    int // partial_bytes_acked
	recovering bool
	exit       tsn // with it acknowledged, the recovery is over
}

const (
	firstWindow = 10 // packets (RFC 6928; dcsctp does the same)
	leastWindow = 4  // packets after a loss (RFC 9260 §7.2.3)
	growth      = 2  // packets that one report may add in slow start: every second packet is reported (RFC 3465 §2.3)
	unlimited   = 1 << 30
)

func newCongestion(mtu int) congestion {
	return congestion{mtu: mtu, window: firstWindow * mtu, threshold: unlimited}
}

// acked counts bytes newly acknowledged. full says that the window was used up, since one that is not needs no growth.
func (c *congestion) acked(n int, full bool) {
	switch {
	case c.recovering || !full:
	case c.window <= c.threshold:
		c.window += min(n, growth*c.mtu)
	default:
		c.partial += n
		if c.partial >= c.window {
			c.partial -= c.window
			c.window += c.mtu
		}
	}
}

// loss halves the window, once until all that was sent before is acknowledged. It says whether it did.
func (c *congestion) loss(next tsn) bool {
	if c.recovering {
		return false
	}
	c.recovering, c.exit = true, next
	c.threshold = max(c.window/2, leastWindow*c.mtu)
	c.window, c.partial = c.threshold, 0
	return true
}

// reached ends the recovery when all before exit is acknowledged.
func (c *congestion) reached(base tsn) {
	if c.recovering && !base.before(c.exit) {
		c.recovering = false
	}
}

// timeout begins again (RFC 9260 §7.2.3).
func (c *congestion) timeout() {
	c.threshold = max(c.window/2, leastWindow*c.mtu)
	c.window, c.partial, c.recovering = c.mtu, 0, false
}

// idle takes back what was learned long ago: half for each timeout without anything sent (RFC 9260 §7.2.1).
func (c *congestion) idle(silence, timeout time.Duration) {
	least := firstWindow * c.mtu
	for ; silence > timeout && c.window > least; silence -= timeout {
		c.threshold = max(c.threshold, c.window*3/4) // what it was worth: RFC 7661 §4.4
		c.window = max(c.window/2, least)
	}
}

// clock is the retransmission timeout (RFC 9260 §6.3).
type clock struct {
	smoothed  time.Duration
	variation time.Duration
	timeout   time.Duration
}

// The bounds of a timeout. The least is above 200 ms, for which a peer may hold a report back, and so is what is added to the round
// trip: dcsctp has the same. RFC 9260 has a second, which is a long time for a cursor. The most is not its minute: a path that comes
// back should be noticed soon, and ICE ends what is really dead.
const (
	firstTimeout   = 500 * time.Millisecond
	leastTimeout   = 400 * time.Millisecond
	leastVariation = 220 * time.Millisecond
	mostTimeout    = 10 * time.Second
)

// measured takes one round trip in.
func (c *clock) measured(rtt time.Duration) {
	if c.smoothed == 0 {
		c.smoothed, c.variation = rtt, rtt/2
	} else {
		c.variation += ((c.smoothed - rtt).Abs() - c.variation) / 4
		c.smoothed += (rtt - c.smoothed) / 8
	}
	c.settle()
}

// settle takes the backing off back.
func (c *clock) settle() {
	if c.smoothed == 0 {
		c.timeout = firstTimeout
		return
	}
	c.timeout = min(max(c.smoothed+max(4*c.variation, leastVariation), leastTimeout), mostTimeout)
}

// backOff doubles the timeout.
func (c *clock) backOff() { c.timeout = min(2*c.timeout, mostTimeout) }
