package icefull

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// ErrCandidate says that a candidate cannot be understood.
var ErrCandidate = errors.New("icefull: malformed candidate")

// ParseCandidate reads a candidate of the peer's (RFC 8839 §5.1), with or without "candidate:" in front. It says false if
// there is nothing to check in it: it is one of TCP, which the peer connects itself, of another component, or has the name of
// a host in place of its address, as browsers hide it (mDNS).
func ParseCandidate(s string) (netip.AddrPort, bool, error) {
	f := strings.Fields(strings.TrimPrefix(strings.TrimPrefix(s, "a="), "candidate:"))
	if len(s) > 1024 || len(f) < 8 || f[6] != "typ" {
		return netip.AddrPort{}, false, ErrCandidate
	}
	port, err := strconv.ParseUint(f[5], 10, 16)
	if err != nil {
		return netip.AddrPort{}, false, ErrCandidate
	}
	if f[1] != "1" || !strings.EqualFold(f[2], "udp") || strings.HasSuffix(strings.ToLower(f[4]), ".local") {
		return netip.AddrPort{}, false, nil
	}
	ip, err := netip.ParseAddr(f[4])
	if err != nil {
		return netip.AddrPort{}, false, ErrCandidate
	}
	ip = ip.Unmap()
	usable := port != 0 && ip.Zone() == "" && (ip.IsGlobalUnicast() || ip.IsLoopback())
	return netip.AddrPortFrom(ip, uint16(port)), usable, nil
}
