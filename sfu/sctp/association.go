package sctp

import (
	"encoding/binary"
	"errors"
	"time"
)

// Association is one SCTP connection, the end that is connected to. Calls are not concurrent.
type Association struct {
	cfg Config // set at construction, never changed

	state    state
	local    header    // of packets we send: our port first, the peer's tag
	tag      uint32    // that packets of the peer have
	cookie   cookie    // that it was made with: a repeated COOKIE ECHO has it again
	greeting *greeting // an INIT that was answered and whose cookie has not come back
	replies  []byte    // chunks that answer something, for the next packet
	out      outbound
	in       inbound
	resets   resets
	shutdown goodbye

	events []Event
	told   int // of events
}

// state after RFC 9260 §4, as far as it concerns the end that is connected to and does not begin the shutdown.
type state uint8

const (
	closed      state = iota
	established       //
	closing           // the peer shuts down: it sends nothing new, and gets what it has not got yet
	aborting          // ended, but the peer has to be told
	ended
)

// New returns an association that waits for INIT.
func New(cfg Config) *Association { return &Association{cfg: cfg.withDefaults()} }

func (a *Association) open() bool { return a.state == established || a.state == closing }

// Receive takes a packet in. It keeps nothing of it. What is not a packet of this association is ignored.
func (a *Association) Receive(now time.Time, packet []byte) {
	h, chunks, ok := open(packet)
	if !ok || a.state >= aborting {
		return
	}
	if !a.admits(now, h, chunks) {
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
		if h.tag == 0 {
			a.greet(now, h, first.value)
		}
		return false // it is alone in its packet
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
	case typeInit, typeInitAck, typeHeartbeatAck, typeShutdownAck, typeError, typeCookieAck:
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
	case errors.Is(err, errStream):
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
}

// Causes of errors (RFC 9260 §3.3.10).
const (
	causeStream   = 1
	causeChunk    = 6
	causeUser     = 12
	causeProtocol = 13
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

// Poll writes the next packet into buf, which has room for Config.MaxPacket, and returns its length; 0: there is none now. It also
// does what timers ask for.
func (a *Association) Poll(now time.Time, buf []byte) int {
	if n := a.pollGreeting(buf); n > 0 {
		return n
	}
	if a.state == aborting {
		return a.pollAbort(buf)
	}
	if !a.open() {
		return 0
	}
	a.timers(now)
	if !a.open() {
		return 0
	}
	w := begin(buf, a.cfg.MaxPacket, a.local)
	if len(a.replies) > 0 {
		w.b = append(w.b, a.replies...)
		a.replies = nil
	}
	a.pollReport(&w)
	a.out.forward.write(&w, &a.out)
	a.out.write(now, &w)
	a.askResets(now, &w)
	a.pollShutdown(now, &w)
	return w.finish()
}

// pollReport writes the report that is due. One that may wait goes along with data if it leaves room for the first piece of it.
func (a *Association) pollReport(w *writer) {
	if !a.in.ack.now {
		if !a.in.owed() || !a.out.ready() || a.out.pieceSize()+a.in.size() > w.room() {
			return
		}
	}
	a.in.write(w)
}

func (a *Association) pollAbort(buf []byte) int {
	w := begin(buf, a.cfg.MaxPacket, a.local)
	cause := w.chunk(typeAbort, 0, paramHeader)
	binary.BigEndian.PutUint16(cause, causeUser)
	binary.BigEndian.PutUint16(cause[2:], paramHeader)
	a.state = ended
	return w.finish()
}

// timers does what is due.
func (a *Association) timers(now time.Time) {
	if !a.in.ack.at.IsZero() && !now.Before(a.in.ack.at) {
		a.in.ack.now = true
	}
	if !a.out.due(now) {
		a.fail(ErrTimeout)
	}
}

// Due returns when Poll is to be called though nothing else happened; the zero time means at once. Without true, only after the
// next Receive, Send, Taken, Reset or Abort.
func (a *Association) Due() (time.Time, bool) {
	switch {
	case a.state == aborting, a.greeting != nil && a.greeting.answer != nil:
		return time.Time{}, true
	case !a.open():
		return time.Time{}, false
	case len(a.replies) > 0, a.in.ack.now, a.out.ready(), a.out.forward.due, a.resets.ready(&a.out), a.leaves():
		return time.Time{}, true
	}
	var due time.Time
	for _, at := range [...]time.Time{a.out.expiry, a.in.ack.at, a.resets.expiry, a.shutdown.expiry} {
		if !at.IsZero() && (due.IsZero() || at.Before(due)) {
			due = at
		}
	}
	return due, !due.IsZero()
}

// Send queues a message. It keeps nothing of b. On an error nothing has changed. now is when a Lifetime begins.
func (a *Association) Send(now time.Time, stream uint16, ppid uint32, b []byte, r Reliability) error {
	piece := a.piece()
	switch {
	case a.state != established:
		return ErrNotOpen
	case len(b) == 0:
		return ErrEmpty
	case a.out.queue.used+a.size(len(b)) > a.cfg.Buffer:
		return ErrBuffer
	}
	s := a.out.queue.stream(stream, a.cfg.Streams)
	switch {
	case s == nil:
		return ErrStreams
	case s.phase != inUse:
		return ErrClosing
	}
	flags, limit, until := uint8(flagBegin), int32(-1), time.Time{}
	if r.Unordered {
		flags |= flagUnordered
	}
	if r.Limited {
		limit = int32(min(max(r.MaxRetransmits, 0), 1<<16-2)) // sends is counted in 16 bits
	}
	if r.Lifetime > 0 {
		until = now.Add(r.Lifetime)
	}
	for len(b) > 0 {
		n := min(len(b), piece)
		if n == len(b) {
			flags |= flagEnd
		}
		c := a.cfg.Memory.get(n)
		copy(c.data, b)
		c.stream, c.ppid, c.flags, c.limit, c.until = s, ppid, flags, limit, until
		a.out.queue.add(c)
		flags &^= flagBegin
		b = b[n:]
	}
	return nil
}

// piece is how many bytes of a message fit into a packet.
func (a *Association) piece() int { return (a.cfg.MaxPacket-packetHeader)&^3 - dataHeader }

// size is what a message of n bytes takes of the buffer.
func (a *Association) size(n int) int {
	size := n / a.piece() * cost(a.piece())
	if rest := n % a.piece(); rest > 0 {
		size += cost(rest)
	}
	return size
}

// Taken says that the application is done with a Message of n bytes: the window opens. To be called once for each.
func (a *Association) Taken(n int) {
	if a.open() {
		a.in.taken(n)
	}
}

// Buffered is how many bytes of a stream are neither acknowledged nor given up.
func (a *Association) Buffered(stream uint16) int {
	if s := a.out.queue.streams[stream]; s != nil {
		return s.buffered
	}
	return 0
}

// Abort ends the association. The peer is told by the next Poll. It may be called twice.
func (a *Association) Abort() {
	switch {
	case a.open():
		a.fail(nil)
	case a.state == closed:
		a.end(nil)
	}
}

// fail ends the association and has the peer told.
func (a *Association) fail(reason error) {
	a.end(reason)
	a.state = aborting
}

// end ends the association.
func (a *Association) end(reason error) {
	a.hand()
	a.state = ended
	a.greeting, a.replies = nil, nil
	a.out.release()
	a.in.assembly.release()
	a.resets, a.shutdown = resets{}, goodbye{}
	a.tell(Ended{reason})
}
