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

	"github.com/turnout-rtc/turnout/datachannel"
	"github.com/turnout-rtc/turnout/sfu"
	"github.com/turnout-rtc/turnout/turn"
)

// Planes are what the control plane stands on. TURN may be nil.
type Planes struct {
	Media *sfu.Engine
	Data  datachannel.Config
	TURN  *turn.Server
}

// Server serves rooms.
type Server struct{}

// New makes a server that is ready to be registered. version is what clients are told.
func New(cfg Config, planes Planes, version string, log *slog.Logger) (*Server, error) {
	panic("not built")
}

// Register adds /ws and /api/session (docs/reference/signaling.md).
func (s *Server) Register(mux *http.ServeMux) { panic("not built") }

// Drain refuses new participants, tells the present ones that the server stops, waits until they have left or ctx is done,
// and then says goodbye to the rest.
func (s *Server) Drain(ctx context.Context) { panic("not built") }

// Draining says whether Drain has begun; /readyz answers 503 then.
func (s *Server) Draining() bool { panic("not built") }

// Stats are counters since the start, safe to read at any time.
func (s *Server) Stats() Stats { panic("not built") }

// Close ends every room and waits for their goroutines. It may be called twice.
func (s *Server) Close() { panic("not built") }
