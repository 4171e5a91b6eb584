package turn

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"syscall"
)

var (
	errNoAddress = errors.New("this machine has no address of that kind")
	errNoCert    = errors.New("TURN over TLS needs a certificate: set domain, tls.cert and tls.key, or tls.self_signed")
)

// portTries is how often another port is tried when port 0 was asked for and the one found is taken at another address.
const portTries = 20

// openUDP opens sockets for each address that host stands for, all at one port.
func (s *Server) openUDP(host netip.AddrPort) error {
	for try := 0; ; try++ {
		opened, port, err := s.bindAll(host)
		if err == nil {
			s.listenAt(listening{kind: kindUDP, at: netip.AddrPortFrom(host.Addr(), port)})
			return s.addAll(opened)
		}
		closeAll(opened)
		if host.Port() != 0 || try == portTries || !errors.Is(err, syscall.EADDRINUSE) {
			return err
		}
	}
}

func (s *Server) bindAll(host netip.AddrPort) (opened []*net.UDPConn, port uint16, err error) {
	port = host.Port()
	for _, a := range s.network.Load().listening(host.Addr()) {
		more, err := s.bind(netip.AddrPortFrom(a, port))
		opened = append(opened, more...)
		switch {
		case errors.Is(err, syscall.EADDRNOTAVAIL) && host.Addr().IsUnspecified():
			continue // an IPv6 address that is still being checked for duplicates, for one; watch tries again
		case err != nil:
			return opened, port, err
		}
		port = addrPort(more[0].LocalAddr()).Port()
	}
	if len(opened) == 0 {
		return nil, port, errNoAddress
	}
	return opened, port, nil
}

// bind opens the configured number of sockets at one address.
func (s *Server) bind(at netip.AddrPort) (opened []*net.UDPConn, err error) {
	n := s.settings.Load().Relay.Sockets
	for range n {
		conn, err := listenUDP(s.ctx, at, n > 1)
		if err != nil {
			return opened, err
		}
		opened = append(opened, conn)
		at = addrPort(conn.LocalAddr())
	}
	return opened, nil
}

func listenUDP(ctx context.Context, at netip.AddrPort, shared bool) (*net.UDPConn, error) {
	var lc net.ListenConfig
	if shared {
		lc.Control = sharePort
	}
	pc, err := lc.ListenPacket(ctx, udpNetwork(at.Addr()), at.String())
	if err != nil {
		return nil, err
	}
	conn, ok := pc.(*net.UDPConn)
	if !ok {
		_ = pc.Close()
		return nil, errors.ErrUnsupported
	}
	_ = conn.SetReadBuffer(listenBuffer)
	_ = conn.SetWriteBuffer(listenBuffer)
	return conn, nil
}

func closeAll(conns []*net.UDPConn) {
	for _, c := range conns {
		_ = c.Close()
	}
}

func (s *Server) addAll(conns []*net.UDPConn) error {
	for i, c := range conns {
		at := addrPort(c.LocalAddr())
		if err := s.add(s.packets(c), kindUDP, at); err != nil {
			closeAll(conns[i+1:])
			return err
		}
	}
	return nil
}

// followUDP opens sockets for addresses that are new and closes those of addresses that are gone.
func (s *Server) followUDP() error {
	var errs []error
	for _, l := range s.listens() {
		if l.kind == kindUDP && !l.shared && l.at.Addr().IsUnspecified() {
			errs = append(errs, s.follow(l.at))
		}
	}
	return errors.Join(errs...)
}

func (s *Server) follow(host netip.AddrPort) error {
	want := s.network.Load().listening(host.Addr())
	have := map[netip.Addr]bool{}
	var gone []*socket
	s.mu.Lock()
	for k := range s.sockets {
		switch {
		case k.kind != kindUDP || k.local.Port() != host.Port():
		case slices.Contains(want, k.local.Addr()):
			have[k.local.Addr()] = true
		default:
			gone = append(gone, k)
		}
	}
	s.mu.Unlock()
	for _, k := range gone {
		_ = k.Close()
	}
	var errs []error
	for _, a := range want {
		if have[a] {
			continue
		}
		opened, err := s.bind(netip.AddrPortFrom(a, host.Port()))
		errs = append(errs, err, s.addAll(opened))
	}
	return errors.Join(errs...)
}

func (s *Server) openTCP(host netip.AddrPort) error { return s.openStream(host, kindTCP, nil) }

func (s *Server) openTLS(host netip.AddrPort) error {
	if s.getCert == nil {
		return errNoCert
	}
	return s.openStream(host, kindTLS, &tls.Config{GetCertificate: s.getCert, MinVersion: tls.VersionTLS12})
}

// openStream accepts connections at host.
func (s *Server) openStream(host netip.AddrPort, kind string, config *tls.Config) error {
	network, at := "tcp", host.String()
	switch {
	case host.Addr().Is4():
		network = "tcp4"
	case host.Addr().IsUnspecified():
		at = net.JoinHostPort("", strconv.Itoa(int(host.Port()))) // works without IPv6, too
	}
	var lc net.ListenConfig
	l, err := lc.Listen(s.ctx, network, at)
	if err != nil {
		return err
	}
	w := &listener{Listener: l, srv: s, tls: config}
	s.listenAt(listening{kind: kind, at: netip.AddrPortFrom(host.Addr(), addrPort(l.Addr()).Port()), listener: w})
	s.running.Go(w.serve)
	return nil
}

func (s *Server) listenAt(l listening) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listening = append(s.listening, l)
}
