package turn

import (
	"net"
	"net/netip"
	"slices"
)

// ownAddresses are the addresses of this machine's interfaces, without zones, in a fixed order.
func ownAddresses() ([]netip.Addr, error) {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var own []netip.Addr
	for _, a := range list {
		if n, ok := a.(*net.IPNet); ok {
			if ip, ok := netip.AddrFromSlice(n.IP); ok {
				own = append(own, ip.Unmap())
			}
		}
	}
	slices.SortFunc(own, netip.Addr.Compare)
	return slices.Compact(own), nil
}

// primary is the address the machine would use towards the Internet, in the family of v6; invalid when there is none.
// Connecting a UDP socket asks the routing table and sends nothing.
func primary(v6 bool) netip.Addr {
	network, to := "udp4", "192.0.2.1:9"
	if v6 {
		network, to = "udp6", "[2001:4860:4860::8888]:9"
	}
	conn, err := net.Dial(network, to)
	if err != nil {
		return netip.Addr{}
	}
	a := addrPort(conn.LocalAddr()).Addr()
	_ = conn.Close()
	return a
}

// bindable are the addresses that a wildcard stands for. Each gets a socket of its own: a wildcard UDP socket on a machine
// with several addresses answers from the wrong one.
func bindable(own []netip.Addr) []netip.Addr {
	var out []netip.Addr
	for _, a := range own {
		if !a.IsLinkLocalUnicast() && !a.IsMulticast() {
			out = append(out, a)
		}
	}
	return out
}

// maxAdvertised bounds the addresses handed to a client, which makes an allocation with each of them.
const maxAdvertised = 3

// advertised orders the addresses of a wildcard by how likely a client can reach them: the routes' own choice first,
// loopback only when there is nothing else.
func advertised(own []netip.Addr, first ...netip.Addr) []netip.Addr {
	rank := func(a netip.Addr) int {
		switch {
		case slices.Contains(first, a) && a.Is4():
			return 0
		case slices.Contains(first, a) && !a.IsPrivate():
			return 1
		case a.IsLoopback():
			return 9
		case a.Is6() && a.IsPrivate(): // unique local addresses end at the site
			return 4
		case a.Is6():
			return 3
		}
		return 2
	}
	list := bindable(own)
	slices.SortStableFunc(list, func(a, b netip.Addr) int { return rank(a) - rank(b) })
	if i := slices.IndexFunc(list, netip.Addr.IsLoopback); i > 0 {
		list = list[:i]
	}
	return list[:min(len(list), maxAdvertised)]
}

// relayFrom chooses the local address of a new relay: where the client came in, when that is of the wanted family.
// It is invalid when the machine has no address of the family.
func relayFrom(in netip.Addr, v6 bool, own []netip.Addr, first ...netip.Addr) netip.Addr {
	if in.IsValid() && in.Is6() == v6 && !in.IsUnspecified() {
		return in
	}
	for _, list := range [][]netip.Addr{first, advertised(own), own} {
		for _, a := range list {
			if a.Is6() == v6 && a.IsValid() && !a.IsLinkLocalUnicast() {
				return a
			}
		}
	}
	return netip.Addr{}
}

// addrPort is a in the form that everything here compares.
func addrPort(a net.Addr) netip.AddrPort {
	switch a := a.(type) {
	case *net.UDPAddr:
		return canonical(a.AddrPort())
	case *net.TCPAddr:
		return canonical(a.AddrPort())
	}
	return netip.AddrPort{}
}

func canonical(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}
