package turn

import (
	"bytes"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v4"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestRelaysOverUDPAndTCP(t *testing.T) { planes(t, testRelaysOverUDPAndTCP) }

func testRelaysOverUDPAndTCP(t *testing.T, cfg Config) {
	s := start(t, cfg)
	peer := echo(t, "127.0.0.1:0")
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			relay := allocate(t, dial(t, s, network, "alice"))
			for _, payload := range []string{"a", "ab", "abc", "abcd", strings.Repeat("x", 1200)} {
				roundTrip(t, relay, peer.LocalAddr(), payload)
			}
		})
	}
	if n := s.Stats().AllocationsTotal; n != 2 {
		t.Errorf("%d allocations counted", n)
	}
	eventually(t, "both allocations end", func() bool { return s.Stats().Allocations == 0 })
}

func TestAnswersBinding(t *testing.T) { planes(t, testAnswersBinding) }

func testAnswersBinding(t *testing.T, cfg Config) {
	s := start(t, cfg)
	for _, network := range []string{"udp", "tcp"} {
		addr, err := dial(t, s, network, "alice").SendBindingRequest()
		if err != nil {
			t.Fatal(network, err)
		}
		if !addrPort(addr).Addr().IsLoopback() {
			t.Errorf("%s: mapped to %v", network, addr)
		}
	}
}

func TestRelaysOverIPv6(t *testing.T) { planes(t, testRelaysOverIPv6) }

func testRelaysOverIPv6(t *testing.T, cfg Config) {
	cfg.UDP, cfg.TCP, cfg.Relay.Allow = "[::1]:0", "[::1]:0", []string{"::1"}
	s := start(t, cfg)
	peer := echo(t, "[::1]:0")
	for _, network := range []string{"udp", "tcp"} {
		relay := allocate(t, dial(t, s, network, "alice"))
		roundTrip(t, relay, peer.LocalAddr(), "six")
	}
	if u := s.Advertised()[0]; !strings.HasPrefix(u, "stun:[::1]:") {
		t.Errorf("advertised %s", u)
	}
}

// A client has a relay of the family that it asks for (RFC 8656 §7.1), whichever family it came in by.
func TestRelaysOfBothFamilies(t *testing.T) { planes(t, testRelaysOfBothFamilies) }

