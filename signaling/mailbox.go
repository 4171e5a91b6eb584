package signaling

import (
	"time"

	"github.com/turnout-rtc/turnout/sfu"
	"github.com/turnout-rtc/turnout/signaling/auth"
	"github.com/turnout-rtc/turnout/signaling/protocol"
	"github.com/turnout-rtc/turnout/signaling/room"
)

// message is what a loop is told. The types of this file are all of them; handle is called by run.
type message interface{ handle(l *loop) }

// enter asks to join. outcome is answered exactly once, unless the room is over before.
type enter struct {
	token   auth.Token
	join    protocol.Join
	session *liveSession
	re      uint64
	outcome chan<- error  // buffered; nil: the session has begun
	connect time.Duration // how long media may take to connect; 0: as long as it likes
}

// request is a client's message.
type request struct {
	sid     room.SID
	re      uint64
	message protocol.ClientMessage
}

// connection says that a session's WebSocket was lost, or is back. Which of the two the session knows: messages of two
// WebSockets may overtake each other.
type connection struct{ sid room.SID }

// expulsion ends a session that was too slow or sent too much.
type expulsion struct {
	sid    room.SID
	reason protocol.Reason
	text   string
}

// mediaEvent is what a transport tells. number says which of the member's transports.
type mediaEvent struct {
	sid    room.SID
	number int
	event  sfu.Event
}

// announcement is said to everybody.
type announcement struct{ message protocol.ServerMessage }

// stop ends the room for everybody.
type stop struct{}

func (m connection) handle(l *loop) {
	at := l.members[m.sid]
	if at == nil {
		return
	}
	if at.session.attached() {
		at.graceUntil = time.Time{}
		l.apply(room.Attach{SID: m.sid}, 0)
		return
	}
	if at.graceUntil.IsZero() {
		at.graceUntil = time.Now().Add(l.srv.cfg.Grace)
		l.alarm.set(at.graceUntil)
		l.apply(room.Detach{SID: m.sid}, 0)
	}
}

func (m expulsion) handle(l *loop) { l.expel(m.sid, m.reason, m.text) }

func (m announcement) handle(l *loop) {
	l.carryOut([]room.Effect{room.Broadcast{Message: m.message}}, nil)
}

func (stop) handle(l *loop) {
	l.apply(room.Stop{}, 0)
}

// expel removes a participant.
func (l *loop) expel(sid room.SID, reason protocol.Reason, text string) {
	l.apply(room.Leave{SID: sid, Reason: reason, Message: text}, 0)
}
