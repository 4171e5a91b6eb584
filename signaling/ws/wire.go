package ws

import "errors"

// ErrWireClosed is what a Wire's Send returns after Close.
var ErrWireClosed = errors.New("ws: the wire is closed")

// Wire carries binary messages that are not the Conn's own business and can end before it does (docs/reference/data.md §1: an
// empty message says so). It has what datachannel.Conn asks for. A Conn has at most one that is open.
type Wire struct {
	conn *Conn // never changed

	closed bool // Guarded by conn.mu.
}

// drain is whom to tell when Conn.buffered falls to a threshold.
type drain struct {
	threshold int
	tell      func() // nil: nobody
}

// OpenWire begins a wire, in the place of the one before.
func (c *Conn) OpenWire() *Wire {
	w := &Wire{conn: c}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wire != nil {
		c.wire.closed = true
	}
	c.wire, c.drain = w, drain{}
	return w
}

// Send queues a message.
func (w *Wire) Send(b []byte) error {
	c := w.conn
	c.mu.Lock()
	if w.closed || c.over() {
		c.mu.Unlock()
		return ErrWireClosed
	}
	wake := c.queued(c.pending.pushMessage(b))
	c.mu.Unlock()
	if wake {
		c.Wake()
	}
	return nil
}

// BufferedAmount is the number of bytes that wait to be written.
func (w *Wire) BufferedAmount() uint64 { return uint64(w.conn.Buffered()) }

// OnDrain calls f, from the writer's goroutine, each time BufferedAmount falls to threshold or below it.
func (w *Wire) OnDrain(threshold uint64, f func()) {
	w.conn.mu.Lock()
	defer w.conn.mu.Unlock()
	if w.conn.wire == w {
		w.conn.drain = drain{int(threshold), f}
	}
}

// Close says to the other side that the wire is closed, behind what was sent. It may be called twice.
func (w *Wire) Close() error {
	c := w.conn
	c.mu.Lock()
	wake := !w.closed && c.queued(c.pending.pushMessage(nil))
	w.closed = true
	c.mu.Unlock()
	if wake {
		c.Wake()
	}
	return nil
}

// Drop ends the wire without a word: the other side has closed it.
func (w *Wire) Drop() {
	w.conn.mu.Lock()
	defer w.conn.mu.Unlock()
	w.closed = true
}

// Open says whether neither side has closed the wire.
func (w *Wire) Open() bool {
	w.conn.mu.Lock()
	defer w.conn.mu.Unlock()
	return !w.closed
}
