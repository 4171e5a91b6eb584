package native

import (
	"net/netip"
	"strings"
	"testing"
)

func TestICEFollowsTheAddresses(t *testing.T) {
	addrs := func(all ...string) (out []netip.Addr) {
		for _, a := range all {
			out = append(out, netip.MustParseAddr(a))
		}
		return out
	}
	for _, c := range []struct {
		name string
		cfg  Config
		own  []netip.Addr
		want ICE
	}{
		{"configured", Config{ICE: Full}, addrs("198.51.100.1"), Full},
		{"configured the other way", Config{ICE: Lite}, addrs("10.0.0.1"), Lite},
		{"public address configured", Config{ICE: Auto, Public: addrs("198.51.100.1")}, addrs("10.0.0.1"), Lite},
		{"nobody else", Config{}, addrs("127.0.0.1", "::1"), Lite},
		{"nothing at all", Config{}, nil, Lite},
		{"public", Config{}, addrs("198.51.100.1", "127.0.0.1"), Lite},
		{"public beside one of containers", Config{}, addrs("172.17.0.1", "198.51.100.1", "fd00::1"), Lite},
		{"private", Config{}, addrs("192.168.1.2", "127.0.0.1"), Full},
		{"a provider's NAT", Config{}, addrs("100.64.3.4"), Full},
		{"private, and public for IPv6 only", Config{}, addrs("192.168.1.2", "2001:db8::1"), Full},
		{"IPv6 only", Config{}, addrs("2001:db8::1", "127.0.0.1"), Lite},
		{"local IPv6 only", Config{}, addrs("fd00::1"), Full},
	} {
		if got, why := choose(c.cfg, c.own); got != c.want || why == "" {
			t.Errorf("%s: %q because %q", c.name, got, why)
		}
	}
}

func TestWhoHasAPrivateAddressOnlyIsToldWhatToDo(t *testing.T) {
	own := []netip.Addr{netip.MustParseAddr("10.0.0.1")}
	if _, why := choose(Config{}, own); !strings.Contains(why, "rtc.stun") {
		t.Error(why)
	}
	if _, why := choose(Config{STUN: []string{"stun.example.org"}}, own); strings.Contains(why, "rtc.stun") {
		t.Error(why)
	}
}
