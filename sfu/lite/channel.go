package lite

import (
	"errors"
	"time"

	"github.com/turnout-rtc/turnout/sfu/sctp"
	"github.com/turnout-rtc/turnout/sfu/sctp/dcep"
)

// ErrMessageSize says that a message is longer than the peer takes.
var ErrMessageSize = errors.New("lite: the message is longer than the peer takes: send it in parts")

// Channel is a data channel that the client opened (RFC 8831). Its methods may be called from any goroutine.
type Channel struct {
	// Set at construction, never changed.
	conn        *connection
	stream      uint16
	label       string
	reliability sctp.Reliability

	// Guarded by conn.mu.
	state      channelState
	fresh      bool           // not told yet
	handler    func(b []byte) // nil until OnMessage
	waiting    []message      // for handler; SCTP's window bounds them
	delivering bool           // deliver runs
	drain      func()         // nil until OnDrain
	threshold  int            // bytes
	high       bool           // above it
}

// channelState is how far a channel has come.
type channelState uint8

const (
	isOpen    channelState = iota
	isClosing              // by the peer; what waits is still delivered
	isClosed
)

// message is one that waits to be delivered.
type message struct {
	b    []byte
	size int // as SCTP counts it
}

// arrived takes a message. conn.mu is held.
func (c *Channel) arrived(m sctp.Message) {
	b := m.Data
	if m.PPID == dcep.StringEmpty || m.PPID == dcep.BinaryEmpty {
		b = b[:0]
	}
	c.waiting = append(c.waiting, message{b, len(m.Data)})
	c.startDelivering()
}

// startDelivering has a goroutine deliver as long as there are messages. conn.mu is held.
func (c *Channel) startDelivering() {
	if c.handler == nil || c.delivering || len(c.waiting) == 0 || c.conn.closed {
		return
	}
	c.delivering = true
	c.conn.transport.server.running.Go(c.deliver) // Close of the transport, which sets closed, comes before the server waits
}

// deliver is the channel's goroutine while messages wait.
func (c *Channel) deliver() {
	for size := 0; ; {
		m, ok := c.nextMessage(size)
		if !ok {
			return
		}
		c.handler(m.b)
		size = m.size
	}
}

// nextMessage is the next one to deliver, after one of a size was: the window opens by that.
func (c *Channel) nextMessage(delivered int) (message, bool) {
	k := c.conn
	k.mu.Lock()
	if delivered > 0 {
		k.channels.taken(delivered)
	}
	if len(c.waiting) > 0 && !k.closed {
		m := c.waiting[0]
		c.waiting[0] = message{}
		c.waiting = c.waiting[1:]
		k.mu.Unlock()
		return m, true
	}
	c.waiting, c.delivering = nil, false
	c.finish()
	told := len(k.news) > 0
	k.mu.Unlock()
	if told {
		k.tell()
	}
	return message{}, false
}

// finish ends a channel that is closing, when nothing waits any more. conn.mu is held.
func (c *Channel) finish() {
	if c.state != isClosing || c.delivering || len(c.waiting) > 0 {
		return
	}
	delete(c.conn.channels.all, c.stream)
	c.over()
}

// over has the channel closed from our side. conn.mu is held.
func (c *Channel) over() {
	k := c.conn
	c.state = isClosed
	k.channels.open--
	if c.high {
		c.high = false
		k.channels.high--
	}
	for _, m := range c.waiting {
		k.channels.sctp.Taken(m.size)
	}
	c.waiting = nil
	if !k.channels.ended {
		k.channels.sctp.Reset(c.stream)
		k.transport.server.pump.mark(k)
	}
	if c.fresh { // nobody knows of it
		c.fresh = false
		k.channels.fresh--
		return
	}
	k.tellLater(c, wasClosed)
}

// Label as the client named it.
func (c *Channel) Label() string { return c.label }

// Send queues one binary message. It keeps nothing of b after it has returned and does not block: the caller bounds what it
// sends by BufferedAmount.
func (c *Channel) Send(b []byte) error {
	k := c.conn
	k.mu.Lock()
	err := c.queue(b)
	k.mu.Unlock()
	if err == nil {
		k.transport.server.pump.mark(k)
	}
	return err
}

// queue hands a message to SCTP. conn.mu is held.
func (c *Channel) queue(b []byte) error {
	k := c.conn
	switch {
	case c.state != isOpen || k.closed:
		return ErrClosed
	case k.channels.largest > 0 && len(b) > k.channels.largest:
		return ErrMessageSize
	}
	var now time.Time
	if c.reliability.Lifetime > 0 {
		now = time.Now()
	}
	ppid := dcep.Binary
	if len(b) == 0 {
		ppid, b = dcep.BinaryEmpty, []byte{0}
	}
	if err := k.channels.sctp.Send(now, c.stream, ppid, b, c.reliability); err != nil {
		if errors.Is(err, sctp.ErrBuffer) {
			k.transport.server.count.sendFull.Add(1)
		}
		return err
	}
	if c.drain != nil && !c.high && k.channels.sctp.Buffered(c.stream) > c.threshold {
		c.high = true
		k.channels.high++
	}
	return nil
}

// BufferedAmount is the number of bytes queued and not yet acknowledged by the peer.
func (c *Channel) BufferedAmount() uint64 {
	k := c.conn
	k.mu.Lock()
	defer k.mu.Unlock()
	if c.state != isOpen {
		return 0
	}
	return uint64(k.channels.sctp.Buffered(c.stream))
}

// OnMessage calls f for every message, one at a time, from a goroutine of the channel's own. b is f's to keep. Messages that
// arrived earlier are delivered first. To be called once.
func (c *Channel) OnMessage(f func(b []byte)) {
	c.conn.mu.Lock()
	defer c.conn.mu.Unlock()
	c.handler = f
	c.startDelivering()
}

// OnDrain calls f each time BufferedAmount falls to threshold or below it, from a goroutine that must not be made to wait. To
// be called once.
func (c *Channel) OnDrain(threshold uint64, f func()) {
	c.conn.mu.Lock()
	defer c.conn.mu.Unlock()
	c.threshold, c.drain = int(threshold), f
}

// Close closes the channel; messages that wait are not delivered any more. It may be called twice.
func (c *Channel) Close() error {
	k := c.conn
	k.mu.Lock()
	switch {
	case c.state == isOpen && !k.closed:
		c.over() // the peer closes its end as well, until then the stream is not free
	case c.state == isClosing && !k.closed:
		delete(k.channels.all, c.stream)
		c.over()
	}
	told := len(k.news) > 0
	k.mu.Unlock()
	if told {
		k.tell()
	}
	return nil
}
