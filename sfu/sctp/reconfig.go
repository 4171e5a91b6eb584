package sctp

import (
	"encoding/binary"
	"slices"
	"time"
)

// Parameters of RE-CONFIG (RFC 6525 §4).
const (
	paramOutgoingReset = 13
	paramIncomingReset = 14
	paramAllReset      = 15
	paramResetResponse = 16
	paramAddOutgoing   = 17
	paramAddIncoming   = 18
)

// Results of a request (RFC 6525 §4.4).
const (
	resultPerformed  = 1
	resultDenied     = 2
	resultBusy       = 4
	resultInProgress = 6
)

// resetHeader is the fixed part of a reset request, without the parameter header.
const resetHeader = 12

// Bounds of requests. One of ours is out at a time; how many of the peer's are, is its choice, so they are bounded.
const (
	mostAsked    = 128 // streams in one request
	mostDeferred = 8   // requests of the peer that wait for data
)

// resets is the requests that close streams, of both sides.
type resets struct {
	known bool // the peer understands them

	// Ours.
	next     uint32 // number of the next request, or of the one that is out
	retries  uint32 // how many numbers before it the one that is out has had
	asked    []uint16
	last     tsn // our latest number when asked
	expiry   time.Time
	repeated bool // it has been sent
	waiting  int  // streams that are draining

	// The peer's.
	first    tsn    // its first number of all
	expected uint32 // number of its next request
	deferred []deferred
	done     deferred // the latest that was deferred: it may have been asked for again before it was known that it is done
}

// deferred is a request that has come before all data that it is about.
type deferred struct {
	number  uint32
	before  uint32 // how many numbers before it the same was asked under
	last    tsn
	streams []uint16
}

// same says that a request is another one under a new number, as dcsctp and we ask when the answer was "in progress". Two uses of a
// stream cannot look the same, since there is data between them.
func (d deferred) same(e deferred) bool {
	return e.last == d.last && slices.Equal(e.streams, d.streams)
}

// Reset closes our side of a stream, as closing a data channel does (RFC 8831 §6.7): what was sent before still arrives, and until
// the peer has agreed Send returns ErrClosing. After that the stream may be used anew. It may be called twice.
func (a *Association) Reset(stream uint16) {
	if !a.open() || !a.resets.known {
		return
	}
	s := a.out.queue.stream(stream, 2*a.cfg.Streams) // one that we never sent on is reset as well: the peer waits for it
	if s == nil || s.phase != inUse {
		return
	}
	s.phase = draining
	a.resets.waiting++
}

// ready says that a request can be made, or has been made and not sent.
func (r *resets) ready(o *outbound) bool {
	if len(r.asked) > 0 {
		return !r.repeated
	}
	if r.waiting == 0 {
		return false
	}
	for _, s := range o.queue.streams {
		if s.phase == draining && s.drained() {
			return true
		}
	}
	return false
}

// collect makes a request of the streams that have nothing to send any more.
func (r *resets) collect(o *outbound) {
	for _, s := range o.queue.streams {
		if s.phase == draining && s.drained() && len(r.asked) < mostAsked {
			s.phase = asked
			r.asked = append(r.asked, s.id)
			r.waiting--
		}
	}
	slices.Sort(r.asked) // a map has no order, but what we do should not depend on it
	r.last = o.flight.next() - 1
}

// askResets sends the request that is due.
func (a *Association) askResets(now time.Time, w *writer) {
	r := &a.resets
	if r.waiting > 0 && len(r.asked) == 0 {
		r.collect(&a.out)
	}
	if len(r.asked) == 0 || r.repeated && now.Before(r.expiry) {
		return
	}
	n := paramHeader + resetHeader + 2*len(r.asked)
	if chunkHeader+padded(n) > w.room() {
		return
	}
	if r.repeated {
		a.out.clock.backOff()
	}
	b := w.chunk(typeReconfig, 0, n)
	binary.BigEndian.PutUint16(b, paramOutgoingReset)
	binary.BigEndian.PutUint16(b[2:], uint16(n))
	binary.BigEndian.PutUint32(b[4:], r.next)
	binary.BigEndian.PutUint32(b[8:], r.expected-1)
	binary.BigEndian.PutUint32(b[12:], uint32(r.last))
	for i, id := range r.asked {
		binary.BigEndian.PutUint16(b[16+2*i:], id)
	}
	r.repeated = true
	r.expiry = now.Add(a.out.clock.timeout)
}

