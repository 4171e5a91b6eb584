package turn

import (
	"net/netip"
	"slices"

	"github.com/turnout-rtc/turnout/turn/policy"
)

// network is what is known about this machine's addresses at one time. It is immutable.
type network struct {
	own    []netip.Addr // of the interfaces
	first  []netip.Addr // those that the routes to the Internet use
	public []netip.Addr // how the outside calls this machine; empty when it needs no other name
}

func findNetwork(public []netip.Addr) (*network, error) {
	own, err := ownAddresses()
	if err != nil {
		return nil, err
	}
	n := &network{own: own, public: public}
	for _, v6 := range []bool{false, true} {
		if a := primary(v6); a.IsValid() {
			n.first = append(n.first, a)
		}
	}
	return n, nil
}

// relayAddress is the local address of a relay for a client that came in at in; invalid when there is none of the family.
func (n *network) relayAddress(in netip.Addr, v6 bool) netip.Addr {
	return relayFrom(in, v6, n.own, n.first...)
}

// outside is the public name of one of our own addresses, others are returned as they are.
func (n *network) outside(a netip.AddrPort) netip.AddrPort {
	if len(n.public) == 0 || !slices.Contains(n.own, a.Addr()) {
		return a
	}
	for _, p := range n.public {
		if p.Is4() == a.Addr().Is4() {
			return netip.AddrPortFrom(p, a.Port())
		}
	}
	return a
}

// inside is where one of our public addresses is reached without leaving the machine: most NATs do not turn datagrams
// around. Others are returned as they are.
func (n *network) inside(a netip.AddrPort) netip.AddrPort {
	if !slices.Contains(n.public, a.Addr()) || slices.Contains(n.own, a.Addr()) {
		return a
	}
	if local := n.relayAddress(netip.Addr{}, a.Addr().Is6()); local.IsValid() {
		return netip.AddrPortFrom(local, a.Port())
	}
	return a
}

// advertised are the addresses to hand to clients of a listener at host, which may be a wildcard.
func (n *network) advertised(host netip.Addr) []netip.Addr {
	switch {
	case len(n.public) > 0:
		return n.public
	case host.IsUnspecified():
		return advertised(n.own, n.first...)
	}
	return []netip.Addr{host}
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

// policy makes the judge of peers for this network.
func (n *network) policy(s *settings, media []netip.AddrPort, listening []uint16) *policy.Policy {
	return policy.New(policy.Config{
		Media: media, Allow: s.allow, Deny: s.deny, Own: append(slices.Clone(n.own), n.public...), Listening: listening,
		MediaOnly: s.Relay.Mode == relaySelf, LowPorts: s.Relay.NoLow,
	})
}

// readNetwork looks at the machine's addresses, and makes the policy that follows from them and the settings.
func (s *Server) readNetwork() {
	cfg := s.settings.Load()
	n, err := findNetwork(cfg.public)
	if err != nil {
		s.log.Warn("turn: this machine's addresses cannot be read", "error", err)
		return
	}
	s.network.Store(n)
	s.renewPolicy()
}

// renewPolicy makes the policy that follows from the network and the settings.
func (s *Server) renewPolicy() {
	s.mu.Lock()
	var ports []uint16
	for _, l := range s.listening {
		ports = append(ports, l.at.Port())
	}
	s.mu.Unlock()
	s.policy.Store(s.network.Load().policy(s.settings.Load(), s.media, ports))
}

// live says whether one of our relays is at an address, by its local or its public name.
func (s *Server) live(a netip.AddrPort) bool { return s.relayAt(a) != nil }

// relayAt finds the relay at an address, nil when there is none.
func (s *Server) relayAt(a netip.AddrPort) *relay {
	s.relayMu.RLock()
	defer s.relayMu.RUnlock()
	return s.relayed[a]
}

// inside is where a peer is reached from here.
func (s *Server) inside(a netip.AddrPort) netip.AddrPort {
	if r := s.relayAt(a); r != nil {
		return r.local
	}
	return s.network.Load().inside(a)
}

// outside is the name by which clients know an address.
func (s *Server) outside(a netip.AddrPort) netip.AddrPort { return s.network.Load().outside(a) }
