// Package delivery follows what is sent to one peer until the peer tells what became of it.
//
// Its nouns: a History numbers packets transport-wide and remembers when each one left. A Result is the fate of one of them. A
// Stream is what reception reports say of one stream, a Quality what they say of the way to the peer. A Report is all that
// came at once; an estimator of bandwidth lives on it.
//
// It does no I/O, starts no goroutine and never reads the clock.
package delivery

import (
	"math"
	"time"

	"github.com/turnout-rtc/turnout/sfu/rtcp"
)

// Sizes of a History, powers of two. It begins small, for most transports send little, and grows while packets have to be
// forgotten whose fate is still awaited: 4096 are 2 s of 25 Mbit/s.
const (
	fewest = 128
	most   = 4096
)

// patience is how long the fate of a packet is awaited: feedback comes every 50 to 250 ms, a round trip later.
const patience = 2 * time.Second

// firstNumber leaves room below for feedback about packets that were never sent.
const firstNumber = 1 << 16

// clockRange is after how much time the clock of transport-wide feedback begins anew: 24 bits of 64 ms.
const clockRange = 1 << 24 * 64 * time.Millisecond

// History of one peer. The zero value is ready; memory is taken with the first packet.
type History struct {
	packets []departure // by number modulo the length
	next    uint64      // number of the next packet
	begin   time.Time   // departures count from here

	heard time.Duration // the peer's clock, as it was told last, without wrapping
	known bool          // it was told
}

// departure has 8 bytes, for there are many.
type departure struct {
	at   uint32 // µs since begin; it wraps after 71 minutes, and so do differences
	size uint16
	fate fate
}

type fate uint8

const (
	awaited fate = iota
	lost
	arrived
)

// Result is the fate of one packet.
type Result struct {
	Number   uint64
	Size     int // bytes
	Sent     time.Time
	Received bool
	Arrived  time.Duration // by the receiver's clock, of which only differences mean something; 0 for one that is lost
}

// Sent remembers a packet of so many bytes that leaves now, and returns its number.
func (h *History) Sent(now time.Time, bytes int) uint16 {
	if h.packets == nil {
		h.packets, h.begin, h.next = make([]departure, fewest), now, firstNumber
	}
	if h.next >= firstNumber+uint64(len(h.packets)) {
		if old := h.at(h.next); old.fate == awaited && len(h.packets) < most && h.age(now, old) < patience {
			h.grow()
		}
	}
	*h.at(h.next) = departure{at: h.since(now), size: uint16(min(bytes, math.MaxUint16))}
	h.next++
	return uint16(h.next - 1)
}

func (h *History) at(n uint64) *departure { return &h.packets[n&uint64(len(h.packets)-1)] }

func (h *History) since(now time.Time) uint32 { return uint32(now.Sub(h.begin) / time.Microsecond) }

func (h *History) age(now time.Time, d *departure) time.Duration {
	return time.Duration(h.since(now)-d.at) * time.Microsecond
}

func (h *History) grow() {
	old := *h
	h.packets = make([]departure, 2*len(old.packets))
	for n := h.next - uint64(len(old.packets)); n < h.next; n++ {
		*h.at(n) = *old.at(n)
	}
}

// Feedback appends to dst what f tells for the first time. ok is false when f does not hold what it says.
func (h *History) Feedback(now time.Time, f rtcp.TransportFeedback, dst []Result) (results []Result, ok bool) {
	if h.packets == nil {
		return dst, true
	}
	n := h.next - uint64(uint16(h.next)-f.First)
	oldest := max(h.next-min(h.next, uint64(len(h.packets))), firstNumber)
	shift := h.clock(f.Reference)
	ok = f.Each(func(a rtcp.Arrival) bool {
		if n >= oldest && n < h.next {
			dst = h.settle(now, n, a, shift, dst)
		}
		n++
		return n < h.next // the rest was never sent
	})
	return dst, ok
}

// settle notes the fate of packet n. What was lost may still arrive.
func (h *History) settle(now time.Time, n uint64, a rtcp.Arrival, shift time.Duration, dst []Result) []Result {
	d := h.at(n)
	if d.fate == arrived || d.fate == lost && !a.Received {
		return dst
	}
	r := Result{Number: n, Size: int(d.size), Sent: now.Add(-h.age(now, d)), Received: a.Received}
	d.fate = lost
	if a.Received {
		d.fate, r.Arrived = arrived, a.At+shift
	}
	return append(dst, r)
}

// clock continues the peer's clock, and returns what is to be added to times from the same feedback.
func (h *History) clock(reference time.Duration) time.Duration {
	if !h.known {
		h.heard, h.known = reference, true
		return 0
	}
	ahead := (reference - h.heard) % clockRange
	switch {
	case ahead >= clockRange/2:
		ahead -= clockRange
	case ahead < -clockRange/2:
		ahead += clockRange
	}
	h.heard += ahead
	return h.heard - reference
}
