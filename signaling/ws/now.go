package ws

import (
	"net"
	"sync"
	"syscall"
	"time"
)

// sending is how what was sent gets onto the wire: by the writing goroutine, which waits until the socket takes it, or by that of the
// gather, which serves many Conns in a row and leaves to the writing one what a socket does not take at once.
type sending struct {
	raw syscall.RawConn // of the socket; nil: it has none. Never changed

	// Guarded by mu, which is held for as long as something is written.
	mu   sync.Mutex
	out  outgoing // taken from Conn.pending
	rest []byte   // of what was taken, begun and not written
	over bool     // nothing may follow
}

func rawConn(socket net.Conn) syscall.RawConn {
	s, ok := socket.(syscall.Conn)
	if !ok {
		return nil // TLS, or a connection in memory
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// sendNow writes what was sent, as far as the socket takes it at once, and wakes the writing goroutine for the rest.
func (c *Conn) sendNow() {
	if c.sending.raw == nil || !c.sending.mu.TryLock() {
		c.Wake()
		return
	}
	done := c.sending.over || c.trySend()
	c.sending.mu.Unlock()
	if !done {
		c.Wake()
	}
}

// trySend says whether all was written. sending.mu is held.
func (c *Conn) trySend() bool {
	s := &c.sending
	for {
		if len(s.rest) == 0 {
			s.rest = c.next()
		}
		if len(s.rest) == 0 {
			return true
		}
		n := writeSome(s.raw, s.rest)
		if n <= 0 {
			return false
		}
		s.rest = s.rest[n:]
		c.left(n)
		if len(s.rest) > 0 {
			return false
		}
	}
}

// takenBytes is about how much is taken at once to be written: what is taken can no longer be forgotten.
const takenBytes = 256 << 10

// next is what is to be written of the frames that were sent, nil if nothing is. sending.mu is held.
func (c *Conn) next() []byte {
	out := &c.sending.out
	if b := out.take(writeBytes); b != nil {
		return b
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pending.bytes == 0 {
		return nil
	}
	free := out.emptied()
	if c.pending.bytes <= takenBytes {
		free, c.pending = c.pending, free
	} else {
		c.pending.cut(takenBytes, &free)
	}
	*out = outgoing{queue: free}
	c.last = time.Now()
	return out.take(writeBytes)
}
