package sctp

import (
	"encoding/binary"
	"time"
)

// misses is how many reports have to miss a chunk before it is taken for lost (RFC 9260 §7.2.4).
const misses = 3

// report is what one SACK newly acknowledges.
type report struct {
	bytes int
	moved bool      // the oldest in flight was among it
	any   bool      // something was, and what was sent latest of it
	order uint32    // was this sending of all,
	sends uint16    // its so-manieth,
	at    time.Time // at this time
}

// count takes a chunk in that is acknowledged for the first time.
func (r *report) count(c *chunk) {
	r.bytes += len(c.data)
	if !r.any || int32(c.order-r.order) > 0 {
		r.any, r.order, r.sends, r.at = true, c.order, c.sends, c.at
	}
}

// sack takes the peer's report in (RFC 9260 §6.2.1).
func (o *outbound) sack(now time.Time, b []byte) {
	if len(b) < sackHeader-chunkHeader {
		return
	}
	upTo := tsn(binary.BigEndian.Uint32(b)) + 1
	if upTo.before(o.flight.base) || o.flight.next().before(upTo) {
		return // an old one, or about what was never sent
	}
	full := o.flying >= o.congestion.window
	var r report
	o.acknowledge(upTo, &r)
	blocks := min(int(binary.BigEndian.Uint16(b[8:])), (len(b)-12)/4)
	gaps := b[12 : 12+4*blocks]
	o.acknowledgeGaps(gaps, &r)
	o.window = int(min(binary.BigEndian.Uint32(b[4:]), unlimited))
	o.timeouts = 0

	if r.any && r.sends == 1 { // of what was sent twice nobody knows which one was acknowledged (Karn)
		o.clock.measured(now.Sub(r.at))
	} else if r.moved {
		o.clock.settle()
	}
	if r.moved {
		o.expiry = time.Time{}
		if o.flight.n > 0 {
			o.expiry = now.Add(o.clock.timeout)
		}
	}
	o.congestion.acked(r.bytes, full)
	o.congestion.reached(o.flight.base)
	if r.any && (len(gaps) > 0 || r.sends > 1) {
		o.miss(now, &r)
	}
	o.forward.advance(&o.flight)
	if o.forward.ahead(&o.flight) && r.any && int32(r.order-o.forward.order) > 0 {
		o.forward.due = true // something sent after it has arrived, so it is lost
	}
}

// acknowledge takes out all before a number.
func (o *outbound) acknowledge(upTo tsn, r *report) {
	for o.flight.n > 0 && o.flight.base.before(upTo) {
		c := o.flight.pop()
		r.moved = true
		c.stream.inFlight--
		switch c.fate {
		case flying:
			o.flying -= len(c.data)
			r.count(c)
		case lost:
			o.lost--
			r.count(c)
		}
		if c.fate != abandoned {
			o.queue.forget(c)
		}
		o.memory.put(c)
	}
}

// acknowledgeGaps marks what the peer has beyond a hole. Blocks that do not ascend are not looked at: each chunk is visited once.
func (o *outbound) acknowledgeGaps(gaps []byte, r *report) {
	seen := 0
	for ; len(gaps) >= 4; gaps = gaps[4:] {
		from := int(binary.BigEndian.Uint16(gaps))
		to := int(binary.BigEndian.Uint16(gaps[2:]))
		if from <= seen || to < from || to > o.flight.n {
			continue
		}
		seen = to
		for i := from - 1; i < to; i++ {
			c := o.flight.at(i)
			switch c.fate {
			case flying:
				o.flying -= len(c.data)
			case lost:
				o.lost--
			default:
				continue
			}
			r.count(c)
			c.fate = acked
		}
	}
}

// miss counts, for all that was sent before something that has arrived, and decides what is lost. By the order of sending, so what
// was sent twice and lost twice is found, too, without waiting for the timer.
func (o *outbound) miss(now time.Time, r *report) {
	found := false
	for i := range o.flight.n {
		c := o.flight.at(i)
		if c.fate != flying || int32(c.order-r.order) >= 0 {
			continue
		}
		c.misses++
		if c.misses >= misses {
			o.lose(now, i)
			found = true
		}
	}
	if found && o.congestion.loss(o.flight.next()) {
		o.rush = true
	}
}
