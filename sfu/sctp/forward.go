package sctp

import (
	"encoding/binary"
	"time"
)

// forward is what we tell the peer not to wait for any more (RFC 3758 §3.5).
type forward struct {
	known bool   // the peer understands it
	due   bool   // to be told
	point tsn    // all before it is acknowledged or given up ("Advanced.Peer.Ack.Point", plus one)
	order uint32 // sendings before it was told latest
}

// forwardStreams is how many streams one FORWARD TSN names. What is beyond them waits for the next.
const forwardStreams = 32

// ahead says whether the peer waits for what is given up.
func (f *forward) ahead(flight *flight) bool { return flight.base.before(f.point) }

// advance moves the point over what is given up.
func (f *forward) advance(flight *flight) {
	if f.point.before(flight.base) {
		f.point = flight.base
	}
	for f.point.before(flight.next()) && flight.at(int(f.point-flight.base)).fate == abandoned {
		f.point++
		f.due = true
	}
}

// abandon gives up the whole message that a chunk in flight belongs to (RFC 3758 §3.5, A3).
func (o *outbound) abandon(i int) {
	first := i
	for first > 0 && o.flight.at(first).flags&flagBegin == 0 {
		first--
	}
	for i = first; i < o.flight.n; i++ {
		c := o.flight.at(i)
		switch c.fate {
		case flying:
			o.flying -= len(c.data)
		case lost:
			o.lost--
		}
		if c.fate != abandoned {
			o.queue.forget(c)
			c.fate = abandoned
		}
		if c.flags&flagEnd != 0 {
			return
		}
	}
	o.abandonRest(o.flight.at(o.flight.n - 1))
}

// abandonRest gives up the part of a message that was not sent yet. A number is spent on its end: the peer may have acknowledged
// all that was sent, and could not be told otherwise that nothing follows.
func (o *outbound) abandonRest(sent *chunk) {
	o.queue.dropMessage(o.memory)
	end := o.memory.get(0)
	end.stream, end.ssn, end.flags, end.fate = sent.stream, sent.ssn, sent.flags&flagUnordered|flagEnd, abandoned
	end.stream.inFlight++
	if end.flags&flagUnordered == 0 {
		end.stream.ssn++
	}
	o.flight.push(end)
}

// tooLate gives up the message that is next if its time is over, and says whether it did.
func (o *outbound) tooLate(now time.Time) bool {
	c := o.queue.peek()
	if c == nil || !expired(c, now) || !o.forward.known {
		return false
	}
	o.dropNext()
	return true
}

func (o *outbound) dropNext() {
	s := o.queue.current
	if s == nil { // nothing of it was sent, so the peer needs not know
		o.queue.dropMessage(o.memory)
		return
	}
	if o.flight.n > 0 { // what was sent latest is of this message, since nothing comes between its pieces
		o.abandon(o.flight.n - 1)
	} else { // all that was sent of it is acknowledged
		o.abandonRest(&chunk{stream: s, ssn: s.ssn, flags: s.head.flags})
	}
	o.forward.advance(&o.flight)
}

// write tells the peer, if it is to be told.
func (f *forward) write(w *writer, o *outbound) {
	if !f.due || !f.ahead(&o.flight) {
		f.due = false
		return
	}
	var skipped [forwardStreams]struct{ stream, ssn uint16 }
	n := 0
	point := o.flight.base
	for ; point.before(f.point); point++ {
		c := o.flight.at(int(point - o.flight.base))
		if c.flags&flagUnordered != 0 {
			continue
		}
		at := 0
		for at < n && skipped[at].stream != c.stream.id {
			at++
		}
		if at == len(skipped) {
			break
		}
		n = max(n, at+1)
		skipped[at].stream, skipped[at].ssn = c.stream.id, c.ssn // the latest of a stream is its greatest
	}
	if chunkHeader+4+4*n > w.room() {
		return // in the next packet
	}
	b := w.chunk(typeForward, 0, 4+4*n)
	binary.BigEndian.PutUint32(b, uint32(point-1))
	for i, s := range skipped[:n] {
		binary.BigEndian.PutUint16(b[4+4*i:], s.stream)
		binary.BigEndian.PutUint16(b[6+4*i:], s.ssn)
	}
	f.due = false
	f.order = o.order
}
