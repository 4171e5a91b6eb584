package policy

import (
	"math/rand/v2"
	"net/netip"
	"testing"
)

func none(netip.AddrPort) bool { return false }

func judge(p *Policy, to netip.AddrPort, live func(netip.AddrPort) bool) Reason {
	r, _ := p.Peer(to, live)
	return r
}

func ap(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// Every address of the built-in list is refused, however it is written.
func TestSpecialAddressesAreRefused(t *testing.T) {
	p := New(Config{})
	for _, c := range []struct {
		addr string
		want Reason
	}{
		{"0.0.0.0", Unspecified}, {"0.1.2.3", Unspecified}, {"10.0.0.1", Private}, {"100.64.0.1", Private},
		{"100.100.100.200", Private}, {"127.0.0.1", Loopback}, {"127.9.9.9", Loopback}, {"169.254.169.254", LinkLocal},
		{"172.16.0.1", Private}, {"172.31.255.255", Private}, {"192.0.0.1", Reserved}, {"192.0.2.1", Reserved},
		{"192.88.99.1", Reserved}, {"192.168.1.1", Private}, {"198.18.0.1", Reserved}, {"198.19.255.1", Reserved},
		{"198.51.100.1", Reserved}, {"203.0.113.1", Reserved}, {"224.0.0.1", Multicast}, {"239.1.1.1", Multicast},
		{"240.0.0.1", Reserved}, {"255.255.255.255", Reserved},
		{"::", Unspecified}, {"::1", Loopback}, {"fc00::1", Private}, {"fdff::1", Private}, {"fe80::1", LinkLocal},
		{"fe80::1%eth0", LinkLocal}, {"febf::1", LinkLocal}, {"fec0::1", Private}, {"ff02::1", Multicast},
		{"2001:db8::1", Reserved}, {"100::1", Reserved},
		// the same IPv4 hosts in disguise
		{"::ffff:127.0.0.1", Loopback}, {"::ffff:0.0.0.0", Unspecified}, {"::ffff:10.0.0.1", Private},
		{"::127.0.0.1", Loopback}, {"::10.0.0.1", Private},
		{"64:ff9b::127.0.0.1", Loopback}, {"64:ff9b::169.254.169.254", LinkLocal}, {"64:ff9b:1::10.0.0.1", Private},
		{"2002:7f00:1::1", Loopback}, {"2002:a9fe:a9fe::1", LinkLocal}, {"2002:a00:1::", Private},
		{"2001:0:1:2:3:4:80ff:fffe", Loopback}, {"2001:0:1:2:3:4:5601:5601", LinkLocal},
	} {
		a := netip.MustParseAddr(c.addr)
		if got := p.Address(a); got != c.want {
			t.Errorf("Address(%s) = %s, want %s", c.addr, got, c.want)
		}
		if got := judge(p, netip.AddrPortFrom(a, 5000), none); got != c.want {
			t.Errorf("Peer(%s) = %s, want %s", c.addr, got, c.want)
		}
	}
}

func TestTheInternetIsAllowed(t *testing.T) {
	p := New(Config{})
	for _, a := range []string{
		"1.1.1.1", "172.32.0.1", "100.128.0.1", "193.0.0.1", "223.255.255.255", "::ffff:1.1.1.1",
		"2a00:1450::1", "64:ff9b::1.1.1.1", "2002:101:101::1", "2001:4860::1",
	} {
		if got := p.Address(netip.MustParseAddr(a)); got != Allowed {
			t.Errorf("Address(%s) = %s", a, got)
		}
		if got := judge(p, netip.AddrPortFrom(netip.MustParseAddr(a), 5000), none); got != Allowed {
			t.Errorf("Peer(%s) = %s", a, got)
		}
	}
	if got := judge(p, ap("1.1.1.1:0"), none); got != Reserved {
		t.Errorf("port 0: %s", got)
	}
}

func TestTheMediaServerIsReachableWhereverItIs(t *testing.T) {
	p := New(Config{
		Media: []netip.AddrPort{ap("127.0.0.1:7882"), ap("[::]:7883"), ap("10.0.0.9:0")},
		Own:   []netip.Addr{netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("fd00::5"), netip.MustParseAddr("127.0.0.1")},
	})
	for _, c := range []struct {
		peer string
		want Reason
	}{
		{"127.0.0.1:7882", Allowed}, {"[::ffff:127.0.0.1]:7882", Allowed}, {"127.0.0.1:7881", Loopback}, {"127.0.0.2:7882", Loopback},
		{"10.0.0.5:7883", Allowed}, {"[fd00::5]:7883", Allowed}, {"127.0.0.1:7883", Allowed}, {"10.0.0.5:22", Own},
		{"10.0.0.9:1", Allowed}, {"10.0.0.10:7883", Private},
	} {
		if got := judge(p, ap(c.peer), none); got != c.want {
			t.Errorf("Peer(%s) = %s, want %s", c.peer, got, c.want)
		}
	}
	if got := p.Address(netip.MustParseAddr("127.0.0.1")); got != Allowed {
		t.Errorf("Address of a media address = %s", got)
	}
}

func TestOwnAddressesAreReachedAtLiveRelayPortsOnly(t *testing.T) {
	own := netip.MustParseAddr("10.0.0.5")
	p := New(Config{Own: []netip.Addr{own, netip.MustParseAddr("127.0.0.1")}, Listening: []uint16{3478}})
	live := func(a netip.AddrPort) bool { return a.Port() == 50000 || a.Port() == 3478 }
	for _, c := range []struct {
		peer string
		want Reason
	}{{"10.0.0.5:50000", Allowed}, {"10.0.0.5:50001", Own}, {"10.0.0.5:3478", OwnPort}, {"127.0.0.1:50000", Loopback}} {
		if got := judge(p, ap(c.peer), live); got != c.want {
			t.Errorf("Peer(%s) = %s, want %s", c.peer, got, c.want)
		}
	}
	for to, want := range map[string]bool{"10.0.0.5:50000": false, "10.0.0.5:50001": false, "10.0.0.5:3478": true, "1.1.1.1:5000": true} {
		if _, lasting := p.Peer(ap(to), live); lasting != want {
			t.Errorf("Peer(%s) lasts: %v", to, lasting)
		}
	}
	if got := p.Address(own); got != Allowed {
		t.Errorf("a relay may be at %s, got %s", own, got)
	}
}

func TestAllowOpensAndDenyCloses(t *testing.T) {
	p := New(Config{
		Allow:     []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("1.1.1.1/32")},
		Deny:      []netip.Prefix{netip.MustParsePrefix("1.1.1.0/24")},
		Own:       []netip.Addr{netip.MustParseAddr("127.0.0.1")},
		Listening: []uint16{3478}, LowPorts: true,
	})
	for _, c := range []struct {
		peer string
		want Reason
	}{
		{"127.0.0.1:3480", Allowed}, {"127.0.0.1:3478", OwnPort}, {"127.0.0.9:3478", OwnPort}, {"1.1.1.1:53", Allowed},
		{"1.1.1.2:5000", Listed}, {"[64:ff9b::1.1.1.2]:5000", Listed}, {"[64:ff9b::127.0.0.1]:3480", Own},
		{"8.8.8.8:53", LowPort}, {"8.8.8.8:443", Allowed},
	} {
		if got := judge(p, ap(c.peer), none); got != c.want {
			t.Errorf("Peer(%s) = %s, want %s", c.peer, got, c.want)
		}
	}
}

