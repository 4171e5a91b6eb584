// Package signaling is the control plane: who is in which room and may see what.
//
// Its nouns: a Server has rooms; a room is one loop around a room.State (package signaling/room, pure); a Session is one
// participant's signaling connection, which outlives its WebSocket; a door turns a wire format into commands for a room.
// It is the only package that knows the other planes, and it knows them by their handles.
package signaling

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/turnout-rtc/turnout/datachannel"
	"github.com/turnout-rtc/turnout/datachannel/store"
	"github.com/turnout-rtc/turnout/sfu"
	"github.com/turnout-rtc/turnout/signaling/auth"
	"github.com/turnout-rtc/turnout/signaling/places"
	"github.com/turnout-rtc/turnout/signaling/protocol"
	"github.com/turnout-rtc/turnout/signaling/whip"
	"github.com/turnout-rtc/turnout/signaling/ws"
	"github.com/turnout-rtc/turnout/turn"
)

// Planes are what the control plane stands on. TURN may be nil, and Documents, which then are not kept.
type Planes struct {
	Media     *sfu.Engine
	Data      datachannel.Config
	Documents *store.Writer // its owner's to close, after the server
	TURN      *turn.Server
}

// Server serves rooms.
type Server struct {
	// Set at construction, never changed.
	cfg     Config
	keys    auth.Keys
	planes  Planes
	version string
	log     *slog.Logger

	door      *ws.Door
	documents documentDoors
	whip      *whip.Door
	rooms     rooms
	sessions  *places.Places[string, inRoom] // by their ids
	count     counters
	draining  atomic.Bool
}

// New makes a server that is ready to be registered. version is what clients are told.
func New(cfg Config, planes Planes, version string, log *slog.Logger) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	keys, err := auth.NewKeys(cfg.Keys)
	if err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	s := &Server{cfg: cfg, keys: keys, planes: planes, version: version, log: log}
	s.sessions = places.New[string, inRoom](cfg.MaxSessions)
	s.rooms = rooms{make: func(name string) *loop { return newLoop(s, name) }, byName: map[string]*loop{}, entering: map[*loop]int{}}
	s.openDocumentDoors()
	s.door = ws.NewDoor(cfg.door(), ws.Owner{Serve: s.serve, Refused: s.count.refused.add, Closed: s.count.closed.add})
	s.whip = whip.NewDoor(cfg.WHIP, doorway{srv: s})
	return s, nil
}

// Register adds /ws and /api/session (docs/reference/signaling.md), /whip and /whep (docs/reference/whip.md), and the doors of
// docs/reference/documents.md.
func (s *Server) Register(mux *http.ServeMux) {
	mux.Handle("GET /ws", s.door)
	mux.Handle("GET /y/{room}/{doc...}", s.yDoor())
	mux.Handle("GET /hocuspocus/{room}", s.hocuspocusDoor())
	mux.Handle("POST /api/session", s.door.SetCookie(func(signed string) (time.Time, error) {
		t, err := s.verify(signed)
		return t.Expires, err
	}))
	mux.Handle("DELETE /api/session", s.door.ClearCookie())
	s.whip.Register(mux)
}

func (s *Server) verify(signed string) (auth.Token, error) { return s.keys.Verify(time.Now(), signed) }

// Drain refuses new participants, tells the present ones that the server stops, waits until they have left or ctx is done,
// and then says goodbye to the rest.
func (s *Server) Drain(ctx context.Context) {
	s.draining.Store(true)
	notice := protocol.Draining{}
	if deadline, ok := ctx.Deadline(); ok {
		notice.DeadlineMs = max(0, time.Until(deadline).Milliseconds())
	}
	for _, l := range s.rooms.all(false) {
		l.post(announcement{message: notice})
	}
	select {
	case <-s.sessions.Emptied():
	case <-ctx.Done():
	}
	s.end()
}

// Draining says whether Drain has begun; /readyz answers 503 then.
func (s *Server) Draining() bool { return s.draining.Load() }

// Stats are counters since the start, safe to read at any time.
func (s *Server) Stats() Stats {
	return Stats{
		Rooms: s.count.rooms.Load(), Participants: s.count.participants.Load(), Sessions: int64(s.sessions.Len()), WebSockets: int64(s.door.Len() + s.documents.len()),
		Visits: s.count.visits.Load(), Visited: s.count.visited.Load(),
		Joins: s.count.joins.Load(), Resumes: s.count.resumes.Load(), Messages: s.count.messages.Load(),
		Refused: s.count.refused.copy(), Errors: s.count.errors.copy(), Closed: s.count.closed.copy(),
		WHIP: s.whip.Stats(),
		Data: s.count.data.plus(s.rooms.all(false)),
	}
}

// Close ends every room and waits for their goroutines. It may be called twice.
func (s *Server) Close() {
	s.draining.Store(true)
	s.end()
}

// end ends every room, waits for their goroutines, and shuts the doors.
func (s *Server) end() {
	for _, l := range s.rooms.all(true) {
		l.post(stop{})
	}
	s.rooms.running.Wait()
	s.documents.close()
	s.door.Close()
	s.whip.Close()
}
