// Package handover carries what TURN relays to the SFU of the same process, and what comes back, in memory: with turn.relay.mode
// self no relay port is opened. To the SFU a relayed client looks like one of ICE-TCP (RFC 6544), with a pipe in place of a
// connection.
package handover

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
)

const (
	waiting = 256     // datagrams of one client that wait for the SFU; more are dropped
	prefix  = 2       // bytes of length before each (RFC 4571)
	longest = 1 << 11 // bytes of a datagram from the SFU; what is longer ends the way
)

// Carrier knows the ways between the two planes.
type Carrier struct {
	// Set at construction, never changed.
	adopt func(net.Conn) error

	deliver atomic.Pointer[func(b []byte, from, to netip.AddrPort) bool]
	dropped atomic.Uint64
	running sync.WaitGroup // two goroutines a way; added to under mu

	mu   sync.Mutex
	ways map[ends]*way // guarded by mu; nil once closed
}

// ends are a client's relayed address and the SFU's that it speaks to.
type ends struct{ client, media netip.AddrPort }

// way is one client's.
type way struct {
	carrier *Carrier
	ends    ends
	conn    net.Conn    // our end of the pipe
	queue   chan []byte // with their prefixes
	gone    chan struct{}
	once    sync.Once
}

// New makes a carrier that has the SFU adopt a connection for each client: adopt returns at once and owns what it is given.
func New(adopt func(net.Conn) error) *Carrier {
	return &Carrier{adopt: adopt, ways: map[ends]*way{}}
}

// Deliver sets where what the SFU sends is given to; it says whether the client is still there. What Take takes before waits.
func (c *Carrier) Deliver(f func(b []byte, from, to netip.AddrPort) bool) { c.deliver.Store(&f) }

// Take takes datagram b of a client to an address of the SFU's. It keeps nothing of b and does not wait.
func (c *Carrier) Take(b []byte, from, to netip.AddrPort) {
	w := c.way(ends{from, to})
	if w == nil || len(b) == 0 || len(b) > longest {
		c.dropped.Add(1)
		return
	}
	framed := binary.BigEndian.AppendUint16(make([]byte, 0, prefix+len(b)), uint16(len(b)))
	select {
	case w.queue <- append(framed, b...):
	default:
		c.dropped.Add(1)
	}
}

// way returns the one between two ends, a new one if there is none, or nil if the SFU wants no more.
func (c *Carrier) way(e ends) *way {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w := c.ways[e]; w != nil || c.ways == nil {
		return w
	}
	ours, theirs := net.Pipe()
	if c.adopt(named{theirs, e}) != nil {
		return nil
	}
	w := &way{carrier: c, ends: e, conn: ours, queue: make(chan []byte, waiting), gone: make(chan struct{})}
	c.ways[e] = w
	c.running.Go(w.write)
	c.running.Go(w.read)
	return w
}

// end closes a way, once.
func (w *way) end() {
	w.once.Do(func() {
		close(w.gone)
		_ = w.conn.Close() // a pipe does not fail
		w.carrier.mu.Lock()
		defer w.carrier.mu.Unlock()
		delete(w.carrier.ways, w.ends)
	})
}

func (w *way) write() {
	defer w.end()
	for {
		select {
		case b := <-w.queue:
			if _, err := w.conn.Write(b); err != nil {
				return
			}
		case <-w.gone:
			return
		}
	}
}

func (w *way) read() {
	defer w.end()
	in, b := bufio.NewReader(w.conn), make([]byte, longest)
	for {
		if _, err := io.ReadFull(in, b[:prefix]); err != nil {
			return
		}
		n := int(binary.BigEndian.Uint16(b))
		if n > longest {
			w.carrier.dropped.Add(1)
			return
		}
		if _, err := io.ReadFull(in, b[:n]); err != nil {
			return
		}
		if f := w.carrier.deliver.Load(); f == nil || !(*f)(b[:n], w.ends.media, w.ends.client) {
			return // the allocation is gone
		}
	}
}

// Stats of a carrier.
type Stats struct {
	Clients int64  // now
	Dropped uint64 // datagrams of clients that did not reach the SFU: it was slow, or wants no more clients
}

// Stats may be called from any goroutine.
func (c *Carrier) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Stats{Clients: int64(len(c.ways)), Dropped: c.dropped.Load()}
}

// Close ends all ways and waits for their goroutines. It may be called twice.
func (c *Carrier) Close() {
	c.mu.Lock()
	ways := c.ways
	c.ways = nil
	c.mu.Unlock()
	for _, w := range ways {
		w.end()
	}
	c.running.Wait()
}

// named is an end of a pipe with the addresses of whom it stands for.
type named struct {
	net.Conn
	ends ends
}

// LocalAddr is the SFU's.
func (n named) LocalAddr() net.Addr { return net.TCPAddrFromAddrPort(n.ends.media) }

// RemoteAddr is the client's relayed one.
func (n named) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(n.ends.client) }
