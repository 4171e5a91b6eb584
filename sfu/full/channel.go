package full

import (
	"sync"

	"github.com/pion/webrtc/v4"

	"github.com/turnout-rtc/turnout/sfu/link"
)

// Channel is a data channel that the client opened. Its methods may be called from any goroutine.
type Channel struct {
	// Set at construction, never changed.
	dc      *webrtc.DataChannel
	peer    *Peer
	drained chan struct{} // of capacity 1: BufferedAmount has fallen to the threshold
	closed  chan struct{}
	end     func() // closes closed, once

	ready   chan struct{}  // closed when handler is set
	handler func(b []byte) // set before ready is closed, never changed
}

// openChannel reports d once it is open, and again when it is closed.
func openChannel(p *Peer, d *webrtc.DataChannel, on link.Handlers) {
	c := &Channel{
		dc:      d,
		peer:    p,
		drained: make(chan struct{}, 1),
		closed:  make(chan struct{}),
		ready:   make(chan struct{}),
	}
	c.end = sync.OnceFunc(func() { close(c.closed) })
	d.OnMessage(c.deliver)
	d.OnOpen(func() { on.Channel(c) })
	d.OnClose(func() {
		c.end()
		on.ChannelClosed(c)
	})
}

// deliver runs on the goroutine that reads the channel. Until there is a handler it is held there: SCTP's flow control then
// bounds what waits.
func (c *Channel) deliver(m webrtc.DataChannelMessage) {
	select {
	case <-c.ready:
		c.handler(m.Data)
	default:
		select {
		case <-c.ready:
			c.handler(m.Data)
		case <-c.closed:
		case <-c.peer.done:
		}
	}
}

// Label as the client named it.
func (c *Channel) Label() string { return c.dc.Label() }

// Send queues one binary message and does not block.
func (c *Channel) Send(b []byte) error { return c.dc.Send(b) }

// BufferedAmount is the number of bytes queued and not yet handed to the network.
func (c *Channel) BufferedAmount() uint64 { return c.dc.BufferedAmount() }

// OnMessage calls f for every message, one at a time. To be called once.
func (c *Channel) OnMessage(f func(b []byte)) {
	c.handler = f
	close(c.ready)
}

// OnDrain calls f, one call at a time, when BufferedAmount has fallen to threshold or below it. To be called once.
func (c *Channel) OnDrain(threshold uint64, f func()) {
	if !c.peer.start(func() { c.drain(f) }) {
		return
	}
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
		case <-c.closed:
			return
		case <-c.peer.done:
			return
		}
	}
}

// Close closes the channel.
func (c *Channel) Close() error {
	c.end()
	return c.dc.Close()
}