// reconfig takes a RE-CONFIG in: at most two parameters (RFC 6525 §3.1).
func (a *Association) reconfig(r *reading, b []byte) {
	for range 2 {
		p, rest, ok := nextParam(b)
		if !ok || len(p.value) < 4 {
			return
		}
		number := binary.BigEndian.Uint32(p.value)
		switch p.kind {
		case paramOutgoingReset:
			if len(p.value) >= resetHeader {
				a.resetAsked(r, number, tsn(binary.BigEndian.Uint32(p.value[8:])), p.value[resetHeader:])
			}
		case paramResetResponse:
			if len(p.value) >= 8 {
				a.resetAnswered(r.now, number, binary.BigEndian.Uint32(p.value[4:]))
			}
		case paramAddOutgoing: // Firefox's library asks for more than it has; there is no limit here
			a.answerOnce(r, number, resultPerformed)
		case paramIncomingReset, paramAllReset, paramAddIncoming:
			a.answerOnce(r, number, resultDenied)
		}
		b = rest
	}
}

// answerOnce answers a request that changes nothing.
func (a *Association) answerOnce(r *reading, number, result uint32) {
	if number == a.resets.expected {
		a.resets.expected++
	}
	a.answer(r, number, result)
}

func (a *Association) answer(r *reading, number, result uint32) {
	v := binary.BigEndian.AppendUint32(nil, number)
	a.reply(r, typeReconfig, appendParam(nil, paramResetResponse, binary.BigEndian.AppendUint32(v, result)))
}

// resetAsked takes in that the peer has closed its side of streams (RFC 6525 §5.2.2). A request that comes before its turn is not
// answered: it comes again.
func (a *Association) resetAsked(r *reading, number uint32, last tsn, list []byte) {
	rs := &a.resets
	a.deferredResets() // the packet may have brought what they wait for
	switch ahead := int32(number - rs.expected); {
	case ahead > 0:
		return
	case ahead < 0:
		result := uint32(resultPerformed)
		if slices.ContainsFunc(rs.deferred, func(d deferred) bool { return d.number-number <= d.before }) {
			result = resultInProgress
		}
		a.answer(r, number, result)
		return
	}
	d := deferred{number: number, last: last}
	for ; len(list) >= 2; list = list[2:] {
		d.streams = append(d.streams, binary.BigEndian.Uint16(list))
	}
	if !a.in.last.before(last) {
		rs.expected++
		if len(d.streams) == 0 || !d.same(rs.done) {
			a.resetStreams(d)
		}
		a.answer(r, number, resultPerformed)
		return
	}
	if i := slices.IndexFunc(rs.deferred, d.same); i >= 0 {
		d.before = number - (rs.deferred[i].number - rs.deferred[i].before)
		rs.deferred = slices.Delete(rs.deferred, i, i+1)
	}
	if len(rs.deferred) == mostDeferred {
		return
	}
	rs.expected++
	rs.deferred = append(rs.deferred, d)
	a.answer(r, number, resultInProgress)
}

// holds says whether data is of a stream after a reset that has not been done yet.
func (r *resets) holds(stream uint16, n tsn) bool {
	for _, d := range r.deferred {
		if d.last.before(n) && (len(d.streams) == 0 || slices.Contains(d.streams, stream)) {
			return true
		}
	}
	return false
}

// deferredResets does what waited for data that has arrived.
func (a *Association) deferredResets() {
	rs := &a.resets
	for len(rs.deferred) > 0 && !a.in.last.before(rs.deferred[0].last) {
		d := rs.deferred[0]
		if rs.deferred = rs.deferred[1:]; len(rs.deferred) == 0 {
			rs.deferred = nil
		}
		rs.done = deferred{last: d.last, streams: slices.Clone(d.streams)}
		a.resetStreams(d)
		a.answer(&reading{}, d.number, resultPerformed)
	}
}

// resetStreams makes the peer's sides new and tells of it. Without a list all are meant.
func (a *Association) resetStreams(d deferred) {
	a.hand()
	if len(d.streams) == 0 {
		for id := range a.in.assembly.streams {
			d.streams = append(d.streams, id)
		}
		slices.Sort(d.streams)
	}
	for _, id := range d.streams {
		a.in.assembly.reset(id)
		a.tell(StreamReset{id})
	}
}

// resetAnswered takes the answer to our request in.
func (a *Association) resetAnswered(now time.Time, number, result uint32) {
	r := &a.resets
	if len(r.asked) == 0 || !r.repeated || r.next-number > r.retries {
		return
	}
	switch result {
	case resultInProgress: // a new number: some answer a repeated one as before for ever (RFC 6525 §5.2.1)
		if number == r.next {
			r.next++
			r.retries++
		}
		r.expiry = now.Add(a.out.clock.timeout)
		return
	case resultBusy:
		r.expiry = now.Add(a.out.clock.timeout)
		return
	}
	for _, id := range r.asked {
		s := a.out.queue.streams[id]
		if result > resultPerformed { // refused: the numbers go on
			s.phase = inUse
			continue
		}
		delete(a.out.queue.streams, id)
	}
	a.out.clock.settle()
	r.next++
	r.asked, r.repeated, r.retries, r.expiry = nil, false, 0, time.Time{}
}
