package lite

import (
	"bytes"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/turnout-rtc/turnout/sfu/lite/record"
	"github.com/turnout-rtc/turnout/sfu/netio"
)

// nowhere is the address that pion/dtls sees: the real one is the transport's path, which may change.
var nowhere = &net.UDPAddr{IP: net.IPv4zero, Port: 9}

const (
	// earlyLimit is how many datagrams of data wait for the end of the handshake. The peer sends again what finds no room.
	earlyLimit = 16
	// flightLimit is how many datagrams of the last flight are kept. It is one: pion puts what is short together.
	flightLimit = 4
)

// queue is the net.PacketConn under a handshake. Datagrams that arrived wait here to be read; when it is full new ones are
// dropped and counted, and the peer sends them again. Data is not the handshake's: it waits for who takes over.
type queue struct {
	// Set at construction, never changed.
	limit   int
	send    func([]byte)
	dropped *atomic.Uint64
	wake    chan struct{} // of capacity 1: there is something to look at

	mu sync.Mutex
	// Guarded by mu.
	waiting  []netio.Packet
	early    []netio.Packet
	deadline time.Time
	timer    *time.Timer // of the deadline; nil without one
	muted    bool        // what is written goes nowhere
	left     bool        // nothing is taken any more
	closed   bool        // by pion
	sent     trace
}

// trace is what has to be known of what pion sent.
type trace struct {
	flight [][]byte // the last one: its datagrams from ChangeCipherSpec on
	next   uint64   // the sequence number after all that were used to encrypt
}

// note takes a datagram into the trace.
func (s *trace) note(datagram []byte) {
	begins, sealed := false, false
	for rest := datagram; len(rest) > 0; {
		head, behind, ok := record.Peek(rest)
		if !ok {
			break
		}
		begins = begins || head.Kind == record.ChangeCipherSpec
		if head.Epoch > 0 {
			sealed = true
			s.next = max(s.next, head.Sequence+1)
		}
		rest = behind
	}
	switch {
	case begins:
		s.flight = [][]byte{bytes.Clone(datagram)}
	case sealed && len(s.flight) > 0 && len(s.flight) < flightLimit:
		s.flight = append(s.flight, bytes.Clone(datagram))
	}
}

func newQueue(limit int, dropped *atomic.Uint64, send func([]byte)) *queue {
	return &queue{limit: limit, dropped: dropped, send: send, wake: make(chan struct{}, 1)}
}

// push takes over p, or says that the handshake is over.
func (q *queue) push(p netio.Packet) bool {
	shaking, data := contents(p.Data)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.left {
		return false
	}
	full := shaking && (q.closed || len(q.waiting) >= q.limit) || data && len(q.early) >= earlyLimit
	if shaking && !q.closed && len(q.waiting) < q.limit {
		p.Retain()
		q.waiting = append(q.waiting, p)
		q.look()
	}
	if data && len(q.early) < earlyLimit {
		p.Retain()
		q.early = append(q.early, p)
	}
	if full {
		q.dropped.Add(1)
	}
	p.Release()
	return true
}

// contents says what a datagram holds. A malformed one is left to pion.
func contents(datagram []byte) (shaking, data bool) {
	for len(datagram) > 0 {
		head, rest, ok := record.Peek(datagram)
		if !ok {
			return true, data
		}
		isData := head.Kind == record.Data && head.Epoch > 0
		shaking, data = shaking || !isData, data || isData
		datagram = rest
	}
	return shaking, data
}

func (q *queue) look() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// mute lets nothing out any more, and returns what was. It says false if the handshake has ended otherwise meanwhile.
func (q *queue) mute() (sent trace, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.muted = true
	return q.sent, !q.closed
}

// leave ends the handshake: nothing more is taken, and the data that came early is handed over.
func (q *queue) leave() []netio.Packet {
	q.mu.Lock()
	defer q.mu.Unlock()
	early := q.early
	q.left, q.early = true, nil
	q.drop()
	return early
}

// drop lets go of what waits for pion. mu is held.
func (q *queue) drop() {
	for _, p := range q.waiting {
		p.Release()
	}
	q.waiting = nil
}

// next copies the datagram to read, or says why there will be none.
func (q *queue) next(b []byte) (n int, ok bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return 0, false, io.EOF
	case !q.deadline.IsZero() && !time.Now().Before(q.deadline):
		return 0, false, os.ErrDeadlineExceeded
	case len(q.waiting) == 0:
		return 0, false, nil
	}
	p := q.waiting[0]
	q.waiting = q.waiting[1:]
	n = copy(b, p.Data)
	p.Release()
	return n, true, nil
}

// ReadFrom waits for a datagram. It is for one goroutine.
func (q *queue) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, ok, err := q.next(b)
		if err != nil {
			return 0, nil, err
		}
		if ok {
			return n, nowhere, nil
		}
		<-q.wake
	}
}

// WriteTo sends to the peer, wherever it is.
func (q *queue) WriteTo(b []byte, _ net.Addr) (int, error) {
	q.mu.Lock()
	muted := q.muted
	if !muted {
		q.sent.note(b)
	}
	q.mu.Unlock()
	if !muted {
		q.send(b)
	}
	return len(b), nil
}

// Close ends a waiting ReadFrom. It may be called twice.
func (q *queue) Close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.drop()
	if q.timer != nil {
		q.timer.Stop()
		q.timer = nil
	}
	q.look()
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
