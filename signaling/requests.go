package signaling

import (
	"errors"
	"time"

	"github.com/turnout-rtc/turnout/datachannel"
	"github.com/turnout-rtc/turnout/sfu"
	"github.com/turnout-rtc/turnout/signaling/protocol"
	"github.com/turnout-rtc/turnout/signaling/room"
	"github.com/turnout-rtc/turnout/signaling/visit"
)

func (m enter) handle(l *loop) {
	auto := m.join.AutoSubscribe == nil || *m.join.AutoSubscribe
	t := m.token
	out, err := l.state.Apply(time.Now(), room.Join{
		SID: m.session.sid, Identity: t.Identity, Name: t.Name, Metadata: t.Metadata, Attributes: t.Attributes,
		Permissions: t.Grants.Permissions, MayUpdate: t.Grants.Update, AutoSubscribe: auto,
	})
	if err == nil {
		l.emptyAt = time.Time{}
		l.carryOut(out, &m)
		l.log.Info("participant joined", "participant", m.session.sid, "identity", t.Identity, "client", m.join.Client.Name)
	}
	m.outcome <- err
}

// welcome makes the handles of a new participant and tells it.
func (l *loop) welcome(e room.Welcome, by *enter) {
	g := by.token.Grants
	m := &member{identity: e.Self.Identity, session: by.session, connect: by.connect, wires: map[*sfu.DataChannel]*datachannel.Wire{}}
	m.data = l.hub.Join(e.Self.Identity, visit.Grants(g))
	m.session.data = m.data
	l.members[e.SID] = m
	if m.connect > 0 {
		m.connectUntil = time.Now().Add(m.connect)
		l.alarm.set(m.connectUntil)
	}
	l.srv.sessions.Fill(by.session.id, inRoom{session: by.session, room: l}) // they are never shut
	l.srv.count.joins.Add(1)
	l.srv.count.participants.Add(1)
	cfg := l.srv.cfg
	l.push(e.SID, m, protocol.EncodeBody(protocol.Joined{
		Session:     protocol.SessionGrant{ID: by.session.id, Secret: by.session.secret, GraceMs: cfg.Grace.Milliseconds()},
		Room:        protocol.Room{Name: l.name},
		Self:        e.Self,
		Permissions: e.Permissions, Participants: e.Others,
		ICEServers: l.iceServers(m),
		Heartbeat:  protocol.Heartbeat{IntervalMs: cfg.Heartbeat.Milliseconds(), TimeoutMs: cfg.Timeout.Milliseconds()},
		Slots:      protocol.SlotCount{Audio: cfg.AudioSlots, Video: cfg.VideoSlots},
		Limits:     protocol.Limits{MessageBytes: cfg.MessageBytes, Publications: cfg.MaxPublications},
		Server:     protocol.Server{Version: l.srv.version},
	}), by.re)
}

func (m request) handle(l *loop) {
	at := l.members[m.sid]
	if at == nil {
		return // it was removed while this was on its way
	}
	switch d := m.message.(type) {
	case protocol.Offer:
		l.offer(m, d)
	case protocol.Ready:
		if at.transport != nil {
			at.transport.Ready(d.Rev)
		}
	case protocol.Candidate:
		if at.transport != nil {
			at.transport.AddCandidate(sfu.Candidate{Candidate: d.Candidate, SDPMid: d.SDPMid, SDPMLineIndex: d.SDPMLineIndex, UsernameFragment: d.UsernameFragment})
		}
	case protocol.Leave:
		l.apply(room.Leave{SID: m.sid, Reason: protocol.Left}, m.re)
	default:
		l.change(m)
	}
}

// change carries out a request that is answered by ok.
func (l *loop) change(m request) {
	c, ok := asCommand(m.sid, m.message)
	if !ok {
		l.replyError(m.sid, m.re, &protocol.Error{Code: protocol.Malformed, Message: "join and resume are for the beginning of a WebSocket", Hint: "see the signaling protocol page"})
		return
	}
	out, err := l.state.Apply(time.Now(), c)
	if err != nil {
		l.replyError(m.sid, m.re, err)
		return
	}
	l.reply(m.sid, m.re, protocol.OK{}) // first: what follows may remove its sender
	l.carryOut(out, nil)
}

func asCommand(by room.SID, m protocol.ClientMessage) (room.Command, bool) {
	switch d := m.(type) {
	case protocol.Unpublish:
		return room.Unpublish{By: by, ID: room.PublicationID(d.ID)}, true
	case protocol.Mute:
		return room.Mute{By: by, ID: room.PublicationID(d.ID), Muted: d.Muted}, true
	case protocol.Subscribe:
		return room.Subscribe{By: by, ID: room.PublicationID(d.ID), Subscribed: d.Subscribed}, true
	case protocol.Update:
		return room.Update{By: by, Update: d}, true
	case protocol.Kick:
		return room.Kick{By: by, Identity: d.Identity, Reason: d.Reason}, true
	case protocol.EndRoom:
		return room.End{By: by, Reason: d.Reason}, true
	default:
		return nil, false
	}
}

// reply answers request re; 0 wanted no answer.
func (l *loop) reply(sid room.SID, re uint64, m protocol.ServerMessage) {
	if at := l.members[sid]; at != nil && re != 0 {
		l.push(sid, at, protocol.EncodeBody(m), re)
	}
}

func (l *loop) replyError(sid room.SID, re uint64, err error) {
	var fault *protocol.Error
	if !errors.As(err, &fault) {
		l.log.Error("a request failed", "participant", sid, "error", err)
		fault = &protocol.Error{Code: protocol.ServerInternal, Message: "the server failed", Hint: "try again", Retryable: true}
	}
	l.srv.count.errors.add(string(fault.Code))
	l.reply(sid, re, fault)
}

func (l *loop) send(sid room.SID, m protocol.ServerMessage) {
	if at := l.members[sid]; at != nil {
		l.push(sid, at, protocol.EncodeBody(m), 0)
	}
}

// push queues a message. A session that is full is removed afterwards, not in the middle of what is being carried out.
func (l *loop) push(sid room.SID, m *member, body protocol.Body, re uint64) {
	if !m.session.push(body, re) {
		l.full = append(l.full, sid)
	}
}
