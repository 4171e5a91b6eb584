package signaling

import (
	"sync"
	"time"

	"github.com/turnout-rtc/turnout/datachannel"
	"github.com/turnout-rtc/turnout/signaling/protocol"
	"github.com/turnout-rtc/turnout/signaling/room"
	"github.com/turnout-rtc/turnout/signaling/session"
)

// liveSession is the shell around session.Session. The room's loop, the WebSocket's reader and its writer meet here; it
// calls none of them with mu held.
type liveSession struct {
	// Set at construction, never changed.
	id, secret string
	sid        room.SID

	// Set by the room when it takes the participant in, before anybody else can find the session.
	data *datachannel.Member

	// Guarded by mu.
	mu    sync.Mutex
	core  *session.Session
	at    *attachment // nil: the WebSocket is lost
	ended bool
}

// inRoom is a session, and where it is.
type inRoom struct {
	session *liveSession
	room    *loop
}

// attachment is one WebSocket's time with a session, or a door's that has none.
type attachment struct {
	conn wire
	left chan struct{} // closed when its reader handles no more messages
}

// wire is what a session needs of a WebSocket.
type wire interface {
	Wake()                                       // there is something to be taken
	Finish(code protocol.CloseCode, text string) // there will be nothing more
	Interrupt()                                  // nor is anything to be heard
}

func newSession(cfg session.Config, request uint64, now time.Time) *liveSession {
	return &liveSession{id: newID("SE_"), secret: newSecret(), sid: room.SID(newID("PA_")), core: session.New(cfg, request, now)}
}

// push queues a message; re is the request it replies to, or 0. It says false when the session is full and must end.
func (s *liveSession) push(body protocol.Body, re uint64) bool {
	s.mu.Lock()
	ok := s.ended || s.core.Push(body, re)
	at := s.at
	s.mu.Unlock()
	if at != nil {
		at.conn.Wake()
	}
	return ok
}

// attach gives the session a WebSocket, from which on everything after n is sent. It says false if the session has ended, has
// another one, or does not reach back to n.
func (s *liveSession) attach(at *attachment, n uint64) (request uint64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || s.at != nil || !s.core.Rewind(n) {
		return 0, false
	}
	s.at = at
	return s.core.Request(), true
}

// next is a WebSocket's source. One that was replaced gets nothing more.
func (s *liveSession) next(at *attachment, dst []byte) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at != at {
		return dst, false
	}
	return s.core.Next(dst)
}

// displace takes the WebSocket away from the session, for a new one. reaches says whether that can have everything after n.
func (s *liveSession) displace(n uint64) (old *attachment, reaches bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil, false
	}
	old = s.at
	s.at = nil
	return old, s.core.Reaches(n)
}

// detach is called when a WebSocket is lost. It says whether it was the session's. One that has ended keeps it, for its last
// word.
func (s *liveSession) detach(at *attachment) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at != at || s.ended {
		return false
	}
	s.at = nil
	return true
}

func (s *liveSession) attached() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at != nil
}

// take asks the gate. A WebSocket that is not the session's any more is told nothing.
func (s *liveSession) take(at *attachment, now time.Time, cost int) (v session.Verdict, mine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at != at || s.ended {
		return session.Refuse, false
	}
	return s.core.Take(now, cost), true
}

// begin says whether a request is to be carried out or replied to: not twice.
func (s *liveSession) begin(id uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.ended && s.core.Begin(id)
}

func (s *liveSession) ack(n uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.core.Ack(n)
}

// end says the last word and finishes the WebSocket. Twice is once.
func (s *liveSession) end(say protocol.Disconnect, re uint64) {
	body := protocol.EncodeBody(say)
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return
	}
	s.ended = true
	if !s.core.Push(body, re) { // full of what a slow reader did not take
		s.core.Skip()
		s.core.Push(body, re)
	}
	at := s.at
	s.mu.Unlock()
	if at != nil {
		at.conn.Finish(protocol.CloseFor(say.Reason), say.Message)
	}
}

// expire ends the session if it has no WebSocket.
func (s *liveSession) expire() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at != nil {
		return false
	}
	s.ended = true
	return true
}