func TestMediaOnlyReachesNothingElse(t *testing.T) {
	p := New(Config{Media: []netip.AddrPort{ap("10.0.0.5:7882")}, MediaOnly: true, Allow: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}})
	if got := judge(p, ap("10.0.0.5:7882"), none); got != Allowed {
		t.Errorf("media: %s", got)
	}
	for _, peer := range []string{"1.1.1.1:5000", "10.0.0.5:7883", "[2a00::1]:1"} {
		if got := judge(p, ap(peer), none); got != NotMedia {
			t.Errorf("Peer(%s) = %s", peer, got)
		}
	}
}

// Whatever address Peer lets through, Address lets through too: a permission is never refused to a legal peer.
func TestAddressIsNeverStricterThanPeer(t *testing.T) {
	own := netip.MustParseAddr("10.0.0.5")
	p := New(Config{
		Media: []netip.AddrPort{ap("127.0.0.1:7882"), ap("0.0.0.0:7882")}, Own: []netip.Addr{own},
		Allow: []netip.Prefix{netip.MustParsePrefix("192.168.0.0/24")}, Deny: []netip.Prefix{netip.MustParsePrefix("8.0.0.0/8")},
	})
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		var b [4]byte
		for i := range b {
			b[i] = []byte{0, 1, 5, 8, 10, 127, 168, 192, 224, byte(rng.UintN(256))}[rng.IntN(10)]
		}
		to := netip.AddrPortFrom(netip.AddrFrom4(b), []uint16{7882, 5000, 50000}[rng.IntN(3)])
		if judge(p, to, func(a netip.AddrPort) bool { return a.Port() == 50000 }) == Allowed && p.Address(to.Addr()) != Allowed {
			t.Fatalf("%v: peer allowed, address refused", to)
		}
	}
}

func TestJudgingAllocatesNothing(t *testing.T) {
	p := New(Config{Media: []netip.AddrPort{ap("127.0.0.1:7882")}})
	peers := []netip.AddrPort{ap("1.1.1.1:5000"), ap("[64:ff9b::1.1.1.1]:5000"), ap("127.0.0.1:7882")}
	if n := testing.AllocsPerRun(100, func() {
		for _, a := range peers {
			p.Peer(a, none)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestEveryReasonHasALabel(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range Reasons() {
		if s := r.String(); s == "" || seen[s] {
			t.Errorf("reason %d: %q", r, s)
		} else {
			seen[s] = true
		}
	}
}
