package lite

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/turnout-rtc/turnout/sfu/lite/record"
	"github.com/turnout-rtc/turnout/sfu/netio"
)

const (
	// longestPacket of SCTP: with its record, UDP and IPv6 it fits into 1280 bytes, which every path takes.
	longestPacket = 1191
	// pouring is how many packets of one peer are sent before it is another's turn.
	pouring = 64
	// repeatPause is between two repeats of the last flight. A peer waits a second before it asks (RFC 6347 §4.2.4.1).
	repeatPause = 500 * time.Millisecond
)

// connection is DTLS after its handshake: records, and the data channels in them. It has no goroutine: the reader of a socket
// opens what arrives, and who has a turn sends.
type connection struct {
	// Set at construction, never changed.
	transport *Transport
	flight    [][]byte // our last one, for a peer that lacks it; nil where the peer's was the last
	alarm     alarm    // the pump's

	marked atomic.Bool // the pump is to send what there is

	mu sync.Mutex
	// Guarded by mu.
	records  *record.Layer
	repeated time.Time // when flight was last sent again
	channels *channels // nil until the peer uses data channels
	alarmed  time.Time // when the alarm goes off; zero for never
	closed   bool      // by us: nothing is sent or told any more
	news     []news    // to be told, oldest first
	telling  bool      // somebody does
}

func newConnection(t *Transport, records *record.Layer) *connection {
	return &connection{transport: t, records: records}
}

// control takes over a datagram, and returns c if there is something to send.
func (c *connection) control(now time.Time, p netio.Packet) *connection {
	due := c.receive(now, p.Data)
	p.Release()
	if !due {
		return nil
	}
	return c
}

// receive opens the records of a datagram where they lie, and says whether there is something to send: then pour has to follow.
func (c *connection) receive(now time.Time, datagram []byte) (due bool) {
	var found findings
	c.mu.Lock()
	for len(datagram) > 0 && !c.closed && !found.ended {
		kind, content, rest, err := c.records.Open(datagram)
		datagram = rest
		if err != nil {
			c.count(err)
			continue
		}
		c.take(now, kind, content, &found)
	}
	if found.data && !c.isDue(now) { // nothing to send yet: an acknowledgement may wait
		found.data = false
		c.setAlarm(now)
	}
	told := len(c.news) > 0 && !found.data // else who pours tells
	c.mu.Unlock()
	if found.repeat {
		for _, b := range c.flight {
			c.transport.send(b)
		}
	}
	if found.ended {
		c.transport.end()
	}
	if told {
		c.tell()
	}
	return found.data
}

// findings are what a datagram asks for.
type findings struct {
	data   bool // data arrived
	repeat bool // the peer lacks our last flight
	ended  bool // the peer ended the connection
}

// take takes the content of a record. mu is held.
func (c *connection) take(now time.Time, kind record.Kind, content []byte, found *findings) {
	switch {
	case kind == record.Data:
		found.data = c.dataArrived(now, content) || found.data
	case kind == record.Alert && record.Ends(content):
		found.ended = true
		c.abandon()
	case kind == record.Handshake && record.Repeats(content) && now.Sub(c.repeated) >= repeatPause: // all else is renegotiation, which nobody needs
		c.repeated = now
		found.repeat = true
	}
}

// count counts a record that could not be opened.
func (c *connection) count(err error) {
	switch count := &c.transport.server.count; {
	case errors.Is(err, record.ErrEpoch): // the handshake's, sent again
	case errors.Is(err, record.ErrReplayed):
		count.replayed.Add(1)
	default:
		count.badRecord.Add(1)
	}
}

// dataArrived takes a packet of SCTP. mu is held.
func (c *connection) dataArrived(now time.Time, packet []byte) bool {
	if c.channels == nil {
		d := c.transport.data.Load()
		if d == nil {
			return false // not agreed on
		}
		c.channels = newChannels(c, d)
	}
	c.channels.receive(now, packet)
	return true
}

// pour sends what there is to send, and says whether there is something to tell. It does not flush: who does tells after it, so
// that a peer has been sent the answer to what others hear of.
func (c *connection) pour(now time.Time, out *Outlet) (told bool) {
	c.marked.Store(false)
	path, ok := c.transport.Path() // without one there will be another pour when there is
	c.mu.Lock()
	defer c.mu.Unlock()
	if ok && c.channels != nil && !c.closed {
		for range pouring {
			if !c.isDue(now) || !c.sendPacket(now, path, out) {
				break
			}
		}
		c.channels.look()
		c.setAlarm(now)
	}
	return len(c.news) > 0
}

// isDue says whether SCTP has something to send, or to look after. mu is held.
func (c *connection) isDue(now time.Time) bool {
	due, ok := c.channels.sctp.Due()
	return ok && !due.After(now)
}

// sendPacket sends one packet of SCTP, if there is one. mu is held.
func (c *connection) sendPacket(now time.Time, to Path, out *Outlet) bool {
	b := out.Slot(to, longestPacket+record.Overhead)
	n := c.channels.sctp.Poll(now, b[record.Prefix:][:longestPacket])
	if n == 0 {
		return false
	}
	n, err := c.records.Seal(b, record.Data, n)
	if err != nil { // there are no sequence numbers left
		c.abandon()
		return false
	}
	out.Commit(to, n)
	return true
}

// setAlarm has the pump pour when SCTP wants to. mu is held.
func (c *connection) setAlarm(now time.Time) {
	due, ok := c.channels.sctp.Due()
	switch {
	case !ok:
	case !due.After(now): // it had its share
		c.transport.server.pump.mark(c)
	case c.alarmed.IsZero() || due.Before(c.alarmed): // one that goes off too early finds nothing to do
		c.alarmed = due
		c.transport.server.pump.set(c, now, due)
	}
}

// alarmWentOff is the pump's word that there is no alarm any more.
func (c *connection) alarmWentOff() {
	c.mu.Lock()
	c.alarmed = time.Time{}
	c.mu.Unlock()
}

// abandon ends the data channels: nothing can be sent or received any more. mu is held.
func (c *connection) abandon() {
	if c.channels != nil {
		c.channels.end()
	}
}

// end is abandon for who does not hold mu.
func (c *connection) end() {
	c.mu.Lock()
	c.abandon()
	told := len(c.news) > 0
	c.mu.Unlock()
	if told {
		c.tell()
	}
}

// close ends the connection without a word to our side.
func (c *connection) close() {
	c.mu.Lock()
	first := !c.closed
	c.closed, c.news = true, nil
	c.mu.Unlock()
	if first {
		c.transport.server.pump.forget(c)
	}
}

// goodbye tells the peer that nothing follows.
func (c *connection) goodbye() {
	content := record.Goodbye()
	b := make([]byte, record.Overhead+len(content))
	copy(b[record.Prefix:], content[:])
	c.mu.Lock()
	n, err := c.records.Seal(b, record.Alert, len(content))
	c.mu.Unlock()
	if err == nil {
		c.transport.send(b[:n])
	}
}
