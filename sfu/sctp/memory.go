package sctp

import "time"

// Sizes of a chunk's buffer. Most messages of a room are small; a full packet of ours and of browsers fits the large one.
const (
	smallChunk = 256
	largeChunk = 1200
)

// What is kept counts for more than its bytes: a message that has arrived whole, and a chunk with its buffer. So limits in bytes hold
// for many small things, too.
const (
	overhead      = 64
	chunkOverhead = 128
)

// cost is what a chunk with n bytes counts.
func cost(n int) int {
	switch {
	case n <= smallChunk:
		n = smallChunk
	case n <= largeChunk:
		n = largeChunk
	}
	return n + chunkOverhead
}

// chunk is a piece of a message with its bytes: one to be sent, or one that has arrived and waits for the rest.
type chunk struct {
	next   *chunk
	data   []byte // of a buffer that stays with the chunk
	tsn    tsn
	ppid   uint32
	ssn    uint16
	flags  uint8
	fate   fate
	misses uint8 // reports that something sent later has arrived and this has not
	sends  uint16
	limit  int32  // retransmissions, -1: any number
	order  uint32 // of its latest sending among all
	stream *outStream
	at     time.Time // of its latest sending
	until  time.Time // when it is given up, zero: never
}

// fate is what became of a chunk that was given a number.
type fate uint8

const (
	flying    fate = iota // sent, and nothing heard of it
	lost                  // to be sent again
	acked                 // in a gap block: the peer has it, but may still drop it (RFC 9260 §6.2)
	abandoned             // given up (RFC 3758)
)

// Memory is chunks to use again. It is bounded: what does not fit is left to the garbage collector. It may be used by several
// goroutines.
type Memory struct{ small, large chan *chunk }

// NewMemory keeps up to so many bytes, about.
func NewMemory(bytes int) *Memory {
	return &Memory{small: make(chan *chunk, bytes/4/smallChunk), large: make(chan *chunk, bytes*3/4/largeChunk)}
}

// get returns a chunk with room for n bytes, all zero but data, which is n bytes of anything.
func (m *Memory) get(n int) *chunk {
	free, size := m.small, smallChunk
	switch {
	case n > largeChunk:
		return &chunk{data: make([]byte, n)}
	case n > smallChunk:
		free, size = m.large, largeChunk
	}
	select {
	case c := <-free:
		c.data = c.data[:n]
		return c
	default:
		return &chunk{data: make([]byte, n, size)}
	}
}

// put takes a chunk back that nothing refers to any more.
func (m *Memory) put(c *chunk) {
	free := m.small
	switch cap(c.data) {
	case smallChunk:
	case largeChunk:
		free = m.large
	default:
		return
	}
	*c = chunk{data: c.data[:0]}
	select {
	case free <- c:
	default: // full: the garbage collector has it
	}
}
