package native

import (
	"fmt"
	"net/netip"
)

// carrierNAT is shared by the customers of a provider (RFC 6598).
var carrierNAT = netip.MustParsePrefix("100.64.0.0/10")

// choose decides whether clients can reach a server that has its own addresses and only answers them, and says why. IPv4
// decides if there is any: a public address of IPv6 helps nobody who has IPv4 only.
func choose(c Config, own []netip.Addr) (ICE, string) {
	if c.ICE == Lite || c.ICE == Full {
		return c.ICE, "it was asked for"
	}
	if len(c.Public) > 0 {
		return Lite, fmt.Sprintf("the public address %s is configured", c.Public[0])
	}
	for _, family := range []func(netip.Addr) bool{netip.Addr.Is4, netip.Addr.Is6} {
		var private netip.Addr
		for _, a := range own {
			switch {
			case !family(a) || a.IsLoopback():
			case a.IsPrivate() || carrierNAT.Contains(a):
				private = a
			default:
				return Lite, fmt.Sprintf("%s is a public address", a)
			}
		}
		if private.IsValid() {
			why := fmt.Sprintf("%s is a private address", private)
			if len(c.STUN) == 0 {
				why += "; clients elsewhere need rtc.public, or rtc.stun behind a NAT, or TURN"
			}
			return Full, why
		}
	}
	return Lite, "only this machine can reach it"
}
