package signaling

import (
	"time"

	"github.com/turnout-rtc/turnout/datachannel"
	"github.com/turnout-rtc/turnout/sfu"
	"github.com/turnout-rtc/turnout/signaling/protocol"
	"github.com/turnout-rtc/turnout/signaling/room"
)

// restartPatience is how long a failed transport may take to restart before a new one is asked for. A restart takes two round
// trips and a few checks (RFC 8445 §14.3: the client gives up a check after some 8 s of silence).
const restartPatience = 10 * time.Second

// Labels of the data channels that clients open (docs/reference/signaling.md §5).
const (
	labelReliable = "turnout.reliable"
	labelLossy    = "turnout.lossy"
)

// offer checks an offer against the room and gives it to the transport. Its SDP stays here.
func (l *loop) offer(m request, d protocol.Offer) {
	out, err := l.state.Apply(time.Now(), room.Offer{By: m.sid, Transport: d.Transport, Rev: d.Rev, Publications: d.Publications})
	if err != nil {
		l.replyError(m.sid, m.re, err)
		return
	}
	l.doing = doing{re: m.re, sdp: d.SDP}
	l.carryOut(out, nil)
	l.doing = doing{}
}

func (l *loop) replaceTransport(e room.ReplaceTransport) {
	m := l.members[e.SID]
	for _, o := range m.offers {
		l.replyError(e.SID, o.re, &protocol.Error{Code: protocol.MediaFailed, Message: "a newer transport took the place of this one", Hint: "wait for the answer to the newer offer"})
	}
	l.dropTransport(m)
	m.number = e.Transport
	t, err := l.router.NewTransport(string(e.SID), func(event sfu.Event) {
		l.post(mediaEvent{sid: e.SID, number: e.Transport, event: event})
	})
	if err != nil {
		l.log.Error("no transport", "participant", e.SID, "error", err)
		return // negotiate refuses the offer
	}
	m.transport = t
}

// dropTransport ends a member's media.
func (l *loop) dropTransport(m *member) {
	m.offers, m.restartUntil = nil, time.Time{}
	if m.transport == nil {
		return
	}
	m.transport.Close()
	m.transport = nil
	for c, wire := range m.wires {
		wire.Detach()
		delete(m.wires, c)
	}
	for id, p := range l.published {
		if p.owner == m {
			delete(l.published, id)
		}
	}
}

func (l *loop) negotiate(e room.Negotiate) {
	m := l.members[e.SID]
	if m.transport == nil {
		re := l.doing.re
		l.apply(room.Refused{By: e.SID, Transport: e.Transport, Rev: e.Rev}, 0)
		l.replyError(e.SID, re, &protocol.Error{Code: protocol.MediaFailed, Message: "the server could not make a transport", Hint: "make a new RTCPeerConnection and offer again", Retryable: true})
		return
	}
	o := sfu.Offer{Rev: e.Rev, SDP: l.doing.sdp}
	for _, p := range e.Publications {
		o.Publications = append(o.Publications, sfu.Announcement{MID: p.MID, ID: string(p.ID), Paused: p.Paused})
	}
	m.offers = append(m.offers, waitingOffer{rev: e.Rev, re: l.doing.re})
	m.transport.Negotiate(o)
}

func (e mediaEvent) handle(l *loop) {
	m := l.members[e.sid]
	if m == nil || m.number != e.number {
		return // of a transport that is gone
	}
	switch d := e.event.(type) {
	case sfu.Answered:
		l.answered(e.sid, m, d)
	case sfu.Refused:
		l.refused(e.sid, m, d)
	case sfu.StateChanged:
		l.stateChanged(e.sid, m, d.State)
	case sfu.SlotsWanted:
		m.slots++
		l.send(e.sid, protocol.Slots{Rev: m.slots, Audio: d.Audio, Video: d.Video})
	case sfu.SlotsChanged:
		m.slotMaps++
		shown := protocol.SlotMap{Version: m.slotMaps}
		for _, s := range d.Shown {
			shown.Slots = append(shown.Slots, protocol.Shown{Slot: s.Slot, Publication: s.Publication})
		}
		l.send(e.sid, shown)
	case sfu.DataChannelOpened:
		m.attach(d.Channel)
	case sfu.DataChannelClosed:
		if wire := m.wires[d.Channel]; wire != nil {
			wire.Detach()
			delete(m.wires, d.Channel)
		}
	}
	l.removeFull()
}

