package policy

import (
	"encoding/binary"
	"net/netip"
)

// Reason says why an address may not be reached. The strings are metric labels.
type Reason uint8

// Reasons. Allowed is the zero value.
const (
	Allowed     Reason = iota
	Unspecified        // 0.0.0.0, ::, which many systems take for loopback
	Loopback
	Private
	LinkLocal // where cloud metadata services live
	Multicast
	Reserved // documentation, benchmarking, future use, port 0
	Own      // another service on this machine
	OwnPort  // the TURN server itself
	LowPort  // a port below 1024, when those are refused
	Listed   // refused by configuration
	NotMedia // relay "self" reaches the media server only
)

var labels = [...]string{
	"allowed", "unspecified", "loopback", "private", "link_local", "multicast", "reserved",
	"own_address", "own_port", "low_port", "listed", "not_media",
}

func (r Reason) String() string { return labels[r] }

// Reasons lists every refusal, for metrics that must exist before they are counted.
func Reasons() []Reason {
	all := make([]Reason, 0, len(labels)-1)
	for r := Unspecified; int(r) < len(labels); r++ {
		all = append(all, r)
	}
	return all
}

type block struct {
	prefix netip.Prefix
	reason Reason
}

// special are the blocks of the IANA special-purpose address registries (RFC 6890 and its successors) that nobody
// on the Internet can own, and the shared space of carriers (RFC 6598), where some clouds keep their metadata.
func special() []block {
	return []block{
		{netip.MustParsePrefix("0.0.0.0/8"), Unspecified},
		{netip.MustParsePrefix("10.0.0.0/8"), Private},
		{netip.MustParsePrefix("100.64.0.0/10"), Private},
		{netip.MustParsePrefix("127.0.0.0/8"), Loopback},
		{netip.MustParsePrefix("169.254.0.0/16"), LinkLocal},
		{netip.MustParsePrefix("172.16.0.0/12"), Private},
		{netip.MustParsePrefix("192.0.0.0/24"), Reserved},
		{netip.MustParsePrefix("192.0.2.0/24"), Reserved},
		{netip.MustParsePrefix("192.88.99.0/24"), Reserved},
		{netip.MustParsePrefix("192.168.0.0/16"), Private},
		{netip.MustParsePrefix("198.18.0.0/15"), Reserved},
		{netip.MustParsePrefix("198.51.100.0/24"), Reserved},
		{netip.MustParsePrefix("203.0.113.0/24"), Reserved},
		{netip.MustParsePrefix("224.0.0.0/4"), Multicast},
		{netip.MustParsePrefix("240.0.0.0/4"), Reserved},
		{netip.MustParsePrefix("::/128"), Unspecified},
		{netip.MustParsePrefix("::1/128"), Loopback},
		{netip.MustParsePrefix("100::/64"), Reserved},
		{netip.MustParsePrefix("2001:db8::/32"), Reserved},
		{netip.MustParsePrefix("3fff::/20"), Reserved},
		{netip.MustParsePrefix("5f00::/16"), Reserved},
		{netip.MustParsePrefix("fc00::/7"), Private},
		{netip.MustParsePrefix("fe80::/10"), LinkLocal},
		{netip.MustParsePrefix("fec0::/10"), Private},
		{netip.MustParsePrefix("ff00::/8"), Multicast},
	}
}

// Canonical is the address without zone and without the IPv4-mapped form (::ffff:0:0/96), which names the same host as
// its IPv4 address and would slip past every IPv4 prefix.
func Canonical(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// embedded returns the IPv4 address that a translator or tunnel would send to: NAT64 (RFC 6052, RFC 8215), 6to4
// (RFC 3056), Teredo (RFC 4380, inverted), and the old IPv4-compatible form (RFC 4291 §2.5.5.1).
func embedded(a netip.Addr) (netip.Addr, bool) {
	if !a.Is6() {
		return netip.Addr{}, false
	}
	b := a.As16()
	four := func(at int) (netip.Addr, bool) { return netip.AddrFrom4([4]byte(b[at : at+4])), true }
	switch hi := binary.BigEndian.Uint64(b[:8]); {
	case hi == 0x0064_ff9b_0000_0000 && binary.BigEndian.Uint32(b[8:12]) == 0: // 64:ff9b::/96
		return four(12)
	case hi>>16 == 0x0064_ff9b_0001: // 64:ff9b:1::/48, most used with /96
		return four(12)
	case hi>>48 == 0x2002: // 2002::/16
		return four(2)
	case hi>>32 == 0x2001_0000: // 2001::/32
		return netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]}), true
	case hi == 0 && binary.BigEndian.Uint32(b[8:12]) == 0 && b[12]|b[13]|b[14] != 0: // ::/96, but not :: and ::1
		return four(12)
	}
	return netip.Addr{}, false
}
