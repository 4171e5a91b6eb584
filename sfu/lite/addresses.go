package lite

import (
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/turnout-rtc/turnout/sfu/lite/answer"
)

// interfaces lists the addresses of this machine that can be told to others: not IPv6 link-local ones, which need a zone. IPv4
// loopback comes last, for clients on this machine.
func interfaces() ([]netip.Addr, error) {
	own, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("lite: the addresses of this machine: %w", err)
	}
	var all []netip.Addr
	for _, o := range own {
		n, ok := o.(*net.IPNet)
		if !ok {
			continue
		}
		a, _ := netip.AddrFromSlice(n.IP)
		if a = a.Unmap(); a.IsGlobalUnicast() && !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return append(all, netip.AddrFrom4([4]byte{127, 0, 0, 1})), nil
}

// expand replaces an unspecified address by all own ones of its family, 0.0.0.0 by those of IPv4, [::] by both.
func expand(listen []netip.AddrPort, own []netip.Addr) (out []netip.AddrPort) {
	for _, l := range listen {
		of := []netip.Addr{l.Addr().Unmap()}
		if l.Addr().IsUnspecified() {
			of = own
		}
		for _, a := range of {
			if one := netip.AddrPortFrom(a, l.Port()); !(l.Addr().Is4() && a.Is6()) && !slices.Contains(out, one) {
				out = append(out, one)
			}
		}
	}
	return out
}

// Addresses are those that a server which listens on listen would have.
func Addresses(listen []netip.AddrPort) ([]netip.Addr, error) {
	own, err := interfaces()
	var all []netip.Addr
	for _, a := range expand(listen, own) {
		all = append(all, a.Addr())
	}
	return all, err
}

// wildcard says whether the server's addresses are those of the machine, which may change.
func (c Config) wildcard() bool {
	return slices.ContainsFunc(slices.Concat(c.UDP, c.TCP, c.Shared), func(a netip.AddrPort) bool { return a.Addr().IsUnspecified() })
}

// candidates are what answers contain when the machine has the addresses own, but for what NATs make of them.
func (s *Server) candidates(own []netip.Addr) []answer.Candidate {
	if len(s.cfg.Advertise) > 0 {
		return s.cfg.Advertise
	}
	var all []answer.Candidate
	add := func(protocol string, addrs []netip.AddrPort) {
		for _, a := range addrs {
			all = append(all, answer.Candidate{Protocol: protocol, Addr: a})
		}
	}
	add("udp", s.listening(own))
	for _, l := range s.tcp {
		add("tcp", expand([]netip.AddrPort{l.at}, own))
	}
	add("tcp", expand(s.cfg.Shared, own))
	return all
}

func addrOf(l *net.TCPListener) netip.AddrPort {
	a := l.Addr().(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
