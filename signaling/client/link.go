package client

import (
	"time"

	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// link is the session over its WebSockets, one after the other. Owned by run.
type link struct {
	grant     protocol.SessionGrant
	heartbeat time.Duration
	silence   time.Duration

	socket   *socket // nil while reconnecting
	n        uint64  // the last numbered message
	lastID   uint64
	pending  []pending // requests without a reply, in their order
	lastPing time.Time
	repeat   [][]byte // messages without a number that are said again on a new WebSocket: ready and candidates
}

type pending struct {
	id    uint64
	frame []byte
	reply func(protocol.ServerMessage)
}

func newLink(s *socket, j protocol.Joined, n uint64) *link {
	l := &link{
		grant: j.Session, socket: s, n: n, lastID: 1,
		heartbeat: time.Duration(j.Heartbeat.IntervalMs) * time.Millisecond,
		silence:   time.Duration(j.Heartbeat.TimeoutMs) * time.Millisecond,
	}
	s.silence.Store(int64(l.silence))
	return l
}

// request sends a request; reply is called by run.
func (l *link) request(m protocol.ClientMessage, reply func(protocol.ServerMessage)) {
	l.lastID++
	encoded, err := protocol.EncodeRequest(l.lastID, m)
	if err != nil {
		panic(err) // a type of package protocol
	}
	l.pending = append(l.pending, pending{l.lastID, encoded, reply})
	l.write(encoded)
}

// say sends a message that gets no reply; it is said again after a resume until forgetSaid.
func (l *link) say(m protocol.ClientMessage) {
	encoded, err := protocol.EncodeRequest(0, m)
	if err != nil {
		panic(err) // a type of package protocol
	}
	l.repeat = append(l.repeat, encoded)
	l.write(encoded)
}

func (l *link) forgetSaid() { l.repeat = nil }

// write sends a frame. When that fails the reader notices, too, and the session is resumed.
func (l *link) write(frame []byte) {
	if l.socket != nil {
		l.socket.write(frame)
	}
}

// take notes what the envelope says. It says false for a message that is to be ignored: of an old WebSocket, or a repetition.
func (l *link) take(from *socket, m protocol.Response) bool {
	if from != l.socket || (m.N != 0 && m.N <= l.n) {
		return false
	}
	l.n = max(l.n, m.N)
	if m.Re == 0 {
		return true
	}
	for i, p := range l.pending {
		if p.id == m.Re {
			l.pending = append(l.pending[:i:i], l.pending[i+1:]...)
			p.reply(m.Message)
			break
		}
	}
	return true
}

func (l *link) beat(now time.Time) {
	if l.socket == nil || now.Sub(l.lastPing) < l.heartbeat {
		return
	}
	l.lastPing = now
	ping, err := protocol.EncodeRequest(0, protocol.Ping{N: l.n})
	if err != nil {
		panic(err) // a type of package protocol
	}
	l.write(ping)
}

// resume goes on with the session on a new WebSocket, whose server has carried out the requests up to done.
func (l *link) resume(s *socket, done uint64) {
	l.socket = s
	s.silence.Store(int64(l.silence))
	for _, p := range l.pending {
		if p.id > done {
			l.write(p.frame)
		}
	}
	for _, said := range l.repeat {
		l.write(said)
	}
}

func (l *link) close(why error) {
	if l.socket == nil {
		return
	}
	if why == ErrLeft { //nolint:errorlint // set by us, never wrapped
		l.socket.goodbye()
	}
	l.socket.close()
}
