package signaling

import (
	"errors"
	"time"

	"github.com/turnout-rtc/turnout/signaling/auth"
	"github.com/turnout-rtc/turnout/signaling/protocol"
	"github.com/turnout-rtc/turnout/signaling/ws"
)

// serve runs a WebSocket from its first message to its end.
func (s *Server) serve(conn *ws.Conn, signed string) {
	g := guest{srv: s, conn: conn}
	if signed != "" {
		token, err := s.keys.Verify(time.Now(), signed)
		if err != nil {
			g.refuse(0, err)
			g.drain()
			return
		}
		g.token = &token
	}
	if at, in, ok := g.enter(); ok {
		s.converse(conn, at, in)
		return
	}
	g.drain()
}

// guest is a WebSocket that has no session yet.
type guest struct {
	srv   *Server
	conn  *ws.Conn
	token *auth.Token // given with the request; nil: none
}

// enter waits for the first message and does what it asks. If there is no session to go on with, it has said why and finished
// the WebSocket.
func (g guest) enter() (*attachment, inRoom, bool) {
	g.conn.Expect(time.Now().Add(g.srv.cfg.JoinTimeout))
	r, err := g.first()
	resume, ok := r.Message.(protocol.Resume)
	if err == nil && ok {
		if at, in, ok := g.resume(resume, r.ID); ok {
			return at, in, true
		}
		g.say(r.ID, &protocol.Error{Code: protocol.SessionGone, Message: "there is no such session to resume", Hint: "join on this WebSocket"})
		r, err = g.first()
	}
	if err != nil {
		g.refuse(r.ID, err)
		return nil, inRoom{}, false
	}
	join, ok := r.Message.(protocol.Join)
	if !ok {
		g.refuse(r.ID, &protocol.Error{Code: protocol.Malformed, Message: "the first message must be join or resume", Hint: "see the signaling protocol page"})
		return nil, inRoom{}, false
	}
	at, in, err := g.join(join, r.ID)
	if err != nil {
		g.refuse(r.ID, err)
	}
	return at, in, err == nil
}

// errLost says that the WebSocket ended by itself.
var errLost = errors.New("signaling: the connection was lost")

// first reads one message. The error is a *protocol.Error or errLost.
func (g guest) first() (protocol.Request, error) {
	m, err := g.conn.Read()
	if errors.Is(err, ws.ErrTimeout) {
		return protocol.Request{}, &protocol.Error{Code: protocol.JoinTimeout, Message: "no join within " + g.srv.cfg.JoinTimeout.String(), Hint: "send join as the first message", Retryable: true}
	}
	if err != nil {
		return protocol.Request{}, errLost
	}
	g.srv.count.messages.Add(1)
	return protocol.DecodeRequest(m.Data)
}

func (g guest) join(j protocol.Join, id uint64) (*attachment, inRoom, error) {
	token, err := g.verify(j.Token)
	if err != nil {
		return nil, inRoom{}, err
	}
	live := newSession(g.srv.cfg.session(), id, time.Now())
	at, _, _ := g.attach(live, 0) // first: it may be removed again as soon as it has joined, and must be told
	g.listen(at, live)
	l, err := g.srv.admit(enter{token: token, join: j, session: live, re: id})
	return at, inRoom{session: live, room: l}, err
}

// admit takes a session into the room of its token. The error is a *protocol.Error.
func (s *Server) admit(m enter) (*loop, error) {
	if s.Draining() {
		return nil, &protocol.Error{Code: protocol.ServerDraining, Message: "the server is about to stop", Hint: "join again in a moment", Retryable: true}
	}
	if !s.sessions.Reserve() {
		return nil, &protocol.Error{Code: protocol.ServerFull, Message: "the server has no room for more participants", Hint: "try again later", Retryable: true}
	}
	for range 3 { // a room may end while we are at its door; the next one is new
		l := s.rooms.enter(m.token.Room)
		if l == nil {
			break
		}
		answered, err := l.admit(m)
		s.rooms.entered(l)
		if answered && err == nil {
			return l, nil
		}
		if answered {
			s.sessions.Release()
			return nil, err
		}
	}
	s.sessions.Release()
	return nil, &protocol.Error{Code: protocol.ServerDraining, Message: "the room is being closed", Hint: "join again in a moment", Retryable: true}
}

func (g guest) verify(signed string) (auth.Token, error) {
	if signed == "" && g.token != nil {
		return *g.token, nil
	}
	return g.srv.keys.Verify(time.Now(), signed)
}

// admit waits until the room has taken or refused somebody. answered is false if the room is over.
func (l *loop) admit(m enter) (answered bool, err error) {
	outcome := make(chan error, 1)
	m.outcome = outcome
	return l.ask(m, outcome)
}

// ask hands over a message that is answered, and waits for the answer. answered is false if the room is over.
func (l *loop) ask(m message, outcome <-chan error) (answered bool, err error) {
	if !l.post(m) {
		return false, nil
	}
	select {
	case err := <-outcome:
		return true, err
	case <-l.done:
	}
	select { // it may have been the last thing the room did
	case err := <-outcome:
		return true, err
	default:
		return false, nil
	}
}

func (g guest) resume(r protocol.Resume, id uint64) (*attachment, inRoom, bool) {
	in, ok := g.srv.sessions.Find(r.Session)
	if !ok || !sameSecret(in.session.secret, r.Secret) {
		return nil, inRoom{}, false
	}
	old, reaches := in.session.displace(r.N)
	if old != nil {
		old.conn.Finish(protocol.CloseMoved, "the session goes on on another WebSocket")
		old.conn.Interrupt()
		<-old.left // its last request has been handed to the room: ours come after it
	}
	if !reaches { // whoever knows the secret has lost what the session has forgotten: it is of no use to anybody
		in.room.post(expulsion{sid: in.session.sid, reason: protocol.ConnectionLost, text: "too much was missed"})
		return nil, inRoom{}, false
	}
	at, request, ok := g.attach(in.session, r.N)
	if !ok {
		return nil, inRoom{}, false
	}
	in.room.post(connection{sid: in.session.sid}) // first: who joins after hearing of the resume finds the participant there
	g.say(id, protocol.Resumed{ID: request})
	g.listen(at, in.session)
	g.srv.count.resumes.Add(1)
	return at, in, true
}

// attach ties the WebSocket to a session.
func (g guest) attach(live *liveSession, n uint64) (*attachment, uint64, bool) {
	at := &attachment{conn: g.conn, left: make(chan struct{})}
	request, ok := live.attach(at, n)
	if ok {
		g.conn.Expect(time.Time{})
	}
	return at, request, ok
}

// listen makes the WebSocket send what the session has to say.
func (g guest) listen(at *attachment, live *liveSession) {
	g.conn.From(func(dst []byte) ([]byte, bool) { return live.next(at, dst) })
}

// say sends a message without a number: there is no session yet.
func (g guest) say(re uint64, m protocol.ServerMessage) {
	g.conn.Say(protocol.EncodeBody(m).AppendFrame(nil, 0, re))
}

// refuse says why and finishes the WebSocket. One that is lost is told nothing.
func (g guest) refuse(re uint64, err error) {
	var fault *protocol.Error
	if !errors.As(err, &fault) {
		return
	}
	g.srv.count.refused.add(string(fault.Code))
	g.srv.log.Debug("refused", "code", fault.Code, "message", fault.Message)
	g.say(re, fault)
	g.conn.Finish(protocol.CloseForRefused(fault.Code), fault.Message)
}

// drain reads until the other side has closed, too.
func (g guest) drain() {
	for {
		if _, err := g.conn.Read(); err != nil {
			return
		}
	}
}
