package front

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"

	"github.com/turnout-rtc/turnout/turn/demux"
)

// begun is a connection whose first bytes have been looked at and are read once more.
type begun struct {
	net.Conn
	head []byte
}

func (c *begun) Read(p []byte) (int, error) {
	if len(c.head) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.head)
	c.head = c.head[n:]
	return n, nil
}

// classify reads as much as it takes to know whose conn is.
func classify(conn net.Conn) (demux.Kind, net.Conn, error) {
	head := make([]byte, 0, demux.StreamBytes)
	for {
		kind, more := demux.Stream(head)
		if !more {
			return kind, &begun{Conn: conn, head: head}, nil
		}
		n, err := conn.Read(head[len(head):cap(head)])
		head = head[:len(head)+n]
		if err != nil && n == 0 {
			return demux.Unknown, nil, err
		}
	}
}

// revealed is the plaintext of a TLS connection that has been looked into.
type revealed struct {
	net.Conn
	state tls.ConnectionState
}

type stateKey struct{}

// ConnContext is that of the http.Server on HTTPS.
func ConnContext(ctx context.Context, conn net.Conn) context.Context {
	if c, ok := conn.(*revealed); ok {
		return context.WithValue(ctx, stateKey{}, &c.state)
	}
	return ctx
}

// Handler sets the TLS state of requests, which net/http knows of a *tls.Conn only.
func Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if state, ok := r.Context().Value(stateKey{}).(*tls.ConnectionState); ok && r.TLS == nil {
			r.TLS = state
		}
		next.ServeHTTP(w, r)
	})
}

// handed is a net.Listener of connections that somebody else accepted. Nothing waits in it: give waits for Accept.
type handed struct {
	addr  net.Addr
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newHanded(addr net.Addr) *handed {
	return &handed{addr: addr, conns: make(chan net.Conn), done: make(chan struct{})}
}

func (h *handed) give(conn net.Conn) error {
	select {
	case h.conns <- conn:
		return nil
	case <-h.done:
		return net.ErrClosed
	}
}

func (h *handed) Accept() (net.Conn, error) {
	select {
	case conn := <-h.conns:
		return conn, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

func (h *handed) Addr() net.Addr { return h.addr }

func (h *handed) Close() error {
	h.once.Do(func() { close(h.done) })
	return nil
}
