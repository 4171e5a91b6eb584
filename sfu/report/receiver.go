package report

import "time"

// Receiver counts an incoming stream for its reception reports (RFC 3550 §6.4.1 and appendix A). It is made with its Rate.
type Receiver struct {
	Rate uint32 // Hz

	base, highest uint64 // unwrapped sequence numbers
	received      uint64
	started       bool

	transit int64 // of the last packet, in ticks
	jitter  int64 // in 1/16 ticks

	expectedBefore, receivedBefore uint64 // at the last report
	lately                         Interval

	reported   NTP // of the last sender report
	reportedAt time.Time
}

// Reception is a report block, but for its SSRC.
type Reception struct {
	Fraction uint8 // of packets lost since the last report, in 1/256
	Lost     int32 // ever, 24 bits
	Highest  uint32
	Jitter   uint32 // ticks
	LSR      uint32 // the last sender report, 0 for none
	DLSR     uint32 // since then, in 1/65536 s
}

// Packet counts a packet that was not seen before. n is its unwrapped sequence number. late says that it is a retransmission,
// whose arrival says nothing about jitter.
func (r *Receiver) Packet(now time.Time, n uint64, rtp uint32, late bool) {
	if !r.started {
		r.started, r.base, r.highest = true, n, n
		r.expectedBefore = 0
	}
	r.base = min(r.base, n)
	r.received++
	newest := n >= r.highest
	r.highest = max(r.highest, n)
	if late || !newest {
		return
	}
	// RFC 3550 §A.8, with arrival times in ticks. Only differences count, so any epoch will do.
	arrival := ticks(time.Duration(now.UnixNano()), r.Rate)
	transit := int64(int32(uint32(arrival) - rtp))
	if r.received > 1 {
		d := int64(int32(uint32(transit - r.transit)))
		r.jitter += max(d, -d) - (r.jitter+8)>>4
	}
	r.transit = transit
}

// Interval is what happened between the last two reports.
type Interval struct{ Expected, Lost int64 }

// Lately is what happened between the last two reports.
func (r *Receiver) Lately() Interval { return r.lately }

// SenderReport takes a report of the stream's sender.
func (r *Receiver) SenderReport(now time.Time, ntp NTP) { r.reported, r.reportedAt = ntp, now }

// Report makes a report block for now. ok is false when nothing was received since the last one (RFC 3550 §6.4).
func (r *Receiver) Report(now time.Time) (b Reception, ok bool) {
	if r.received == r.receivedBefore {
		return Reception{}, false
	}
	expected := r.highest - r.base + 1
	lost := int64(expected) - int64(r.received)
	newExpected, newReceived := int64(expected-r.expectedBefore), int64(r.received-r.receivedBefore)
	if newLost := newExpected - newReceived; newExpected > 0 && newLost > 0 {
		b.Fraction = uint8(min(newLost<<8/newExpected, 255))
	}
	r.lately = Interval{max(newExpected, 0), max(newExpected-newReceived, 0)}
	r.expectedBefore, r.receivedBefore = expected, r.received
	const most = 1<<23 - 1
	b.Lost = int32(min(max(lost, -most-1), most))
	b.Highest = uint32(r.highest) // cycles and number (the low 16 bits)
	b.Jitter = uint32(r.jitter >> 4)
	if r.reported != 0 {
		b.LSR = r.reported.Middle()
		b.DLSR = Delay(now.Sub(r.reportedAt))
	}
	return b, true
}

// Delay is d in 1/65536 s, as reports tell how long ago something was.
func Delay(d time.Duration) uint32 { return uint32(ticks(max(d, 0), 65536)) }

// RoundTrip is the time that a report block of a receiver tells: from our sender report to its arrival there, and back. ok is
// false when the block refers to none.
func RoundTrip(now time.Time, lsr, dlsr uint32) (d time.Duration, ok bool) {
	if lsr == 0 {
		return 0, false
	}
	d = duration(int64(int32(ToNTP(now).Middle()-lsr-dlsr)), 65536)
	return d, d >= 0
}
