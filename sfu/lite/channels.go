package lite

import (
	"errors"
	"time"

	"github.com/turnout-rtc/turnout/sfu/lite/answer"
	"github.com/turnout-rtc/turnout/sfu/sctp"
	"github.com/turnout-rtc/turnout/sfu/sctp/dcep"
)

// longestLabel is how long the label or the protocol of a channel may be, in bytes. Ours are short.
const longestLabel = 1024

// closing is how many streams there may be for each channel that may be open: some are being closed, which takes a round trip.
const closing = 2

// channels are the data channels of one connection, over one SCTP association. All is guarded by the connection's mu.
type channels struct {
	// Set at construction, never changed.
	conn    *connection
	sctp    *sctp.Association
	largest int // bytes of a message that the peer takes; 0 is any

	all   map[uint16]*Channel // by stream; also those that we have closed and the peer has not
	begun bool                // the association was established
	ended bool                // nothing can be sent or received any more
	open  int                 // of all
	fresh int                 // of all: not known to be open at the peer
	high  int                 // channels above the threshold of OnDrain
}

func newChannels(c *connection, d *answer.Data) *channels {
	s := c.transport.server
	return &channels{
		conn: c, largest: int(d.MaxMessageSize), all: map[uint16]*Channel{},
		sctp: sctp.New(sctp.Config{
			MaxPacket: longestPacket, MaxMessage: s.cfg.Limits.Message, Window: s.cfg.Limits.Receive, Buffer: s.cfg.Limits.Send,
			Streams: closing * s.cfg.Limits.Channels,
			Memory:  s.pump.memory,
		}),
	}
}

// receive takes a packet of SCTP.
func (s *channels) receive(now time.Time, packet []byte) {
	s.sctp.Receive(now, packet)
	if d := s.sctp.Drops(); d != (sctp.Drops{}) {
		count := &s.conn.transport.server.count
		count.badPacket.Add(uint64(d.Packets))
		count.receiveFull.Add(uint64(d.Data))
		count.streamLimit.Add(uint64(d.Streams))
	}
	s.look()
}

// look takes what has happened to the association.
func (s *channels) look() {
	for e, ok := s.sctp.Next(); ok; e, ok = s.sctp.Next() {
		switch e := e.(type) {
		case sctp.Established:
			if s.begun { // the peer has begun anew, which a browser never does
				s.sctp.Abort()
				s.end()
			}
			s.begun = true
		case sctp.Message:
			s.message(e)
		case sctp.StreamReset:
			s.closed(e.Stream)
		case sctp.Ended:
			if errors.Is(e.Err, sctp.ErrMessage) {
				s.conn.transport.server.count.messageLimit.Add(1)
			}
			s.end()
		}
	}
	s.acknowledged()
	s.drained()
}

// acknowledged looks which channels are open at the peer, because our answer has arrived there.
func (s *channels) acknowledged() {
	if s.fresh == 0 {
		return
	}
	for _, c := range s.all {
		if c.fresh && s.sctp.Buffered(c.stream) == 0 {
			s.opened(c)
		}
	}
}

// opened has a channel told that is open at the peer. Not before: who hears of it may close another way to the peer, which would
// be without any for a moment.
func (s *channels) opened(c *Channel) {
	if c.fresh {
		c.fresh = false
		s.fresh--
		s.conn.tellLater(c, wasOpened)
	}
}

// message takes a message to its channel.
func (s *channels) message(m sctp.Message) {
	c := s.all[m.Stream]
	switch control := m.PPID == dcep.Control; {
	case control && c == nil:
		s.asked(m)
	case control: // nothing that we have asked for
	case c == nil:
		s.conn.transport.server.count.badChannel.Add(1)
	case c.state == isOpen:
		s.opened(c)
		c.arrived(m)
		return // Taken when its time comes
	}
	s.sctp.Taken(len(m.Data))
}

// asked opens the channel that the peer asks for, or closes its stream.
func (s *channels) asked(m sctp.Message) {
	count, limit := &s.conn.transport.server.count, s.conn.transport.server.cfg.Limits.Channels
	asked, err := dcep.ParseOpen(m.Data, longestLabel)
	switch {
	case err != nil:
		count.badChannel.Add(1)
	case s.open >= limit || len(s.all) >= closing*limit:
		count.channelLimit.Add(1)
	default:
		if s.sctp.Send(time.Time{}, m.Stream, dcep.Control, dcep.AppendAck(nil), sctp.Reliability{}) != nil {
			break
		}
		c := &Channel{conn: s.conn, stream: m.Stream, label: asked.Label, reliability: sctp.Reliability{
			Unordered: asked.Unordered, Limited: asked.Limited, MaxRetransmits: int(asked.MaxRetransmits), Lifetime: asked.Lifetime,
		}}
		s.all[m.Stream] = c
		s.open++
		c.fresh = true
		s.fresh++
		return
	}
	s.sctp.Reset(m.Stream)
}

// taken says that a message was delivered. A peer that waits for room is told.
func (s *channels) taken(n int) {
	s.sctp.Taken(n)
	if due, ok := s.sctp.Due(); ok && due.IsZero() {
		s.conn.transport.server.pump.mark(s.conn)
	}
}

// closed is the peer's end of a channel.
func (s *channels) closed(stream uint16) {
	c := s.all[stream]
	switch {
	case c == nil: // refused
	case c.state == isClosed:
		delete(s.all, stream)
	default:
		c.state = isClosing
		c.finish()
	}
}

// end is the end of the association, and of all channels after the messages that wait.
func (s *channels) end() {
	s.ended = true
	for stream := range s.all {
		s.closed(stream)
	}
}

// drained looks which channels have fallen to their threshold.
func (s *channels) drained() {
	if s.high == 0 {
		return
	}
	for _, c := range s.all {
		if c.high && s.sctp.Buffered(c.stream) <= c.threshold {
			c.high = false
			s.high--
			s.conn.tellLater(c, hasDrained)
		}
	}
}

// news is something to tell without a lock.
type news struct {
	channel *Channel
	what    happening
}

// happening is what happened to a channel.
type happening uint8

const (
	wasOpened happening = iota
	wasClosed
	hasDrained
)

// tellLater has something told when mu is not held any more. mu is held.
func (c *connection) tellLater(of *Channel, what happening) {
	if !c.closed {
		c.news = append(c.news, news{of, what})
	}
}

// tell tells what there is to tell, unless somebody does already: in order, one at a time.
func (c *connection) tell() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.news) > 0 && !c.telling && !c.closed {
		n := c.news[0]
		if c.news = c.news[1:]; len(c.news) == 0 {
			c.news = nil
		}
		drain := n.channel.drain
		c.telling = true
		c.mu.Unlock()
		switch n.what {
		case wasOpened:
			c.transport.emit(ChannelOpened{n.channel})
		case wasClosed:
			c.transport.emit(ChannelClosed{n.channel})
		case hasDrained:
			drain()
		}
		c.mu.Lock()
		c.telling = false
	}
}
