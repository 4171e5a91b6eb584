package sfu

import (
	"github.com/turnout-rtc/turnout/sfu/link"
)

// DataChannel is a data channel that the client opened (RFC 8831).
type DataChannel struct{ channel link.Channel }

// Label as the client named it.
func (c *DataChannel) Label() string { return c.channel.Label() }

// Send queues one binary message. It keeps nothing of b after it has returned and does not block: the caller bounds what it
// sends by BufferedAmount.
func (c *DataChannel) Send(b []byte) error { return c.channel.Send(b) }

// BufferedAmount is the number of bytes queued and not yet handed to the network.
func (c *DataChannel) BufferedAmount() uint64 { return c.channel.BufferedAmount() }

// OnDrain calls f, from a goroutine of the channel's own, each time BufferedAmount falls to threshold or below it. To be
// called once.
func (c *DataChannel) OnDrain(threshold uint64, f func()) { c.channel.OnDrain(threshold, f) }

// OnMessage calls f for every message, one at a time, from a goroutine of the channel's own. b is f's to keep. Messages
// that arrived earlier are delivered first. To be called once.
func (c *DataChannel) OnMessage(f func(b []byte)) { c.channel.OnMessage(f) }

// Close closes the channel.
func (c *DataChannel) Close() error { return c.channel.Close() }

// addChannel hands over a channel that is open.
func (t *Transport) addChannel(c link.Channel) {
	d := &DataChannel{c}
	t.channels[c] = d
	t.tell(DataChannelOpened{d})
}

// removeChannel tells that a channel is gone.
func (t *Transport) removeChannel(c link.Channel) {
	if d := t.channels[c]; d != nil {
		delete(t.channels, c)
		t.tell(DataChannelClosed{d})
	}
}
