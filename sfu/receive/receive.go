// Package receive makes the feedback a receiver of RTP owes: which packets are missing, and when each one arrived.
//
// Its nouns: Losses asks for missing packets again (generic NACK, RFC 4585 §6.2.1). Arrivals tells the sender when packets
// arrived (transport-wide congestion control), by which it estimates the bandwidth.
//
// It does no I/O, starts no goroutine and never reads the clock.
package receive

import "time"

// Limits of asking. A packet is asked for at once when a later one shows that it is missing, again after a round trip, and
// given up when it would come too late to be of use.
const (
	maxPending = 512 // more losses than that mean that asking makes it worse
	maxTries   = 6
	maxAge     = 2 * time.Second
	minPause   = 20 * time.Millisecond
	defaultRTT = 100 * time.Millisecond
)

// Losses is about one incoming stream. The zero value has seen nothing.
type Losses struct {
	RoundTrip time.Duration // to the sender, 0 for unknown

	highest uint64
	pending []missing // oldest first
	gaveUp  bool
}

type missing struct {
	n     uint64
	since time.Time
	last  time.Time // asked for, zero for never
	tries int
}

// Packet takes the unwrapped number of a packet that has arrived, also of one that came back.
func (l *Losses) Packet(now time.Time, n uint64) {
	switch {
	case l.highest == 0 || n > l.highest+maxPending:
		l.gaveUp = l.gaveUp || l.highest != 0
		l.highest, l.pending = n, l.pending[:0]
	case n > l.highest:
		for m := l.highest + 1; m < n; m++ {
			l.pending = append(l.pending, missing{n: m, since: now})
		}
		l.highest = n
		if len(l.pending) > maxPending {
			l.gaveUp, l.pending = true, l.pending[:0]
		}
	default:
		l.found(n)
	}
}

func (l *Losses) found(n uint64) {
	for i := range l.pending {
		if l.pending[i].n == n {
			l.pending = append(l.pending[:i], l.pending[i+1:]...)
			return
		}
	}
}

// Ask appends the sequence numbers to ask for now to dst.
func (l *Losses) Ask(now time.Time, dst []uint16) []uint16 {
	pause := l.RoundTrip
	if pause == 0 {
		pause = defaultRTT
	}
	pause = max(pause, minPause)
	kept := l.pending[:0]
	for _, m := range l.pending {
		if m.tries >= maxTries && now.Sub(m.last) >= pause || now.Sub(m.since) >= maxAge {
			l.gaveUp = true
			continue
		}
		if m.tries < maxTries && now.Sub(m.last) >= pause {
			dst = append(dst, uint16(m.n))
			m.last = now
			m.tries++
		}
		kept = append(kept, m)
	}
	l.pending = kept
	return dst
}

// GaveUp says whether packets were given up since it was asked last: a decoder of video needs a key frame then.
func (l *Losses) GaveUp() bool {
	g := l.gaveUp
	l.gaveUp = false
	return g
}

// Pending says whether packets are missing.
func (l *Losses) Pending() bool { return len(l.pending) > 0 }

// Pair is a packet id and the bit mask of lost packets that follow it (RFC 4585 §6.2.1).
type Pair struct{ ID, Mask uint16 }

// Pairs appends sequence numbers, in rising order modulo 2^16, to dst in the form of a generic NACK.
func Pairs(seqs []uint16, dst []Pair) []Pair {
	for _, s := range seqs {
		if n := len(dst); n > 0 {
			if d := s - dst[n-1].ID; d >= 1 && d <= 16 {
				dst[n-1].Mask |= 1 << (d - 1)
				continue
			}
		}
		dst = append(dst, Pair{ID: s})
	}
	return dst
}
