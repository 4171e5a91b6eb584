// Package policy decides whom a TURN server may send to.
//
// A TURN server sends whatever its users say to wherever they say, from inside the network it stands in. So everything
// that is not plainly a host of the public Internet is refused unless it is named: the media server's own addresses,
// live relay addresses of the server itself, and what the configuration allows.
// A Policy is a value that never changes; a new one is made when the machine's addresses change.
package policy

import (
	"net/netip"
	"slices"
)

// Config of a Policy.
type Config struct {
	// Media are the media server's own addresses. An unspecified address stands for every own address, port 0 for every port.
	Media []netip.AddrPort
	// Allow is reachable whatever the built-in list says, at every port but the TURN server's own. It beats Deny.
	Allow []netip.Prefix
	// Deny is refused in addition to the built-in list.
	Deny []netip.Prefix
	// Own are the addresses of this machine's interfaces and those it is known by outside.
	Own []netip.Addr
	// Listening are the ports the TURN server listens on, at every own address.
	Listening []uint16
	// MediaOnly refuses everything but Media.
	MediaOnly bool
	// LowPorts refuses ports below 1024, but for 443.
	LowPorts bool
}

// Policy is the judge. It is immutable and safe for concurrent use; a lookup allocates nothing.
type Policy struct {
	cfg     Config
	special []block
	own     map[netip.Addr]bool
	media   map[netip.AddrPort]bool
}

// New makes the policy of c.
func New(c Config) *Policy {
	p := &Policy{cfg: c, special: special(), own: map[netip.Addr]bool{}, media: map[netip.AddrPort]bool{}}
	for _, a := range c.Own {
		p.own[Canonical(a)] = true
	}
	for _, m := range c.Media {
		if a := Canonical(m.Addr()); !a.IsUnspecified() {
			p.media[netip.AddrPortFrom(a, m.Port())] = true
			continue
		}
		for a := range p.own {
			p.media[netip.AddrPortFrom(a, m.Port())] = true
		}
	}
	return p
}

// Address judges an address whose port is not known, as in a CreatePermission request: it is allowed when some port of it
// may be.
func (p *Policy) Address(a netip.Addr) Reason {
	a = Canonical(a)
	for m := range p.media {
		if m.Addr() == a {
			return Allowed
		}
	}
	return p.host(a)
}

// Peer judges a peer. live says whether one of the server's own relays is at an address. lasting says that the answer will be
// the same for as long as this Policy is in force; it is not when it depends on live.
func (p *Policy) Peer(to netip.AddrPort, live func(netip.AddrPort) bool) (r Reason, lasting bool) {
	a, port := Canonical(to.Addr()), to.Port()
	if p.media[netip.AddrPortFrom(a, port)] || p.media[netip.AddrPortFrom(a, 0)] {
		return Allowed, true
	}
	own := p.own[a]
	switch {
	case port == 0:
		return Reserved, true
	case (own || a.IsLoopback()) && slices.Contains(p.cfg.Listening, port):
		return OwnPort, true
	}
	if r := p.host(a); r != Allowed {
		return r, true
	}
	allowed := contains(p.cfg.Allow, a)
	switch {
	case own && !allowed && !live(netip.AddrPortFrom(a, port)):
		return Own, false
	case p.cfg.LowPorts && port < 1024 && port != 443 && !allowed:
		return LowPort, true
	}
	return Allowed, !own || allowed
}

// host judges a canonical address that is not the media server's. Own addresses pass, because another user's relay may be
// there; loopback does not, because nobody outside could be.
func (p *Policy) host(a netip.Addr) Reason {
	switch {
	case p.cfg.MediaOnly:
		return NotMedia
	case contains(p.cfg.Allow, a):
		return Allowed
	case contains(p.cfg.Deny, a):
		return Listed
	case p.own[a] && !a.IsLoopback() && !a.IsLinkLocalUnicast():
		return Allowed
	}
	if r := p.builtIn(a); r != Allowed {
		return r
	}
	if v4, ok := embedded(a); ok {
		return p.tunnelled(v4)
	}
	return Allowed
}

// tunnelled judges the IPv4 address inside an IPv6 address. Own addresses do not pass: there is no reason to take the detour.
func (p *Policy) tunnelled(a netip.Addr) Reason {
	switch {
	case p.own[a]:
		return Own
	case contains(p.cfg.Deny, a):
		return Listed
	}
	return p.builtIn(a)
}

func (p *Policy) builtIn(a netip.Addr) Reason {
	for _, b := range p.special {
		if b.prefix.Contains(a) {
			return b.reason
		}
	}
	return Allowed
}

func contains(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