func (l *loop) answered(sid room.SID, m *member, d sfu.Answered) {
	a := protocol.Answer{Transport: m.number, Rev: d.Rev, SDP: d.SDP}
	for _, s := range d.Slots {
		a.Slots = append(a.Slots, protocol.Slot{MID: s.MID, Slot: s.ID, Kind: protocol.Kind(s.Kind)})
	}
	l.reply(sid, m.answer(d.Rev), a)
	c := room.Answered{By: sid, Transport: m.number, Rev: d.Rev}
	for _, p := range d.Published {
		id := room.PublicationID(p.ID())
		l.published[id] = publication{Publication: p, owner: m}
		c.Published = append(c.Published, room.Track{ID: id, Kind: protocol.Kind(p.Kind())})
	}
	l.apply(c, 0)
}

func (l *loop) refused(sid room.SID, m *member, d sfu.Refused) {
	re := m.answer(d.Rev)
	l.apply(room.Refused{By: sid, Transport: m.number, Rev: d.Rev}, 0)
	l.replyError(sid, re, &protocol.Error{Code: protocol.Code(d.Err.Code), Message: d.Err.Message, Hint: "roll back, mend the offer and send it with a higher rev", Retryable: d.Err.Code == sfu.ErrFailed})
	if d.Fatal {
		l.startAnew(sid, m)
	}
}

// startAnew asks for a new transport. Whoever cannot be asked is removed.
func (l *loop) startAnew(sid room.SID, m *member) {
	if m.connect > 0 {
		l.expel(sid, protocol.ConnectionLost, "the media connection was lost")
		return
	}
	l.send(sid, protocol.NeedOffer{Reason: protocol.NewTransport})
}

// answer takes the oldest offer of a rev off the list and returns the request that it was. Offers are answered in order.
func (m *member) answer(rev int) uint64 {
	for i, o := range m.offers {
		if o.rev == rev {
			m.offers = append(m.offers[:i], m.offers[i+1:]...)
			return o.re
		}
	}
	return 0
}

func (l *loop) stateChanged(sid room.SID, m *member, s sfu.State) {
	switch s {
	case sfu.StateFailed:
		l.send(sid, protocol.NeedOffer{Reason: protocol.ICERestart})
		m.restartUntil = time.Now().Add(restartPatience)
		l.alarm.set(m.restartUntil)
	case sfu.StateConnected:
		m.restartUntil, m.connectUntil = time.Time{}, time.Time{}
	case sfu.StateNew, sfu.StateConnecting, sfu.StateDisconnected, sfu.StateClosed: // may come back by itself, or was our doing
	}
	if m.connect > 0 {
		l.presentByMedia(sid, s)
	}
}

// presentByMedia is for who has no WebSocket: what becomes of the media connection is all that is known of the client.
func (l *loop) presentByMedia(sid room.SID, s sfu.State) {
	switch s {
	case sfu.StateConnected:
		l.apply(room.Attach{SID: sid}, 0)
	case sfu.StateDisconnected, sfu.StateFailed:
		l.apply(room.Detach{SID: sid}, 0)
	case sfu.StateClosed: // by the client, or DTLS failed
		l.expel(sid, protocol.Left, "the client has closed the connection")
	case sfu.StateNew, sfu.StateConnecting:
	}
}

func laneOf(c *sfu.DataChannel) (datachannel.Lane, bool) {
	switch c.Label() {
	case labelReliable:
		return datachannel.Reliable, true
	case labelLossy:
		return datachannel.Lossy, true
	default:
		return 0, false
	}
}

// attach joins a data channel to the data plane. Receive blocks the channel's own goroutine when the room is busy.
func (m *member) attach(c *sfu.DataChannel) {
	lane, ok := laneOf(c)
	if !ok {
		_ = c.Close() // nobody would ever read it
		return
	}
	wire := m.data.Attach(lane, c)
	m.wires[c] = wire
	c.OnMessage(wire.Receive)
}
