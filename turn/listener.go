package turn

import (
	"errors"
	"net"
	"time"
)

// listener accepts streams for a server.
type listener struct {
	net.Listener
	srv *Server
}

// Pauses after a failed Accept: it fails as long as the process is out of file descriptors, and must be tried again.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = time.Second
)

// serve accepts until the listener is closed.
func (l *listener) serve() {
	pause := firstPause
	for {
		conn, err := l.Accept()
		switch {
		case err == nil:
			pause = firstPause
			_ = l.srv.add(newStream(conn))
		case errors.Is(err, net.ErrClosed):
			return
		default:
			l.wait(pause)
			pause = min(2*pause, lastPause)
		}
	}
}

func (l *listener) wait(d time.Duration) {
	select {
	case <-l.srv.ctx.Done():
	case <-time.After(d):
	}
}
