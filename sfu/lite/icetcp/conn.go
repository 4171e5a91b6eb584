// Package icetcp carries datagrams over TCP, each behind two bytes of its length (RFC 4571, RFC 6544).
//
// A Conn is one TCP connection. What is sent to it waits in a bounded buffer; when that is full the oldest datagrams are
// dropped, as a router would do: late media is worth less than new. One goroutine per Conn writes; Close waits for it.
package icetcp

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	prefix = 2 // bytes of length
	// stalled is how long the peer may take nothing: TCP would wait for minutes.
	stalled = 10 * time.Second
	// parting is how long Close waits for what is still to be sent.
	parting = 100 * time.Millisecond
)

// ErrFrame says that the peer sent a frame that is empty or longer than is allowed. The stream cannot be read on.
var ErrFrame = errors.New("icetcp: bad frame length")

// Conn is one TCP connection. Read is for one goroutine; all else may be called from any.
type Conn struct {
	// Set at construction, never changed.
	conn    net.Conn
	remote  netip.AddrPort
	limit   int // bytes of waiting
	wake    chan struct{}
	done    chan struct{} // closed when the writer has ended
	dropped *atomic.Uint64

	in *bufio.Reader // owned by the reader

	mu sync.Mutex
	// Guarded by mu.
	waiting []byte // frames; those before head are gone. At most twice limit
	head    int
	closed  bool
}

// NewConn takes over c and starts its writer. limit is the number of bytes that may wait to be sent; what is dropped
// because of it is added to dropped.
func NewConn(c net.Conn, limit int, dropped *atomic.Uint64) *Conn {
	n := &Conn{conn: c, limit: limit, wake: make(chan struct{}, 1), done: make(chan struct{}), dropped: dropped,
		in: bufio.NewReaderSize(c, 4096)}
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		ap := a.AddrPort()
		n.remote = netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	go n.write()
	return n
}

// Remote is the peer's address.
func (c *Conn) Remote() netip.AddrPort { return c.remote }

// Read reads one datagram into b and returns its length. One longer than b is ErrFrame.
func (c *Conn) Read(b []byte) (int, error) { return readFrame(c.in, b) }

func readFrame(r io.Reader, b []byte) (int, error) {
	if len(b) < prefix {
		return 0, ErrFrame
	}
	if _, err := io.ReadFull(r, b[:prefix]); err != nil {
		return 0, err
	}
	n := int(binary.BigEndian.Uint16(b))
	if n == 0 || n > len(b) {
		return 0, ErrFrame
	}
	return io.ReadFull(r, b[:n])
}

// SetReadDeadline makes Read fail after t.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.conn.SetReadDeadline(t) }

// Send queues one datagram and does not block. It keeps nothing of b.
func (c *Conn) Send(b []byte) {
	need := prefix + len(b)
	if len(b) == 0 || len(b) > 1<<16-1 || need > c.limit {
		c.dropped.Add(1)
		return
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	for len(c.waiting)-c.head+need > c.limit {
		c.head += prefix + int(binary.BigEndian.Uint16(c.waiting[c.head:]))
		c.dropped.Add(1)
	}
	if c.head > c.limit { // rarely enough that moving costs nothing per datagram
		c.waiting = append(c.waiting[:0], c.waiting[c.head:]...)
		c.head = 0
	}
	c.waiting = binary.BigEndian.AppendUint16(c.waiting, uint16(len(b)))
	c.waiting = append(c.waiting, b...)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// write is the writer's goroutine: it takes all that waits and sends it in one call.
func (c *Conn) write() {
	defer close(c.done)
	var out []byte
	for range c.wake {
		c.mu.Lock()
		out, c.waiting = c.waiting[c.head:], out[:0]
		c.head = 0
		closed := c.closed
		if !closed {
			_ = c.conn.SetWriteDeadline(time.Now().Add(stalled))
		}
		c.mu.Unlock()
		if len(out) > 0 {
			if _, err := c.conn.Write(out); err != nil {
				_ = c.conn.Close() // ends the reader, which closes c
			}
		}
		if closed {
			return
		}
	}
}

// Close sends what waits, if the peer takes it at once, and closes the connection. It may be called twice.
func (c *Conn) Close() error {
	c.mu.Lock()
	if !c.closed {
		c.closed = true
		_ = c.conn.SetWriteDeadline(time.Now().Add(parting)) // also of the write under way
	}
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
	<-c.done
	if err := c.conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
