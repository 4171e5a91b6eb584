package sctp

import "time"

// outStream is our side of a stream.
type outStream struct {
	id         uint16
	ssn        uint16 // of the next ordered message that is sent
	phase      phase
	buffered   int // bytes that are neither acknowledged nor given up
	inFlight   int // chunks
	head, tail *chunk
	next       *outStream // in the ring of those that have something to send
}

// phase of a stream on its way to a reset.
type phase uint8

const (
	inUse    phase = iota
	draining       // to be reset when all is acknowledged
	asked          // the peer has been asked to reset it
)

func (s *outStream) drained() bool { return s.head == nil && s.inFlight == 0 }

// queue is the messages that have no number yet. Streams take turns, message by message.
type queue struct {
	streams map[uint16]*outStream
	last    *outStream // of the ring of streams with messages: the one whose turn was last. Its next is next
	current *outStream // in the middle of a message, whose rest comes first
	used    int        // bytes of the buffer, for all that is not acknowledged or given up
}

// stream returns a stream, made if there is none and limit allows it.
func (q *queue) stream(id uint16, limit int) *outStream {
	if s := q.streams[id]; s != nil {
		return s
	}
	if len(q.streams) >= limit {
		return nil
	}
	if q.streams == nil {
		q.streams = make(map[uint16]*outStream)
	}
	s := &outStream{id: id}
	q.streams[id] = s
	return s
}

// add appends a piece of a message.
func (q *queue) add(c *chunk) {
	s := c.stream
	s.buffered += len(c.data)
	q.used += cost(cap(c.data))
	if s.head != nil {
		s.tail.next, s.tail = c, c
		return
	}
	s.head, s.tail = c, c
	if q.last == nil {
		s.next, q.last = s, s
		return
	}
	s.next, q.last.next = q.last.next, s
	q.last = s
}

// peek returns the piece that is next, nil if there is none.
func (q *queue) peek() *chunk {
	switch {
	case q.current != nil:
		return q.current.head
	case q.last != nil:
		return q.last.next.head
	default:
		return nil
	}
}

// take removes the piece that is next. Its bytes go on being counted.
func (q *queue) take() *chunk {
	if q.current != nil {
		for q.last.next != q.current { // a stream that began to send in the meantime may stand before it
			q.last = q.last.next
		}
	}
	s := q.last.next
	c := s.head
	s.head, c.next = c.next, nil
	q.current = nil
	switch {
	case s.head == nil && s == q.last:
		q.last = nil
	case s.head == nil:
		q.last.next = s.next
	case c.flags&flagEnd == 0:
		q.current = s
	default:
		q.last = s
	}
	return c
}

// forget stops counting the bytes of a piece that is acknowledged or given up.
func (q *queue) forget(c *chunk) {
	c.stream.buffered -= len(c.data)
	q.used -= cost(cap(c.data))
	c.data = c.data[:0]
}

// dropMessage removes what is next, to the end of its message.
func (q *queue) dropMessage(m *Memory) {
	for {
		c := q.take()
		end := c.flags&flagEnd != 0
		q.forget(c)
		m.put(c)
		if end {
			return
		}
	}
}

func expired(c *chunk, now time.Time) bool { return !c.until.IsZero() && !now.Before(c.until) }
