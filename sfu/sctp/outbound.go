package sctp

import (
	"encoding/binary"
	"time"
)

// outbound is our half of an association: what waits, what is in flight, and how fast it goes.
type outbound struct {
	memory     *Memory
	queue      queue
	flight     flight
	flying     int    // bytes in flight that the network may still hold
	lost       int    // chunks to be sent again
	order      uint32 // how many sendings there were
	window     int    // bytes the peer has room for, as of its latest report (a_rwnd)
	congestion congestion
	clock      clock
	expiry     time.Time // T3: when the oldest in flight is taken for lost. Zero: not running
	timeouts   int       // in a row
	used       time.Time // when data was sent latest
	rush       bool      // one packet may be sent again whatever the window (RFC 9260 §7.2.4)
	probe      bool      // one chunk may be sent though the peer has no room (RFC 9260 §6.1)
	forward    forward
}

func (o *outbound) begin(memory *Memory, mtu int, first tsn, g *greeting) {
	*o = outbound{memory: memory, window: int(g.window), congestion: newCongestion(mtu), forward: forward{known: g.forward, point: first}}
	o.flight.base = first
	o.clock.settle()
}

// release gives everything back.
func (o *outbound) release() {
	for o.flight.n > 0 {
		o.memory.put(o.flight.pop())
	}
	for o.queue.peek() != nil {
		o.memory.put(o.queue.take())
	}
	*o = outbound{memory: o.memory}
}

// empty says that all is acknowledged.
func (o *outbound) empty() bool { return o.flight.n == 0 && o.queue.last == nil }

// ready says that Poll has data to write, or to give up.
func (o *outbound) ready() bool {
	if o.lost > 0 && (o.rush || o.flying < o.congestion.window) {
		return true
	}
	c := o.queue.peek()
	return c != nil && o.mayFly(c)
}

// mayFly says whether a new chunk may be sent now.
func (o *outbound) mayFly(c *chunk) bool {
	return o.probe || o.lost == 0 && o.flying < o.congestion.window && o.flying+len(c.data) <= o.window
}

// write puts as many chunks into the packet as fit and are allowed: first those that are sent again.
func (o *outbound) write(now time.Time, w *writer) {
	o.resend(now, w)
	for o.lost == 0 {
		c := o.queue.peek()
		if c == nil || !o.mayFly(c) {
			break
		}
		if o.tooLate(now) {
			continue
		}
		if dataHeader+padded(len(c.data)) > w.room() {
			break
		}
		o.probe = false
		o.launch(now, w, o.queue.take())
	}
	if o.expiry.IsZero() && (o.flight.n > 0 || o.queue.last != nil) {
		o.expiry = now.Add(o.clock.timeout) // where the peer has no room, until it is probed
	}
}

// launch sends a chunk for the first time.
func (o *outbound) launch(now time.Time, w *writer, c *chunk) {
	if o.flight.n == 0 {
		if !o.used.IsZero() {
			o.congestion.idle(now.Sub(o.used), o.clock.timeout)
		}
		o.expiry = now.Add(o.clock.timeout) // it may have run for a peer without room
	}
	s := c.stream
	s.inFlight++
	o.flight.push(c)
	if c.flags&flagUnordered == 0 {
		c.ssn = s.ssn
		if c.flags&flagEnd != 0 {
			s.ssn++
		}
	}
	o.put(now, w, c)
}

// put writes a chunk and counts it as flying.
func (o *outbound) put(now time.Time, w *writer, c *chunk) {
	b := w.chunk(typeData, c.flags, dataHeader-chunkHeader+len(c.data))
	binary.BigEndian.PutUint32(b, uint32(c.tsn))
	binary.BigEndian.PutUint16(b[4:], c.stream.id)
	binary.BigEndian.PutUint16(b[6:], c.ssn)
	binary.BigEndian.PutUint32(b[8:], c.ppid)
	copy(b[12:], c.data)
	o.order++
	o.flying += len(c.data)
	c.fate, c.misses, c.order, c.at = flying, 0, o.order, now
	c.sends++
	o.used = now
}

// resend sends again what was lost.
func (o *outbound) resend(now time.Time, w *writer) {
	sent := false
	for i := 0; i < o.flight.n && o.lost > 0; i++ {
		c := o.flight.at(i)
		if c.fate != lost {
			continue
		}
		if !o.rush && o.flying >= o.congestion.window || dataHeader+padded(len(c.data)) > w.room() {
			break
		}
		o.lost--
		o.put(now, w, c)
		sent = true
		if i == 0 {
			o.expiry = now.Add(o.clock.timeout) // RFC 9260 §7.2.4, 4)
		}
	}
	o.rush = o.rush && !sent
}

// lose takes a chunk for lost: it will be sent again, or its message is given up.
func (o *outbound) lose(now time.Time, i int) {
	c := o.flight.at(i)
	if o.forward.known && (c.limit >= 0 && int32(c.sends) > c.limit || expired(c, now)) {
		o.abandon(i)
		return
	}
	if c.fate == flying {
		o.flying -= len(c.data)
	}
	c.fate = lost
	o.lost++
}

// due does what the timer asks for. It says false when the peer is to be taken for gone.
func (o *outbound) due(now time.Time) bool {
	if o.expiry.IsZero() || now.Before(o.expiry) {
		return true
	}
	o.expiry = time.Time{}
	if o.flight.n == 0 {
		o.probe = o.queue.last != nil
		o.clock.backOff()
		return true
	}
	o.timeouts++
	if o.timeouts > mostTimeouts {
		return false
	}
	o.clock.backOff()
	o.congestion.timeout()
	for i := range o.flight.n {
		switch c := o.flight.at(i); {
		case c.fate == flying, c.fate == acked && o.timeouts > 1: // what it had, it may have dropped (RFC 9260 §6.2)
			o.lose(now, i)
		}
	}
	o.forward.advance(&o.flight)
	o.forward.due = o.forward.ahead(&o.flight)
	return true
}

// mostTimeouts in a row end an association: more than two minutes. ICE knows much earlier when the peer is gone; this is for a
// peer that is there and has forgotten the association.
const mostTimeouts = 20

// pieceSize is how much room the next new piece needs. One that is sent again goes where it can.
func (o *outbound) pieceSize() int {
	if c := o.queue.peek(); c != nil && o.lost == 0 {
		return dataHeader + padded(len(c.data))
	}
	return 0
}
