// Package front shares one TCP port between HTTPS, TURN over TLS, TURN over TCP, ICE over TCP and plain HTTP.
//
// Its nouns: a Front accepts connections, ends their TLS, and looks at ALPN or else at the first bytes; a Destination takes
// what is for it. It serves nothing itself, and forgets a connection as soon as it is handed over.
package front

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/turnout-rtc/turnout/turn/demux"
	"github.com/turnout-rtc/turnout/turn/quota"
)

// Config of a Front. A zero limit means its default.
type Config struct {
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	Timeout     time.Duration // until it is known whose a connection is, TLS handshake included; default 10 s
	Undecided   int           // connections of which it is not known yet; default 1024
	PerSource   int           // of them from one IPv4 address or IPv6 /64; default 64
}

// Destinations take connections and own them from then on. What has none is closed.
type Destinations struct {
	TURN func(conn net.Conn, secure bool) error
	ICE  func(conn net.Conn) error // ICE over TCP (RFC 6544), never inside TLS
}

// Front is one port. See HTTPS and HTTP for the listeners that it feeds.
type Front struct {
	// Set at construction, never changed.
	cfg         Config
	listener    net.Listener
	https, http *handed
	tls         *tls.Config
	undecided   *crowd
	count       counters
	ctx         context.Context //nolint:containedctx // ends what is undecided
	stop        context.CancelFunc
	running     sync.WaitGroup

	to Destinations // Set by Serve before anything runs.
}

// Listen opens an address. Nobody is served until Serve.
func Listen(address string, cfg Config) (*Front, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 10 * time.Second
	}
	if cfg.Undecided <= 0 {
		cfg.Undecided = 1024
	}
	if cfg.PerSource <= 0 {
		cfg.PerSource = 64
	}
	f := &Front{cfg: cfg, listener: l, undecided: newCrowd(quota.Caps{PerSource: cfg.PerSource, Total: cfg.Undecided}), https: newHanded(l.Addr()), http: newHanded(l.Addr())}
	f.ctx, f.stop = context.WithCancel(context.Background())
	f.tls = tlsConfig(cfg.Certificate)
	return f, nil
}

// Addr is where it listens.
func (f *Front) Addr() net.Addr { return f.listener.Addr() }

// HTTPS gives the connections that speak HTTP inside TLS. An http.Server on it needs ConnContext and Handler of this package.
func (f *Front) HTTPS() net.Listener { return f.https }

// HTTP gives those that speak HTTP in the clear, which are to be sent to HTTPS.
func (f *Front) HTTP() net.Listener { return f.http }

// Serve begins to accept.
func (f *Front) Serve(to Destinations) {
	f.to = to
	f.running.Go(f.accept)
}

// Close stops accepting, closes what is undecided, and waits. What was handed over is its owner's. It may be called twice.
func (f *Front) Close() error {
	f.stop()
	_ = f.https.Close()
	_ = f.http.Close()
	err := f.listener.Close()
	f.running.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Pauses after a failed Accept: it fails as long as the process is out of file descriptors, and must be tried again.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = time.Second
)

func (f *Front) accept() {
	pause := firstPause
	for {
		conn, err := f.listener.Accept()
		switch {
		case err == nil:
			pause = firstPause
			f.admit(conn)
		case f.ctx.Err() != nil:
			return
		default:
			select {
			case <-f.ctx.Done():
			case <-time.After(pause):
			}
			pause = min(2*pause, lastPause)
		}
	}
}

// admit decides about conn in a goroutine of its own, or closes it when there are too many.
func (f *Front) admit(conn net.Conn) {
	from, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err == nil {
		err = f.undecided.enter(from.Addr())
	}
	if err != nil {
		f.count.refuse(refusalOf(err))
		_ = conn.Close()
		return
	}
	f.running.Go(func() {
		defer f.undecided.leave(from.Addr())
		end := context.AfterFunc(f.ctx, func() { _ = conn.Close() })
		defer end() // also says "too late" to nobody: Close of a Front does not wait for what is handed over
		_ = conn.SetDeadline(time.Now().Add(f.cfg.Timeout))
		if f.decide(conn) != nil {
			_ = conn.Close()
		}
	})
}

// decide hands conn over, or says why nobody gets it.
func (f *Front) decide(conn net.Conn) error {
	kind, begun, err := classify(conn)
	if err != nil {
		f.count.refuse(silent)
		return err
	}
	if kind != demux.TLS {
		return f.hand(begun, kind, false)
	}
	secure := tls.Server(begun, f.tls)
	if err := secure.HandshakeContext(f.ctx); err != nil {
		f.count.refuse(handshake)
		return err
	}
	switch secure.ConnectionState().NegotiatedProtocol {
	case "h2", "http/1.1":
		return f.hand(secure, demux.HTTP, true)
	case alpnTURN:
		return f.hand(secure, demux.TURN, true)
	case alpnACME: // the handshake was all that the ACME server wanted
		f.count.handed(acme)
		return secure.Close()
	}
	if kind, begun, err = classify(secure); err != nil {
		f.count.refuse(silent)
		return err
	}
	return f.hand(&revealed{Conn: begun, state: secure.ConnectionState()}, kind, true)
}

var errNobody = errors.New("nobody takes this connection")

func (f *Front) hand(conn net.Conn, kind demux.Kind, secure bool) error {
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return err
	}
	switch {
	case kind == demux.HTTP && secure:
		f.count.handed(httpsKind)
		return f.https.give(conn)
	case kind == demux.HTTP:
		f.count.handed(httpKind)
		return f.http.give(conn)
	case kind == demux.TURN && f.to.TURN != nil:
		f.count.handed(turnKind)
		return f.to.TURN(conn, secure)
	case kind == demux.ICE && f.to.ICE != nil && !secure:
		f.count.handed(iceKind)
		return f.to.ICE(conn)
	}
	f.count.refuse(unknown)
	return errNobody
}
