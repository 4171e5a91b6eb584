package sctp

import "slices"

// assembly makes messages of what has arrived, and puts them into their order.
type assembly struct {
	cfg     *Config
	streams map[uint16]*inStream
	runs    []run // parts of messages that are not whole, ascending; there is a hole beside each of them
	used    int   // bytes of the window
	ready   []Message
}

// inStream is the peer's side of a stream.
type inStream struct {
	next uint16  // number of the ordered message that is to be handed over next
	held []*held // those that came before their turn, ascending; pointers, since a peer may have us insert many at the front
}

// held is an ordered message before its turn.
type held struct {
	ssn  uint16
	ppid uint32
	data []byte
}

// run is neighbouring pieces of one message.
type run struct {
	first, last  tsn
	begins, ends bool
	unordered    bool
	stream, ssn  uint16
	ppid         uint32 // of the first piece (RFC 9260 §6.9: all are the same)
	size         int
	head, tail   *chunk
}

// room says whether a piece of so many bytes is accepted. What fills the first hole is accepted for longer than what is beyond: it is
// what the rest waits for. The peer is told of one window (free); the second is for what a small message counts more than its bytes.
func (a *assembly) room(n int, fills bool) bool {
	limit := a.cfg.Window
	if fills {
		limit *= 2
	}
	return a.used+cost(n) <= limit && len(a.runs) < mostRuns
}

// free is the room that the peer is told of.
func (a *assembly) free() int { return max(0, a.cfg.Window-a.used) }

// mostRuns bounds what is begun and not finished. As many as there can be holes is usual.
const mostRuns = 4 * mostSpans

// known says whether a stream is known, or there may be one more.
func (a *assembly) known(stream uint16) bool {
	return a.streams[stream] != nil || len(a.streams) < a.cfg.Streams
}

func (a *assembly) stream(id uint16) *inStream {
	s := a.streams[id]
	if s == nil {
		if a.streams == nil {
			a.streams = make(map[uint16]*inStream)
		}
		s = &inStream{}
		a.streams[id] = s
	}
	return s
}

// add takes a piece in that has not been there before. follows says that the number before it has.
func (a *assembly) add(p piece, follows bool) error {
	a.stream(p.stream)
	at, _ := slices.BinarySearchFunc(a.runs, p.tsn, func(r run, n tsn) int { return int(int32(r.first - n)) })
	if err := a.check(at, &p); err != nil {
		return err
	}
	if a.orphan(at, &p, follows) {
		return nil
	}
	if p.flags&flagBegin != 0 && p.flags&flagEnd != 0 {
		if len(p.data) > a.cfg.MaxMessage {
			return ErrMessage
		}
		return a.whole(p.stream, p.ssn, p.ppid, p.flags&flagUnordered != 0, slices.Clone(p.data))
	}
	return a.fragment(at, p)
}

// check finds neighbours of one message that cannot be. That a message is not finished when the next one begins is no fault: it may
// have been given up, and the word of it come later.
func (a *assembly) check(at int, p *piece) error {
	begins, ends := p.flags&flagBegin != 0, p.flags&flagEnd != 0
	if at > 0 {
		if r := &a.runs[at-1]; r.last+1 == p.tsn && !begins && (r.ends || !r.fits(p)) {
			return ErrProtocol
		}
	}
	if at < len(a.runs) {
		if r := &a.runs[at]; r.first == p.tsn+1 && !r.begins && (ends || !r.fits(p)) {
			return ErrProtocol
		}
	}
	return nil
}

// orphan says that a piece continues a message that is gone: all before the piece has arrived, and none of it waits.
func (a *assembly) orphan(at int, p *piece, follows bool) bool {
	return follows && p.flags&flagBegin == 0 && (at == 0 || a.runs[at-1].last+1 != p.tsn)
}

func (r *run) fits(p *piece) bool {
	return r.stream == p.stream && r.unordered == (p.flags&flagUnordered != 0) && (r.unordered || r.ssn == p.ssn)
}

