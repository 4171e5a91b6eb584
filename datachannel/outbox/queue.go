package outbox

// queue is a first-in first-out queue of encoded frames.
type queue struct {
	frames [][]byte
	head   int // frames before it have left
	bytes  int
}

func (q *queue) len() int { return len(q.frames) - q.head }

func (q *queue) at(i int) []byte { return q.frames[q.head+i] }

func (q *queue) set(i int, f []byte) {
	q.bytes += len(f) - len(q.frames[q.head+i])
	q.frames[q.head+i] = f
}

func (q *queue) push(f []byte) {
	if q.head > 0 && len(q.frames) == cap(q.frames) {
		q.shift()
	}
	q.frames = append(q.frames, f)
	q.bytes += len(f)
}

// shift moves the frames to the front, so that the room of those that have left is used again.
func (q *queue) shift() {
	n := copy(q.frames, q.frames[q.head:])
	clear(q.frames[n:])
	q.frames = q.frames[:n]
	q.head = 0
}

func (q *queue) pushFront(f []byte) {
	if q.head == 0 {
		q.frames = append([][]byte{nil}, q.frames...)
		q.head = 1
	}
	q.head--
	q.frames[q.head] = f
	q.bytes += len(f)
}

func (q *queue) pop() {
	q.bytes -= len(q.frames[q.head])
	q.frames[q.head] = nil
	q.head++
	if q.head == len(q.frames) {
		q.frames, q.head = q.frames[:0], 0
	}
}

// truncate keeps the first n.
func (q *queue) truncate(n int) {
	for i := q.head + n; i < len(q.frames); i++ {
		q.bytes -= len(q.frames[i])
		q.frames[i] = nil
	}
	q.frames = q.frames[:q.head+n]
}
