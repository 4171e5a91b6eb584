package receive

import "time"

// Limits of a Bandwidth, after the loss-based half of draft-ietf-rmcat-gcc-02 §6.
const (
	littleLoss = 0.02
	muchLoss   = 0.10
	growth     = 1.08 // a second
	leastRate  = 100_000
)

// Bandwidth is what a sender is told that it may send (REMB), when it does not listen to transport-wide feedback: the ceiling,
// less while much is lost. Delay is not looked at: such senders are few, and most of them know of losses only.
type Bandwidth struct {
	Ceiling uint64 // bits per second

	rate  uint64 // 0 for the ceiling
	bytes int
	since time.Time
}

// Packet counts a packet that arrived.
func (b *Bandwidth) Packet(bytes int) { b.bytes += bytes }

// Update returns what to tell the sender now, in bits per second. lost is the share of packets that were lost since the last
// Update.
func (b *Bandwidth) Update(now time.Time, lost float64) uint64 {
	passed := now.Sub(b.since).Seconds()
	received := uint64(0)
	if !b.since.IsZero() && passed > 0 {
		received = uint64(float64(8*b.bytes) / passed)
	}
	b.bytes, b.since = 0, now
	if b.rate == 0 {
		b.rate = b.Ceiling
	}
	switch {
	case lost > muchLoss && received > 0: // what arrived is what there is room for
		b.rate = min(b.rate, uint64(float64(received)/(1-lost)*(1-lost/2)))
	case lost < littleLoss:
		b.rate = uint64(float64(b.rate) * growth)
	}
	b.rate = min(max(b.rate, leastRate), b.Ceiling)
	return b.rate
}
