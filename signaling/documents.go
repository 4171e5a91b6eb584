package signaling

import (
	"net/http"
	"time"

	"github.com/turnout-rtc/turnout/signaling/hocuspocus"
	"github.com/turnout-rtc/turnout/signaling/protocol"
	"github.com/turnout-rtc/turnout/signaling/visit"
	"github.com/turnout-rtc/turnout/signaling/ws"
	"github.com/turnout-rtc/turnout/signaling/yws"
)

// visitor is a connection that has documents of a room open. It is nobody in the room, which lasts as long as it is there.
type visitor struct {
	identity string
	end      func(visit.Ending) // returns at once
}

// arrival asks to let a visitor in. outcome is answered exactly once, unless the room is over before.
type arrival struct {
	visitor *visitor
	outcome chan<- error // buffered
}

// departure says that a visitor has gone.
type departure struct{ visitor *visitor }

func (m arrival) handle(l *loop) { m.outcome <- l.letIn(m.visitor) }

func (l *loop) letIn(v *visitor) error {
	same := 0
	for other := range l.visitors {
		if other.identity == v.identity {
			same++
		}
	}
	switch cfg := l.srv.cfg; {
	case len(l.visitors) >= cfg.Visits.MaxRoom:
		return &protocol.Error{Code: protocol.RoomFull, Message: "the room has no place for more connections to documents", Hint: "try again later", Retryable: true}
	case same >= cfg.Visits.MaxIdentity:
		return &protocol.Error{Code: protocol.RoomFull, Message: "you have too many connections to documents", Hint: "close some of them", Retryable: true}
	}
	l.visitors[v] = struct{}{}
	l.emptyAt = time.Time{}
	l.srv.count.visits.Add(1)
	l.srv.count.visited.Add(1)
	return nil
}

func (m departure) handle(l *loop) {
	if _, ok := l.visitors[m.visitor]; !ok {
		return
	}
	delete(l.visitors, m.visitor)
	l.srv.count.visits.Add(-1)
	if len(l.members) == 0 {
		l.empty()
	}
}

// empty gives the room up in a while, unless there is somebody.
func (l *loop) empty() {
	if len(l.visitors) == 0 {
		l.emptyAt = time.Now().Add(l.srv.cfg.EmptyTimeout)
		l.alarm.set(l.emptyAt)
	}
}

// turnOut ends the visits of an identity that was kicked.
func (l *loop) turnOut(identity string) {
	for v := range l.visitors {
		if v.identity == identity {
			v.end(visit.Ending{Code: visit.CloseForbidden, Text: "you were removed from the room"})
		}
	}
}

// endVisits is called when the room is over.
func (l *loop) endVisits() {
	why := visit.Ending{Code: protocol.CloseRoomEnded, Text: "the room was ended"}
	if l.srv.Draining() {
		why = visit.Ending{Code: protocol.CloseGoingAway, Text: "the server stops"}
	}
	for v := range l.visitors {
		v.end(why)
	}
	l.srv.count.visits.Add(-int64(len(l.visitors)))
}

// house is what the doors for clients of documents stand on.
func (s *Server) house() visit.House {
	return visit.House{Verify: s.verify, Enter: s.enterDocuments, Refused: s.count.refused.add}
}

func (s *Server) enterDocuments(name, identity string, end func(visit.Ending)) (visit.Stay, error) {
	if s.Draining() {
		return visit.Stay{}, &protocol.Error{Code: protocol.ServerDraining, Message: "the server is about to stop", Hint: "connect again in a moment", Retryable: true}
	}
	v := &visitor{identity: identity, end: end}
	for range 3 { // a room may end while we are at its door; the next one is new
		l := s.rooms.enter(name)
		if l == nil {
			break
		}
		outcome := make(chan error, 1)
		answered, err := l.ask(arrival{visitor: v, outcome: outcome}, outcome)
		s.rooms.entered(l)
		if answered && err != nil {
			return visit.Stay{}, err
		}
		if answered {
			return visit.Stay{Data: l.hub.Visit(), Over: l.done, Leave: func() { l.post(departure{visitor: v}) }}, nil
		}
	}
	return visit.Stay{}, &protocol.Error{Code: protocol.ServerDraining, Message: "the room is being closed", Hint: "connect again in a moment", Retryable: true}
}

// documentDoors are the WebSockets of clients that have documents and are no participants.
type documentDoors struct {
	yws, hocuspocus *ws.Door
}

// visitMessage is what a message of y-websocket or Hocuspocus adds to an update: types, lengths, the name of a document.
const visitMessage = 1024

func (s *Server) openDocumentDoors() {
	owner := ws.Owner{Refused: s.count.refused.add, Closed: s.count.closed.add}
	data := s.planes.Data.WithDefaults()
	cfg := ws.Config{
		Origins: s.cfg.Origins, Heartbeat: s.cfg.Heartbeat, Timeout: s.cfg.Timeout, MaxConns: s.cfg.Visits.Max,
		BinaryBytes: data.MessageBytes + visitMessage, TooBig: visit.CloseTooLarge, Gather: data.Gather,
	}
	cfg.Beat = yws.Beat()
	s.documents.yws = ws.NewDoor(cfg, owner)
	cfg.Beat = hocuspocus.Beat()
	s.documents.hocuspocus = ws.NewDoor(cfg, owner)
}

// documentDoor is a door on sockets of its own.
func (s *Server) documentDoor(sockets *ws.Door) visit.Door {
	return visit.Door{
		Sockets: sockets, House: s.house(),
		QueueBytes: s.planes.Data.WithDefaults().QueueBytes, FirstMessage: s.cfg.JoinTimeout, CatchUp: s.cfg.Visits.CatchUp,
	}
}

func (s *Server) yDoor() http.Handler { return yws.NewDoor(s.documentDoor(s.documents.yws)) }

func (s *Server) hocuspocusDoor() http.Handler {
	return hocuspocus.NewDoor(s.documentDoor(s.documents.hocuspocus), s.planes.Data.WithDefaults().Documents)
}

func (d documentDoors) close() {
	d.yws.Close()
	d.hocuspocus.Close()
}

func (d documentDoors) len() int { return d.yws.Len() + d.hocuspocus.Len() }
