package lite

import (
	"bytes"
	"sync"
	"time"

	"github.com/pion/datachannel"
	"github.com/pion/dtls/v3"
	"github.com/pion/sctp"

	"github.com/turnout-rtc/turnout/sfu/lite/answer"
)

// opening is how long the first message of a new stream, which opens a channel (RFC 8832 §5.1), may take to be complete.
const opening = 10 * time.Second

// Channel is a data channel that the client opened (RFC 8831). Its methods may be called from any goroutine.
type Channel struct {
	// Set at construction, never changed.
	transport *Transport
	dc        *datachannel.DataChannel
	drained   chan struct{} // of capacity 1: BufferedAmount has fallen to the threshold
	done      chan struct{} // closed when the channel is gone
	end       func()        // closes done, once

	ready   chan struct{}  // closed when handler is set
	handler func(b []byte) // set before ready is closed, never changed
}

// serve runs SCTP over conn and accepts data channels until it is closed.
func (t *Transport) serve(conn *dtls.Conn, d *answer.Data) {
	options := []sctp.ServerOption{sctp.WithNetConn(conn), sctp.WithLoggerFactory(quiet{}), sctp.WithName("lite")}
	if d.MaxMessageSize > 0 {
		options = append(options, sctp.WithMaxMessageSize(d.MaxMessageSize))
	}
	a, err := sctp.ServerWithOptions(options...)
	if err != nil {
		return // DTLS was closed
	}
	for {
		s, err := a.AcceptStream()
		if err != nil {
			break
		}
		t.open(s)
	}
	_ = a.Close()
}

// open makes a channel of a stream that the client has sent on, or closes it.
func (t *Transport) open(s *sctp.Stream) {
	if !t.countChannel(1) {
		t.server.count.channelLimit.Add(1)
		_ = s.Close()
		return
	}
	_ = s.SetReadDeadline(time.Now().Add(opening))
	dc, err := datachannel.Server(s, &datachannel.Config{LoggerFactory: quiet{}})
	_ = s.SetReadDeadline(time.Time{}) // also after an error: a goroutine of sctp's waits for the deadline
	if err != nil {
		_ = s.Close()
		t.countChannel(-1)
		return
	}
	s.SetDefaultPayloadType(sctp.PayloadTypeWebRTCBinary)
	c := &Channel{transport: t, dc: dc, drained: make(chan struct{}, 1), done: make(chan struct{}), ready: make(chan struct{})}
	c.end = sync.OnceFunc(func() { close(c.done) })
	if !t.server.start(t, c.read) {
		_ = dc.Close()
	}
}

// countChannel keeps the number of channels, and says false if one more is too many.
func (t *Transport) countChannel(n int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n > 0 && t.life.channels >= t.server.cfg.Limits.Channels {
		return false
	}
	t.life.channels += n
	return true
}

// read is the channel's goroutine. Until there is a handler nothing is read: SCTP's flow control bounds what waits.
func (c *Channel) read() {
	c.announce(ChannelOpened{c})
	select {
	case <-c.ready:
		c.deliver()
	case <-c.done:
	case <-c.transport.ctx.Done():
	}
	_ = c.dc.Close()
	c.end()
	c.transport.countChannel(-1)
	c.announce(ChannelClosed{c})
}

func (c *Channel) announce(e Event) {
	if c.transport.ctx.Err() == nil {
		c.transport.emit(e)
	}
}

// deliver hands over messages until the channel is closed, or the peer sends one that is longer than was agreed on.
func (c *Channel) deliver() {
	buf := make([]byte, c.transport.server.cfg.Limits.Message)
	for {
		n, err := c.dc.Read(buf)
		if err != nil {
			return
		}
		c.handler(bytes.Clone(buf[:n]))
	}
}

// Label as the client named it.
func (c *Channel) Label() string { return c.dc.Label }

// Send queues one binary message. It keeps nothing of b after it has returned and does not block: the caller bounds what it
// sends by BufferedAmount.
func (c *Channel) Send(b []byte) error {
	_, err := c.dc.Write(b)
	return err
}

// BufferedAmount is the number of bytes queued and not yet acknowledged by the peer.
func (c *Channel) BufferedAmount() uint64 { return c.dc.BufferedAmount() }

// OnMessage calls f for every message, one at a time, from a goroutine of the channel's own. b is f's to keep. Messages that
// arrived earlier are delivered first. To be called once.
func (c *Channel) OnMessage(f func(b []byte)) {
	c.handler = f
	close(c.ready)
}

// OnDrain calls f, from a goroutine of the channel's own, each time BufferedAmount falls to threshold or below it. To be
// called once.
func (c *Channel) OnDrain(threshold uint64, f func()) {
	c.transport.server.start(c.transport, func() { c.drain(f) })
	c.dc.SetBufferedAmountLowThreshold(threshold)
	c.dc.OnBufferedAmountLow(func() {
		select {
		case c.drained <- struct{}{}:
		default: // a call is on its way already
		}
	})
}

func (c *Channel) drain(f func()) {
	for {
		select {
		case <-c.drained:
			f()
		case <-c.done:
			return
		case <-c.transport.ctx.Done():
			return
		}
	}
}

// Close closes the channel. It may be called twice.
func (c *Channel) Close() error {
	c.end()
	return c.dc.Close()
}
