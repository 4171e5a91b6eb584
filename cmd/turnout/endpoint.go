package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/turnout-rtc/turnout/cmd/turnout/calm"
	"github.com/turnout-rtc/turnout/cmd/turnout/front"
)

// endpoint is one address that HTTP is served on.
type endpoint struct {
	server *http.Server
	addr   net.Addr
	done   chan struct{} // closed when Serve has returned
}

func (s *server) endpoint(addr, flag string, h http.Handler) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return explain(err, flag, flag)
	}
	s.serve(calm.Listener(listener), h)
	return nil
}

// serve serves HTTP on what listener accepts.
func (s *server) serve(listener net.Listener, h http.Handler) {
	e := &endpoint{
		addr: listener.Addr(),
		done: make(chan struct{}),
		server: &http.Server{
			Handler:           h,
			ReadHeaderTimeout: 10 * time.Second,
			ReadTimeout:       30 * time.Second, // of a request that is not a WebSocket; that one sets its own
			WriteTimeout:      60 * time.Second, // the app over a slow line
			IdleTimeout:       2 * time.Minute,
			MaxHeaderBytes:    64 << 10, // a token is in the header
			ConnContext:       front.ConnContext,
			ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		},
	}
	s.http = append(s.http, e)
	go func() {
		defer close(e.done)
		if err := e.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			select {
			case s.failed <- fmt.Errorf("the HTTP server on %s has stopped: %w", e.addr, err):
			default: // another one has failed, too
			}
		}
	}()
}

func (e *endpoint) close() {
	_ = e.server.Close()
	<-e.done
}
