package ws

// sharedFrame is the size from which on a frame is not copied into a queue, but referred to.
const sharedFrame = 4 << 10

// queue is frames on their way out. Small ones are copied one behind the other, which costs less than a reference to each, and
// leaves what is written in one piece.
type queue struct {
	small  []byte
	shared []sharedAt
	bytes  int // of all
}

// sharedAt is a large frame, and how much of queue.small goes before it.
type sharedAt struct {
	frame  Frame
	before int
}

func (q *queue) push(f Frame) {
	q.bytes += len(f)
	if len(f) >= sharedFrame {
		q.shared = append(q.shared, sharedAt{f, len(q.small)})
		return
	}
	q.small = append(q.small, f...)
}

// pushMessage makes a frame of a binary message, which it copies, and returns its size.
func (q *queue) pushMessage(b []byte) int {
	if len(b)+maxHeader >= sharedFrame {
		f := Binary(b)
		q.push(f)
		return len(f)
	}
	before := len(q.small)
	q.small = appendFrame(q.small, opBinary, b)
	q.bytes += len(q.small) - before
	return len(q.small) - before
}

// cut moves frames of about limit bytes to the end of other.
func (q *queue) cut(limit int, other *queue) {
	all := outgoing{queue: *q}
	moved := 0
	for moved < limit {
		f := all.take(1)
		if f == nil {
			break
		}
		moved += len(f)
		other.push(f)
	}
	clear(q.shared[:all.next])
	q.small, q.shared = q.small[all.at:], q.shared[all.next:]
	for i := range q.shared {
		q.shared[i].before -= all.at
	}
	q.bytes -= moved
}

// sift drops the frames for which keep says false.
func (q *queue) sift(keep func(Frame) bool) {
	all := outgoing{queue: *q}
	*q = queue{}
	for f := all.take(1); f != nil; f = all.take(1) {
		if keep(f) {
			q.push(f)
		}
	}
}

// outgoing is a queue that is being written.
type outgoing struct {
	queue
	at   int // of small, written
	next int // of shared
}

// take returns what is to be written next: whole frames of about limit bytes, or one larger frame. It is nil at the end.
func (o *outgoing) take(limit int) []byte {
	end := len(o.small)
	if o.next < len(o.shared) {
		end = o.shared[o.next].before
	}
	if o.at == end {
		if o.next == len(o.shared) {
			return nil
		}
		o.next++
		return o.shared[o.next-1].frame
	}
	to := o.at + frameLen(o.small[o.at:])
	for to < end && to-o.at < limit {
		to += frameLen(o.small[to:])
	}
	b := o.small[o.at:to]
	o.at = to
	return b
}

// emptied returns the memory of a queue that has been written, for the next one.
func (o *outgoing) emptied() queue {
	clear(o.shared)
	q := queue{small: o.small[:0], shared: o.shared[:0]}
	if cap(q.small) > keptBuffer {
		q.small = nil
	}
	return q
}
