package signaling

import (
	"time"

	"github.com/turnout-rtc/turnout/sfu"
	"github.com/turnout-rtc/turnout/signaling/protocol"
	"github.com/turnout-rtc/turnout/signaling/room"
)

// apply carries out a command that cannot fail. re is the request that it belongs to, or 0.
func (l *loop) apply(c room.Command, re uint64) {
	out, err := l.state.Apply(time.Now(), c)
	if err != nil {
		l.log.Error("a command failed", "error", err)
		return
	}
	l.doing = doing{re: re}
	l.carryOut(out, nil)
	l.doing = doing{}
}

// carryOut does what the state has decided, in order. by is set for a join.
func (l *loop) carryOut(out []room.Effect, by *enter) {
	for _, e := range out {
		switch e := e.(type) {
		case room.Welcome:
			l.welcome(e, by)
		case room.Send:
			l.send(e.To, e.Message)
		case room.Broadcast:
			l.broadcast(e)
		case room.Close:
			l.remove(e)
		case room.Empty:
			l.empty()
		case room.Ended:
			l.over = true
		default:
			l.media(e)
		}
	}
	l.removeFull()
}

// removeFull removes whose sessions are full.
func (l *loop) removeFull() {
	for len(l.full) > 0 {
		sid := l.full[0]
		l.full = l.full[1:]
		m := l.members[sid]
		switch {
		case m == nil:
		case m.session.attached():
			l.expel(sid, protocol.SlowReader, "messages were not taken as fast as they came")
		default: // too much has been said for a resume
			l.expel(sid, protocol.ConnectionLost, "the connection was lost")
		}
	}
}

func (l *loop) broadcast(e room.Broadcast) {
	body := protocol.EncodeBody(e.Message)
	for sid, m := range l.members {
		if sid != e.Except {
			l.push(sid, m, body, 0)
		}
	}
}

func (l *loop) remove(e room.Close) {
	m := l.members[e.SID]
	delete(l.members, e.SID)
	l.dropTransport(m)
	m.data.Leave()
	if e.Say.Reason == protocol.Kicked {
		l.turnOut(m.identity)
	}
	m.session.end(e.Say, l.doing.re)
	l.srv.sessions.Leave(m.session.id)
	l.srv.count.participants.Add(-1)
	l.log.Info("participant left", "participant", e.SID, "reason", e.Say.Reason)
}

// media carries out what concerns the media plane.
func (l *loop) media(e room.Effect) {
	switch e := e.(type) {
	case room.Show:
		if p, t := l.published[e.ID], l.transport(e.To); p.Publication != nil && t != nil {
			t.Subscribe(p.Publication)
		}
	case room.Hide:
		if p, t := l.published[e.ID], l.transport(e.To); p.Publication != nil && t != nil {
			t.Unsubscribe(p.Publication)
		}
	case room.Pause:
		if p, ok := l.published[e.ID]; ok {
			p.Pause(e.Paused)
		}
	case room.Drop:
		if p, ok := l.published[e.ID]; ok {
			p.Close()
			delete(l.published, e.ID)
		}
	case room.ReplaceTransport:
		l.replaceTransport(e)
	case room.Negotiate:
		l.negotiate(e)
	default:
		panic("signaling: an unknown effect")
	}
}

// transport is nil for a participant that has none, or is being removed.
func (l *loop) transport(sid room.SID) *sfu.Transport {
	if m := l.members[sid]; m != nil {
		return m.transport
	}
	return nil
}