func testRelaysOfBothFamilies(t *testing.T, cfg Config) {
	cfg.Relay.Allow = []string{"127.0.0.0/8", "::1"}
	for _, c := range []struct {
		listen, peer, family string
		attr                 attr
	}{
		{"127.0.0.1:0", "[::1]:0", familyIPv6, attr{stun.AttrRequestedAddressFamily, []byte{2, 0, 0, 0}}},
		{"[::1]:0", "127.0.0.1:0", familyIPv4, attr{stun.AttrRequestedAddressFamily, []byte{1, 0, 0, 0}}},
		{"[::1]:0", "[::1]:0", familyIPv6, attr{stun.AttrSoftware, nil}},         // its own when it does not ask
		{"127.0.0.1:0", "127.0.0.1:0", familyIPv4, attr{stun.AttrSoftware, nil}}, // likewise
	} {
		cfg.UDP, cfg.TCP = c.listen, ""
		s := start(t, cfg)
		// The routes of the test machine do not matter.
		s.network.Store(&network{own: []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")}})
		s.renewPolicy()
		client := newRaw(t, s, "udp", "alice")
		relayed := client.mustAllocate(c.attr)
		if family(relayed.Addr()) != c.family || s.Stats().AllocationsOf[c.family] != 1 {
			t.Errorf("asked for %s at %s: a relay at %v, %v counted", c.family, c.listen, relayed, s.Stats().AllocationsOf)
			continue
		}
		peer := echo(t, c.peer)
		if m := client.request(stun.MethodChannelBind, channel(0x4000), toPeer(addrPort(peer.LocalAddr()))); code(m) != 0 {
			t.Fatal(m)
		}
		client.send([]byte{0x40, 0, 0, 4, 1, 2, 3, 4})
		buf := make([]byte, 100)
		_ = client.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		if n, err := client.conn.Read(buf); err != nil || !bytes.Equal(buf[:n], []byte{0x40, 0, 0, 4, 1, 2, 3, 4}) {
			t.Errorf("%s at %s: %x, %v", c.family, c.listen, buf[:n], err)
		}
	}
}

// Two clients reach each other through two allocations: the relay addresses of the server itself are peers.
func TestClientToClientThroughTwoRelays(t *testing.T) { planes(t, testClientToClientThroughTwoRelays) }

func testClientToClientThroughTwoRelays(t *testing.T, cfg Config) {
	s := start(t, cfg)
	a, b := allocate(t, dial(t, s, "udp", "alice")), allocate(t, dial(t, s, "tcp", "bob"))
	got := make(chan string, 1)
	go func() {
		buf := make([]byte, 100)
		n, _, err := b.ReadFrom(buf)
		if err == nil {
			got <- string(buf[:n])
		}
		close(got)
	}()
	if _, err := b.WriteTo([]byte("open"), a.LocalAddr()); err != nil { // makes bob's permission
		t.Fatal(err)
	}
	eventually(t, "bob hears alice", func() bool {
		_, _ = a.WriteTo([]byte("hello"), b.LocalAddr())
		select {
		case m := <-got:
			return m == "hello"
		default:
			return false
		}
	})
}

// Without any allowance nothing special is reachable but the SFU, at its port, wherever it is.
func TestOnlyTheMediaAddressIsReachable(t *testing.T) { planes(t, testOnlyTheMediaAddressIsReachable) }

func testOnlyTheMediaAddressIsReachable(t *testing.T, cfg Config) {
	peer := echo(t, "127.0.0.1:0")
	other, heard := silent(t)
	cfg.Relay.Allow = nil
	s := start(t, cfg, addrPort(peer.LocalAddr()))
	for _, network := range []string{"udp", "tcp"} {
		c := dial(t, s, network, "alice")
		relay := allocate(t, c)
		roundTrip(t, relay, peer.LocalAddr(), "hello")
		_, _ = relay.WriteTo([]byte("hello"), other.LocalAddr())
		roundTrip(t, relay, peer.LocalAddr(), "hello again")
		if heard() {
			t.Error("another port of the same address was reached")
		}
		if err := c.CreatePermission(udpAddr("10.0.0.1:1")); err == nil || !strings.Contains(err.Error(), "403") {
			t.Errorf("a private peer: %v", err)
		}
		_ = relay.Close()
	}
	if d := s.Stats().Denied; d["private"] < 2 || d["loopback"] == 0 {
		t.Errorf("denied %v", d)
	}
}

// A wildcard listens at every address and advertises what can be reached from outside.
func TestWildcardServesEveryAddress(t *testing.T) {
	cfg := loopback()
	cfg.UDP, cfg.TCP = ":0", ":0"
	own, err := ownAddresses()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range own {
		cfg.Relay.Allow = append(cfg.Relay.Allow, a.String())
	}
	s := start(t, cfg)
	port := strings.TrimSuffix(serverAddr(t, s, "udp"), "?transport=udp")
	_, port, err = net.SplitHostPort(port)
	if err != nil {
		t.Fatal(err)
	}
	servers, _ := s.ICEServers("alice")
	for _, a := range bindable(own) {
		if a.Is6() {
			continue // the client's socket in this test is IPv4
		}
		peer := echo(t, joinPort(a.String(), 0))
		relay := allocate(t, dialFrom(t, a, net.JoinHostPort(a.String(), port), servers[1]))
		if got := addrPort(relay.LocalAddr()).Addr(); got != a {
			t.Errorf("relay of a client that came in at %v is at %v", a, got)
		}
		roundTrip(t, relay, peer.LocalAddr(), "hello")
	}
}

func TestICEServersHaveOneEntryEach(t *testing.T) {
	cfg := loopback()
	cfg.UDP, cfg.TCP, cfg.Public = "127.0.0.1:0", "127.0.0.1:0", []string{"203.0.113.7", "2001:db8::7"}
	s := start(t, cfg)
	servers, expires := s.ICEServers("alice")
	if len(servers) != 2 || servers[0].Username != "" || servers[1].Credential == "" {
		t.Fatalf("%+v", servers)
	}
	udp, tcp := listensAt(t, s, kindUDP).Port(), listensAt(t, s, kindTCP).Port()
	want := []string{
		"stun:" + netip.AddrPortFrom(netip.MustParseAddr("203.0.113.7"), udp).String(),
		"stun:" + netip.AddrPortFrom(netip.MustParseAddr("2001:db8::7"), udp).String(),
		"turn:" + netip.AddrPortFrom(netip.MustParseAddr("203.0.113.7"), udp).String() + "?transport=udp",
		"turn:" + netip.AddrPortFrom(netip.MustParseAddr("2001:db8::7"), udp).String() + "?transport=udp",
		"turn:" + netip.AddrPortFrom(netip.MustParseAddr("203.0.113.7"), tcp).String() + "?transport=tcp",
		"turn:" + netip.AddrPortFrom(netip.MustParseAddr("2001:db8::7"), tcp).String() + "?transport=tcp",
	}
	if got := s.Advertised(); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("got %v\nwant %v", got, want)
	}
	if expires.Nanosecond() != 0 || !strings.HasPrefix(servers[1].Username, "1") {
		t.Errorf("expires %v, user %s", expires, servers[1].Username)
	}
}

// Behind a 1:1 NAT the client is told the public address, and the public address as a peer is reached from inside.
func TestPublicAddressIsReachedFromInside(t *testing.T) {
	planes(t, testPublicAddressIsReachedFromInside)
}

func testPublicAddressIsReachedFromInside(t *testing.T, cfg Config) {
	peer := echo(t, "127.0.0.1:0")
	public := netip.MustParseAddr("203.0.113.7")
	media := netip.AddrPortFrom(public, addrPort(peer.LocalAddr()).Port())
	cfg.Relay.Allow, cfg.Public = nil, []string{public.String()}
	s := start(t, cfg, media)
	// The test machine's routes are not known: the only own address is loopback.
	s.network.Store(&network{own: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, public: []netip.Addr{public}})
	s.renewPolicy()
	servers, _ := s.ICEServers("alice")
	relay := allocate(t, dialAs(t, listensAt(t, s, kindUDP).String(), "udp", servers[1].Username, servers[1].Credential))
	if got := addrPort(relay.LocalAddr()).Addr(); got != public {
		t.Errorf("relayed address %v, want %v", got, public)
	}
	roundTrip(t, relay, net.UDPAddrFromAddrPort(media), "hello")
}

func TestWrongSecretIsRefused(t *testing.T) {
	s := start(t, loopback())
	servers, _ := s.ICEServers("alice")
	c := dialAs(t, serverAddr(t, s, "udp"), "udp", servers[1].Username, "wrong")
	if _, err := c.Allocate(); err == nil {
		t.Fatal("allocated with a wrong password")
	}
	if s.Stats().AuthFailed == 0 {
		t.Error("not counted")
	}
}

func TestDisabledServerIsQuiet(t *testing.T) {
	s := start(t, Config{})
	if servers, _ := s.ICEServers("alice"); len(servers) != 0 || len(s.Advertised()) != 0 {
		t.Errorf("%v %v", servers, s.Advertised())
	}
}

func TestCloseTwice(t *testing.T) { planes(t, testCloseTwice) }

func testCloseTwice(t *testing.T, cfg Config) {
	s := start(t, cfg)
	allocate(t, dial(t, s, "udp", "alice"))
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.Stats().Allocations; n != 0 {
		t.Errorf("%d allocations after Close", n)
	}
}

// An address that comes gets a socket, one that goes loses it, and the others keep theirs.
func TestSocketsFollowTheAddresses(t *testing.T) {
	cfg := loopback()
	cfg.UDP, cfg.TCP = ":0", ""
	s := start(t, cfg)
	port := listensAt(t, s, kindUDP).Port()
	at := func(list ...string) {
		n := &network{}
		for _, a := range list {
			n.own = append(n.own, netip.MustParseAddr(a))
		}
		s.network.Store(n)
		if err := s.followUDP(); err != nil {
			t.Fatal(err)
		}
	}
	served := func(addr string) bool {
		c, err := net.Dial("udp", joinPort(addr, int(port)))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		r := &raw{t: t, conn: c, readTimeout: 500 * time.Millisecond}
		return code(r.bare(stun.MethodBinding)) == 0
	}
	at("127.0.0.1", "127.0.0.77")
	if !served("127.0.0.1") || !served("127.0.0.77") {
		t.Error("a new address is not served")
	}
	at("127.0.0.1")
	eventually(t, "the socket of an address that is gone is closed", func() bool { return !served("127.0.0.77") })
	if !served("127.0.0.1") {
		t.Error("the address that stayed is no longer served")
	}
}

func TestSeveralSocketsShareAPort(t *testing.T) {
	planes(t, func(t *testing.T, cfg Config) {
		cfg.Relay.Sockets, cfg.TCP = 4, ""
		s := start(t, cfg)
		peer := echo(t, "127.0.0.1:0")
		for range 16 {
			roundTrip(t, allocate(t, dial(t, s, "udp", "alice")), peer.LocalAddr(), "hello")
		}
		used := map[*socket]bool{}
		for _, r := range s.allRelays() {
			used[r.sock] = true
		}
		if len(used) < 2 { // 16 clients on one of four sockets: once in 10^9
			t.Errorf("%d sockets serve 16 clients", len(used))
		}
	})
}

func TestCredentialsLiveAsLongAsAsked(t *testing.T) {
	s := start(t, loopback())
	for ttl, want := range map[time.Duration]time.Duration{time.Minute: time.Minute, -1: time.Second, 1000 * time.Hour: longestTTL} {
		_, expires := s.Credentials("alice", ttl)
		if got := time.Until(expires); got > want || got < want-2*time.Second {
			t.Errorf("asked for %v: %v", ttl, got)
		}
	}
}

func TestConfigSaysWhatIsWrong(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"turn.secret":         func(c *Config) { c.Secret = "" },
		"turn.keys":           func(c *Config) { c.Keys = []string{"nocolon"} },
		"turn.ttl":            func(c *Config) { c.TTL = 49 * time.Hour },
		"turn.udp":            func(c *Config) { c.UDP = "3478" },
		"turn.tcp":            func(c *Config) { c.TCP = "example.org:3478" },
		"turn.tls.listen":     func(c *Config) { c.TLS.Listen = ":x" },
		"turn.tls.domain":     func(c *Config) { c.TLS.Domain = "https://example.org" },
		"turn.public":         func(c *Config) { c.Public = []string{"0.0.0.0"} },
		"turn.relay.mode":     func(c *Config) { c.Relay.Mode = "open" },
		"turn.relay.min_port": func(c *Config) { c.Relay.MinPort, c.Relay.MaxPort = 5, 4 },
		"turn.relay.allow":    func(c *Config) { c.Relay.Allow = []string{"10.0.0.0/33"} },
		"turn.relay.deny":     func(c *Config) { c.Relay.Deny = []string{"x"} },
		"turn.relay.sockets":  func(c *Config) { c.Relay.Sockets = -1 },
	} {
		cfg := loopback()
		change(&cfg)
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error about %s, got %v", want, err)
		}
		cfg.Enabled = false
		if err := cfg.Validate(); err != nil {
			t.Errorf("%s of a server that is off: %v", want, err)
		}
	}
	if err := loopback().Validate(); err != nil {
		t.Error(err)
	}
}
