package lite

import (
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/turnout-rtc/turnout/sfu/lite/answer"
)

// expand replaces an unspecified address by all addresses of this machine of its family, 0.0.0.0 by those of IPv4, [::] by
// both: each gets a socket of its own, so that an answer leaves from the address that was asked. IPv4 loopback comes last, for
// clients on this machine.
func expand(listen []netip.AddrPort) ([]netip.AddrPort, error) {
	var out []netip.AddrPort
	add := func(a netip.AddrPort) {
		if !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	for _, l := range listen {
		if !l.Addr().IsUnspecified() {
			add(withPort(l, l.Port()))
			continue
		}
		own, err := net.InterfaceAddrs()
		if err != nil {
			return nil, fmt.Errorf("lite: the addresses of this machine: %w", err)
		}
		found := append(usable(own, l.Addr().Is4()), netip.AddrFrom4([4]byte{127, 0, 0, 1}))
		for _, a := range found {
			add(netip.AddrPortFrom(a, l.Port()))
		}
	}
	return out, nil
}

// Addresses are those that a server which listens on listen would have.
func Addresses(listen []netip.AddrPort) ([]netip.Addr, error) {
	all, err := expand(listen)
	var own []netip.Addr
	for _, a := range all {
		own = append(own, a.Addr())
	}
	return own, err
}

// usable leaves out what no candidate can contain: loopback, and IPv6 link-local addresses, which need a zone.
func usable(own []net.Addr, only4 bool) (out []netip.Addr) {
	for _, o := range own {
		n, ok := o.(*net.IPNet)
		if !ok {
			continue
		}
		a, _ := netip.AddrFromSlice(n.IP)
		a = a.Unmap()
		if a.IsGlobalUnicast() && (a.Is4() || !only4) {
			out = append(out, a)
		}
	}
	return out
}

func withPort(a netip.AddrPort, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), port)
}

func addrOf(l *net.TCPListener) netip.AddrPort {
	a := l.Addr().(*net.TCPAddr).AddrPort()
	return withPort(a, a.Port())
}

func (s *Server) offer(protocol string, a netip.AddrPort) {
	s.advertised = append(s.advertised, answer.Candidate{Protocol: protocol, Addr: a})
}
