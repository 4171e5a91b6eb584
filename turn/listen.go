package turn

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
)

// hostPort reads a listen address. No host is the wildcard, an invalid Addr.
func hostPort(addr string) (netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return netip.AddrPort{}, err
	}
	n, err := net.LookupPort("udp", port)
	if err != nil {
		return netip.AddrPort{}, err
	}
	ip := netip.IPv6Unspecified()
	switch host {
	case "":
	case "localhost":
		ip = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	default:
		if ip, err = netip.ParseAddr(host); err != nil {
			return netip.AddrPort{}, err
		}
	}
	return netip.AddrPortFrom(ip.Unmap(), uint16(n)), nil //nolint:gosec // LookupPort checked it
}

// portTries is how often another port is tried when port 0 was asked for and the one found is taken at another address.
const portTries = 20

// openUDP opens a socket for each address that the configuration stands for, all at one port.
func (s *Server) openUDP() error {
	host, err := hostPort(s.cfg.UDP)
	if err != nil {
		return fmt.Errorf("turn.udp %q: %w", s.cfg.UDP, err)
	}
	for try := 0; ; try++ {
		opened, port, err := s.bindAll(host)
		if err == nil {
			return s.serveUDP(netip.AddrPortFrom(host.Addr(), port), opened)
		}
		for _, t := range opened {
			_ = t.close()
		}
		if host.Port() != 0 || try == portTries || !errors.Is(err, syscall.EADDRINUSE) {
			return fmt.Errorf("turn.udp %q: %w", s.cfg.UDP, err)
		}
	}
}

func (s *Server) bindAll(host netip.AddrPort) (opened []*udpTransport, port uint16, err error) {
	port = host.Port()
	for _, a := range s.network.Load().listening(host.Addr()) {
		t, err := listenUDP(netip.AddrPortFrom(a, port))
		if err != nil {
			return opened, port, err
		}
		opened = append(opened, t)
		port = addrPort(t.local()).Port()
	}
	if len(opened) == 0 {
		return nil, port, errNoAddress
	}
	return opened, port, nil
}

var errNoAddress = errors.New("this machine has no address of that kind")

func (s *Server) serveUDP(host netip.AddrPort, opened []*udpTransport) error {
	s.mu.Lock()
	s.udpHost = host
	s.mu.Unlock()
	for i, t := range opened {
		if err := s.addUDP(t); err != nil {
			for _, rest := range opened[i+1:] {
				_ = rest.close()
			}
			return err
		}
	}
	return nil
}

func (s *Server) addUDP(t *udpTransport) error {
	s.mu.Lock()
	s.udp[addrPort(t.local()).Addr()] = true
	s.mu.Unlock()
	return s.add(t)
}

// followUDP opens sockets for addresses that are new and closes those of addresses that are gone.
func (s *Server) followUDP() error {
	s.mu.Lock()
	host, have := s.udpHost, s.udp
	var gone []*socket
	want := s.network.Load().listening(host.Addr())
	for k := range s.sockets {
		a := addrPort(k.LocalAddr()).Addr()
		if _, udp := k.transport.(*udpTransport); udp && !slices.Contains(want, a) {
			gone = append(gone, k)
			delete(have, a)
		}
	}
	want = slices.DeleteFunc(want, func(a netip.Addr) bool { return have[a] })
	s.mu.Unlock()
	if !host.IsValid() {
		return nil
	}
	for _, k := range gone {
		_ = k.Close()
	}
	var errs []error
	for _, a := range want {
		t, err := listenUDP(netip.AddrPortFrom(a, host.Port()))
		if err == nil {
			err = s.addUDP(t)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// listening are the addresses to open a socket at for a configured host.
func (n *network) listening(host netip.Addr) []netip.Addr {
	if !host.IsUnspecified() {
		return []netip.Addr{host}
	}
	list := bindable(n.own)
	if host.Is4() { // 0.0.0.0 asks for IPv4, no host or [::] for both
		list = slices.DeleteFunc(list, netip.Addr.Is6)
	}
	return list
}

func (s *Server) openTCP() error {
	host, err := hostPort(s.cfg.TCP)
	if err != nil {
		return fmt.Errorf("turn.tcp %q: %w", s.cfg.TCP, err)
	}
	l, err := s.listen(host)
	if err != nil {
		return fmt.Errorf("turn.tcp %q: %w", s.cfg.TCP, err)
	}
	s.mu.Lock()
	s.tcpHost = netip.AddrPortFrom(host.Addr(), addrPort(l.Addr()).Port())
	s.mu.Unlock()
	return nil
}

// listen accepts streams at host.
func (s *Server) listen(host netip.AddrPort) (net.Listener, error) {
	network := "tcp"
	if host.Addr().Is4() {
		network = "tcp4"
	}
	var lc net.ListenConfig
	l, err := lc.Listen(s.ctx, network, host.String())
	if err != nil {
		return nil, err
	}
	w := &listener{Listener: l, srv: s}
	s.mu.Lock()
	s.listeners = append(s.listeners, w)
	s.mu.Unlock()
	s.running.Go(w.serve)
	return l, nil
}
