package sctp

import (
	"encoding/binary"
	"errors"
	"time"
)

// Receive takes a packet in. It keeps nothing of it. What is not a packet of this association is ignored.
func (a *Association) Receive(now time.Time, packet []byte) {
	h, chunks, ok := open(packet)
	if a.state >= aborting {
		return
	}
	if !ok || !a.admits(now, h, chunks) {
		a.drops.Packets++
		return
	}
	r := reading{now: now}
	for len(chunks) > 0 && a.open() {
		c, rest, ok := nextChunk(chunks)
		if !ok || !a.chunk(&r, c) {
			break
		}
		chunks = rest
	}
	if r.data && a.open() {
		a.in.packet(now)
	}
	if a.open() {
		a.deferredResets()
		a.hand()
	}
}

// reading is what is known of a packet while it is read.
type reading struct {
	now     time.Time
	data    bool // there was data in it
	forward bool // and a FORWARD TSN: a second one is not looked at
	reports int  // SACKs
	answers int  // chunks that were answered
}

// A packet does not make us work for each few of its bytes.
const (
	mostReports = 4 // that are looked at
	mostAnswers = 8 // chunks of ours
)

// admits checks the tag (RFC 9260 §8.5), and answers what begins an association.
func (a *Association) admits(now time.Time, h header, chunks []byte) bool {
	first, _, ok := nextChunk(chunks)
	if !ok {
		return false
	}
	switch first.kind {
	case typeInit:
		return h.tag == 0 && a.greet(now, h, first.value)
	case typeCookieEcho:
		return a.accept(now, h, first.value) || a.open() && h.tag == a.tag
	case typeAbort, typeShutdownComplete:
		if first.flags&flagReflected != 0 {
			return a.open() && h.tag == a.local.tag
		}
	}
	return a.open() && h.tag == a.tag
}

// chunk takes one chunk in, and says whether the rest of the packet is to be read.
func (a *Association) chunk(r *reading, c item) bool {
	switch c.kind {
	case typeData:
		return a.data(r, c)
	case typeSack:
		if r.reports++; r.reports <= mostReports {
			a.out.sack(r.now, c.value)
		}
	case typeForward:
		if !r.forward {
			a.in.forward(c.value)
			r.forward = true
		}
	case typeReconfig:
		a.reconfig(r, c.value)
	case typeHeartbeat:
		a.reply(r, typeHeartbeatAck, c.value)
	case typeCookieEcho: // admits has dealt with it
	case typeAbort:
		a.end(ErrAborted)
		return false
	case typeShutdown:
		a.shut(r.now, c.value)
	case typeShutdownComplete:
		if a.state == closing {
			a.end(nil)
		}
		return false
	case typeInit: // alone in its packet, and admits has dealt with it
		return false
	case typeInitAck, typeHeartbeatAck, typeShutdownAck, typeError, typeCookieAck:
	default:
		return a.unknown(r, c)
	}
	return true
}

// data takes a DATA chunk in.
func (a *Association) data(r *reading, c item) bool {
	p, ok := parseData(c)
	if !ok {
		a.fail(ErrProtocol)
		return false
	}
	r.data = true
	if a.resets.holds(p.stream, p.tsn) {
		return true // it will be sent again, and is then of the new stream
	}
	switch err := a.in.data(p); {
	case errors.Is(err, errBounds):
		a.drops.Data++
	case errors.Is(err, errStream):
		a.drops.Streams++
		a.report(r, causeStream, binary.BigEndian.AppendUint16(nil, p.stream))
	case err != nil:
		a.fail(err)
		return false
	}
	a.hand()
	return true
}

// hand hands over what the assembly has made.
func (a *Association) hand() {
	for i, m := range a.in.assembly.ready {
		a.tell(m)
		a.in.assembly.ready[i] = Message{}
	}
	a.in.assembly.ready = a.in.assembly.ready[:0]
	if cap(a.in.assembly.ready) > keptEvents {
		a.in.assembly.ready = nil
	}
}

// Causes of errors (RFC 9260 §3.3.10).
const (
	causeStream = 1
	causeChunk  = 6
	causeUser   = 12
)

// unknown does with an unknown chunk what its type asks for (RFC 9260 §3.2).
func (a *Association) unknown(r *reading, c item) bool {
	if c.kind&0x40 != 0 {
		a.report(r, causeChunk, c.whole)
	}
	return c.kind&0x80 != 0
}

func (a *Association) report(r *reading, cause uint16, value []byte) {
	a.reply(r, typeError, appendParam(nil, cause, value)[:paramHeader+len(value)]) // a chunk's length does not count the last padding
}

// reply answers a chunk with one of ours in the next packet. What does not fit is left out: the peer asks again.
func (a *Association) reply(r *reading, kind uint8, value []byte) {
	r.answers++
	if r.answers > mostAnswers || packetHeader+len(a.replies)+chunkHeader+padded(len(value)) > a.cfg.MaxPacket {
		return
	}
	a.replies = appendChunk(a.replies, kind, 0, value)
}
