package lite

import (
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/turnout-rtc/turnout/sfu/netio"
)

// nowhere is the address that pion/dtls sees: the real one is the transport's path, which may change.
var nowhere = &net.UDPAddr{IP: net.IPv4zero, Port: 9}

// queue is the net.PacketConn under DTLS. Datagrams that arrived wait here to be read; when it is full new ones are
// dropped and counted, and DTLS or SCTP sends them again.
type queue struct {
	// Set at construction, never changed.
	limit   int
	send    func([]byte)
	ended   func() // called once, by the first Close
	dropped *atomic.Uint64
	wake    chan struct{} // of capacity 1: there is something to look at

	mu sync.Mutex
	// Guarded by mu.
	waiting  []netio.Packet
	deadline time.Time
	timer    *time.Timer // of the deadline; nil without one
	closed   bool
}

func newQueue(limit int, dropped *atomic.Uint64, send func([]byte), ended func()) *queue {
	return &queue{limit: limit, dropped: dropped, send: send, ended: ended, wake: make(chan struct{}, 1)}
}

// push takes over p.
func (q *queue) push(p netio.Packet) {
	q.mu.Lock()
	full := q.closed || len(q.waiting) >= q.limit
	if !full {
		q.waiting = append(q.waiting, p)
	}
	q.mu.Unlock()
	if full {
		p.Release()
		q.dropped.Add(1)
		return
	}
	q.look()
}

func (q *queue) look() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// next is the datagram to read, or why there will be none.
func (q *queue) next() (netio.Packet, bool, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return netio.Packet{}, false, io.EOF
	case !q.deadline.IsZero() && !time.Now().Before(q.deadline):
		return netio.Packet{}, false, os.ErrDeadlineExceeded
	case len(q.waiting) == 0:
		return netio.Packet{}, false, nil
	}
	p := q.waiting[0]
	q.waiting = q.waiting[1:]
	if len(q.waiting) == 0 {
		q.waiting = nil // an idle peer keeps nothing
	}
	return p, true, nil
}

// ReadFrom waits for a datagram. It is for one goroutine.
func (q *queue) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		p, ok, err := q.next()
		if err != nil {
			return 0, nil, err
		}
		if ok {
			n := copy(b, p.Data)
			p.Release()
			return n, nowhere, nil
		}
		<-q.wake
	}
}

// WriteTo sends to the peer, wherever it is.
func (q *queue) WriteTo(b []byte, _ net.Addr) (int, error) {
	q.send(b)
	return len(b), nil
}

// Close ends a waiting ReadFrom. It may be called twice.
func (q *queue) Close() error {
	q.mu.Lock()
	first := !q.closed
	q.closed = true
	waiting := q.waiting
	q.waiting = nil
	if q.timer != nil {
		q.timer.Stop()
	}
	q.mu.Unlock()
	for _, p := range waiting {
		p.Release()
	}
	q.look()
	if first {
		q.ended()
	}
	return nil
}

// SetReadDeadline makes ReadFrom fail from t on.
func (q *queue) SetReadDeadline(t time.Time) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.deadline = t
	if q.timer != nil {
		q.timer.Stop()
		q.timer = nil
	}
	if !t.IsZero() && !q.closed {
		q.timer = time.AfterFunc(time.Until(t), q.look)
	}
	return nil
}

// SetDeadline is SetReadDeadline: writing never waits long.
func (q *queue) SetDeadline(t time.Time) error { return q.SetReadDeadline(t) }

// SetWriteDeadline does nothing: writing never waits long.
func (q *queue) SetWriteDeadline(time.Time) error { return nil }

// LocalAddr is not a real address.
func (q *queue) LocalAddr() net.Addr { return nowhere }