// fragment adds a piece of a longer message to the runs.
func (a *assembly) fragment(at int, p piece) error {
	c := a.cfg.Memory.get(len(p.data))
	copy(c.data, p.data)
	a.used += cost(len(p.data))
	r := run{
		first: p.tsn, last: p.tsn, begins: p.flags&flagBegin != 0, ends: p.flags&flagEnd != 0,
		unordered: p.flags&flagUnordered != 0, stream: p.stream, ssn: p.ssn, ppid: p.ppid, size: len(p.data), head: c, tail: c,
	}
	if !r.ends && at < len(a.runs) && a.runs[at].first == p.tsn+1 && !a.runs[at].begins {
		r = joined(r, a.runs[at])
		a.runs = slices.Delete(a.runs, at, at+1)
	}
	if !r.begins && at > 0 && a.runs[at-1].last+1 == p.tsn && !a.runs[at-1].ends {
		at--
		r = joined(a.runs[at], r)
		a.runs = slices.Delete(a.runs, at, at+1)
	}
	switch {
	case r.size > a.cfg.MaxMessage:
		a.drop(&r)
		return ErrMessage
	case r.begins && r.ends:
		return a.complete(&r)
	default:
		a.runs = slices.Insert(a.runs, at, r)
	}
	return nil
}

// joined is two runs as one.
func joined(a, b run) run {
	a.tail.next = b.head
	a.tail, a.last, a.ends = b.tail, b.last, b.ends
	a.size += b.size
	return a
}

// complete makes a message of a run.
func (a *assembly) complete(r *run) error {
	data := make([]byte, 0, r.size)
	for c := r.head; c != nil; c = c.next {
		data = append(data, c.data...)
	}
	a.drop(r)
	if len(a.runs) == 0 {
		a.runs = nil
	}
	return a.whole(r.stream, r.ssn, r.ppid, r.unordered, data)
}

// drop gives the pieces of a run back.
func (a *assembly) drop(r *run) {
	for c := r.head; c != nil; {
		next := c.next
		a.used -= cost(len(c.data))
		a.cfg.Memory.put(c)
		c = next
	}
}

// whole takes a message in, and hands over what is due.
func (a *assembly) whole(stream, ssn uint16, ppid uint32, unordered bool, data []byte) error {
	s := a.stream(stream)
	if unordered {
		a.used += len(data) + overhead
		a.ready = append(a.ready, Message{stream, ppid, data})
		return nil
	}
	if ssn == s.next {
		a.used += len(data) + overhead
		a.ready = append(a.ready, Message{stream, ppid, data})
		s.next++
		a.flush(stream, s)
		return nil
	}
	if earlier(ssn, s.next) {
		return nil // a number that was used before: nobody waits for it
	}
	if len(s.held) >= mostAhead {
		return ErrProtocol // they wait for something that is beyond a hole, and not so much can be
	}
	at, twice := slices.BinarySearchFunc(s.held, ssn, func(h *held, n uint16) int { return int(int16(h.ssn - n)) })
	if twice {
		return nil
	}
	a.used += len(data) + overhead
	s.held = slices.Insert(s.held, at, &held{ssn, ppid, data})
	return nil
}

// flush hands over those that were held and whose turn it is.
func (a *assembly) flush(stream uint16, s *inStream) {
	n := 0
	for n < len(s.held) && s.held[n].ssn == s.next {
		a.ready = append(a.ready, Message{stream, s.held[n].ppid, s.held[n].data})
		s.next++
		n++
	}
	s.cut(n)
}

// cut removes the first n of those held.
func (s *inStream) cut(n int) {
	if n == len(s.held) {
		s.held = nil
	} else {
		s.held = slices.Delete(s.held, 0, n)
	}
}

// skip gives up what is not whole and began before a number.
func (a *assembly) skip(upTo tsn) {
	n := 0
	for n < len(a.runs) && (!upTo.before(a.runs[n].first) || a.runs[n].first == upTo+1 && !a.runs[n].begins) {
		a.drop(&a.runs[n])
		n++
	}
	if n == len(a.runs) {
		a.runs = nil
	} else {
		a.runs = slices.Delete(a.runs, 0, n)
	}
}

// skipTo stops waiting for the ordered messages of a stream up to a number.
func (a *assembly) skipTo(stream, ssn uint16) {
	if !a.known(stream) {
		return
	}
	s := a.stream(stream)
	if earlier(ssn, s.next) {
		return
	}
	n := 0
	for n < len(s.held) && !earlier(ssn, s.held[n].ssn) {
		a.ready = append(a.ready, Message{stream, s.held[n].ppid, s.held[n].data})
		n++
	}
	s.cut(n)
	s.next = ssn + 1
	a.flush(stream, s)
}

// reset makes a stream a new one.
func (a *assembly) reset(id uint16) {
	s := a.streams[id]
	if s == nil {
		return
	}
	for _, h := range s.held {
		a.used -= len(h.data) + overhead
	}
	delete(a.streams, id)
}

// release gives everything back.
func (a *assembly) release() {
	for i := range a.runs {
		a.drop(&a.runs[i])
	}
	*a = assembly{cfg: a.cfg}
}
