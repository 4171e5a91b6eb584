package turn

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/turnout-rtc/turnout/turn/quota"
)

// listener accepts streams for a server.
type listener struct {
	net.Listener
	srv *Server
	tls *tls.Config // nil for plain TCP
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
			l.srv.accept(conn, l.tls)
		case errors.Is(err, net.ErrClosed):
			return
		default:
			l.srv.wait(pause)
			pause = min(2*pause, lastPause)
		}
	}
}

func (s *Server) wait(d time.Duration) {
	select {
	case <-s.ctx.Done():
	case <-time.After(d):
	}
}

// accept serves a new connection, or closes it when there are too many. It returns at once.
func (s *Server) accept(conn net.Conn, config *tls.Config) {
	release, err := s.admit(conn)
	if err != nil {
		_ = conn.Close()
		return
	}
	if config == nil {
		_ = s.stream(conn, kindTCP, release)
		return
	}
	s.running.Go(func() {
		if secure := s.handshake(conn, config); secure != nil {
			_ = s.stream(secure, kindTLS, release)
			return
		}
		release()
	})
}

var errAddress = errors.New("the connection has no TCP addresses")

// admit counts a connection, or says why there may be no more.
func (s *Server) admit(conn net.Conn) (release func(), err error) {
	from := addrPort(conn.RemoteAddr()).Addr()
	if !from.IsValid() || !addrPort(conn.LocalAddr()).IsValid() {
		return nil, errAddress
	}
	l := s.settings.Load().Limits
	err = s.connections.reserve(quota.Caps{PerSource: l.ConnectionsPerSource, Total: l.Connections}, "", from)
	switch {
	case errors.Is(err, quota.ErrSource):
		s.count.refuse(limitConnectionsPerSource)
	case err != nil:
		s.count.refuse(limitConnections)
	default:
		s.count.connections.Add(1)
	}
	return func() { s.dismiss(from) }, err
}

func (s *Server) dismiss(from netip.Addr) {
	s.connections.release("", from)
	s.count.connections.Add(-1)
}

// handshake makes conn secure. It closes conn when that fails or takes too long, and returns nil.
func (s *Server) handshake(conn net.Conn, config *tls.Config) net.Conn {
	ctx, cancel := context.WithTimeout(s.ctx, s.settings.Load().Limits.HandshakeTimeout)
	defer cancel()
	secure := tls.Server(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		s.count.handshakes[handshakeFailed].Add(1)
		_ = conn.Close()
		return nil
	}
	s.count.handshakes[handshakeOK].Add(1)
	return secure
}

func (s *Server) stream(conn net.Conn, kind string, release func()) error {
	t := newStream(conn, s.settings.Load().Limits, release)
	return s.add(t, kind, addrPort(conn.LocalAddr()))
}

// Adopt serves a connection that somebody else has accepted, such as one of a port that TURN shares with HTTP, whose first
// bytes said that it is TURN (see package demux) and can still be read from it. secure says that it is inside TLS.
// Its addresses must be *net.TCPAddr. The server owns conn from now on, also when it returns an error. It returns at once.
func (s *Server) Adopt(conn net.Conn, secure bool) error {
	release, err := s.admit(conn)
	if err != nil {
		_ = conn.Close()
		return err
	}
	kind := kindTCP
	if secure {
		kind = kindTLS
		s.count.handshakes[handshakeOK].Add(1)
	}
	return s.stream(conn, kind, release)
}

// AdoptPacketConn serves STUN and TURN on a packet connection that somebody else reads, such as the share of a UDP port that
// it has with media. Its addresses must be *net.UDPAddr, and its LocalAddr that of the real socket: a wildcard one answers
// from wherever its owner sends. One that has the methods ReadFromUDPAddrPort and WriteToUDPAddrPort of a *net.UDPConn is read
// and written by them, without an allocation for each datagram. The server closes it when it closes.
func (s *Server) AdoptPacketConn(conn net.PacketConn) error {
	local := addrPort(conn.LocalAddr())
	if !local.IsValid() {
		_ = conn.Close()
		return errAddress
	}
	if c, ok := conn.(udpConn); ok {
		return s.add(&udpTransport{c}, kindUDP, local)
	}
	return s.add(&packetTransport{conn}, kindUDP, local)
}

// packetTransport is a packet connection that was handed in.
type packetTransport struct{ conn net.PacketConn }

func (t *packetTransport) read(p []byte) (int, netip.AddrPort, error) {
	for {
		n, from, err := t.conn.ReadFrom(p)
		if err != nil {
			return 0, netip.AddrPort{}, err
		}
		if a := addrPort(from); a.IsValid() {
			return n, a, nil
		}
	}
}

func (t *packetTransport) write(b []byte, to netip.AddrPort) error {
	_, err := t.conn.WriteTo(b, net.UDPAddrFromAddrPort(to))
	return err
}

func (t *packetTransport) hold(bool)    {}
func (t *packetTransport) close() error { return t.conn.Close() }
