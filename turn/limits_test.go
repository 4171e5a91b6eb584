package turn

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pion/stun/v4"
)

func TestAllocationLimits(t *testing.T) {
	for _, c := range []struct {
		name   string
		limits Limits
		code   stun.ErrorCode
		reason string
		users  []string
	}{
		{"of a user", Limits{AllocationsPerUser: 2}, stun.CodeAllocQuotaReached, "allocations_per_user", []string{"a", "a", "a"}},
		{"of a source", Limits{AllocationsPerSource: 2}, stun.CodeAllocQuotaReached, "allocations_per_source", []string{"a", "b", "c"}},
		{"in total", Limits{Allocations: 2}, stun.CodeInsufficientCapacity, "allocations", []string{"a", "b", "c"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := loopback()
			cfg.Limits = c.limits
			s := start(t, cfg)
			first := newRaw(t, s, "udp", c.users[0])
			first.mustAllocate()
			newRaw(t, s, "udp", c.users[1]).mustAllocate()
			third := newRaw(t, s, "udp", c.users[2])
			if m := third.allocate(); code(m) != int(c.code) {
				t.Errorf("got %v, want %d", m, c.code)
			}
			if n := s.Stats().Refused[c.reason]; n != 1 {
				t.Errorf("refused %v", s.Stats().Refused)
			}
			if m := first.request(stun.MethodRefresh, lifetime(0)); code(m) != 0 {
				t.Fatal(m)
			}
			if m := third.allocate(); code(m) != 0 {
				t.Errorf("after one was given back: %v", m)
			}
		})
	}
}

func TestPermissionAndChannelLimits(t *testing.T) {
	cfg := loopback()
	cfg.Limits.Permissions, cfg.Limits.Channels = 4, 2
	s := start(t, cfg)
	c := newRaw(t, s, "udp", "alice")
	c.mustAllocate()
	for i := range 6 {
		m := c.request(stun.MethodCreatePermission, peerAt(fmt.Sprintf("127.0.1.%d:1", i)))
		if want := i >= 4; (code(m) == int(stun.CodeInsufficientCapacity)) != want {
			t.Errorf("permission %d: %v", i, m)
		}
	}
	if m := c.request(stun.MethodCreatePermission, peerAt("127.0.1.0:1")); code(m) != 0 {
		t.Errorf("refreshing a permission: %v", m)
	}
	for i := range 4 {
		m := c.request(stun.MethodChannelBind, channel(0x4000+uint16(i)), peerAt(fmt.Sprintf("127.0.1.0:%d", 5000+i)))
		if want := i >= 2; (code(m) == int(stun.CodeInsufficientCapacity)) != want {
			t.Errorf("channel %d: %v", i, m)
		}
	}
	if m := c.request(stun.MethodChannelBind, channel(0x4000), peerAt("127.0.1.0:5000")); code(m) != 0 {
		t.Errorf("refreshing a channel: %v", m)
	}
	if r := s.Stats().Refused; r["permissions"] != 2 || r["channels"] != 2 {
		t.Errorf("refused %v", r)
	}
}

func TestNewPeersAreLimitedByTime(t *testing.T) {
	cfg := loopback()
	cfg.Limits.NewPeers = 1 // and four at once
	s := start(t, cfg)
	c := newRaw(t, s, "udp", "alice")
	c.mustAllocate()
	granted := 0
	for i := range 12 {
		if code(c.request(stun.MethodCreatePermission, peerAt(fmt.Sprintf("127.0.1.%d:1", i)))) == 0 {
			granted++
		}
	}
	if granted < 4 || granted > 6 || s.Stats().Refused["new_peers"] == 0 {
		t.Errorf("%d new peers at once, refused %v", granted, s.Stats().Refused)
	}
}

func TestRateOfAnAllocationIsLimited(t *testing.T) { planes(t, testRateOfAnAllocationIsLimited) }

func testRateOfAnAllocationIsLimited(t *testing.T, cfg Config) {
	cfg.Limits.Packets = 50
	s := start(t, cfg)
	c := newRaw(t, s, "udp", "alice")
	c.mustAllocate()
	sink, _ := silent(t)
	if m := c.request(stun.MethodChannelBind, channel(0x4000), toPeer(addrPort(sink.LocalAddr()))); code(m) != 0 {
		t.Fatal(m)
	}
	for range 500 {
		c.send([]byte{0x40, 0, 0, 1, 7})
	}
	if m := c.request(stun.MethodRefresh, lifetime(600*time.Second)); code(m) != 0 { // all have been read then
		t.Fatal(m)
	}
	if st := s.Stats(); st.Up.Packets < 50 || st.Up.Packets > 150 || st.Dropped["rate"]+st.Up.Packets != 500 {
		t.Errorf("%d relayed, dropped %v", st.Up.Packets, st.Dropped)
	}
}

// Requests that pion leaves unanswered or answers wrongly get what RFC 8656 says.
func TestRefusalsHaveTheRightCode(t *testing.T) {
	cfg := loopback()
	cfg.Relay.Allow = []string{"127.0.0.1"}
	s := start(t, cfg)
	c := newRaw(t, s, "udp", "alice")
	for _, m := range []stun.Method{stun.MethodRefresh, stun.MethodCreatePermission, stun.MethodChannelBind} {
		if got := c.request(m, channel(0x4000), peerAt("127.0.0.1:9")); code(got) != int(stun.CodeAllocMismatch) {
			t.Errorf("%v without allocation: %v", m, got)
		}
	}
	c.mustAllocate()
	if m := c.allocate(); code(m) != int(stun.CodeAllocMismatch) {
		t.Errorf("second allocation: %v", m)
	}
	if m := c.request(stun.MethodChannelBind, channel(0x4000), peerAt("10.0.0.1:9")); code(m) != int(stun.CodeForbidden) {
		t.Errorf("channel to a private peer: %v", m)
	}
	own := listensAt(t, s, kindUDP)
	if m := c.request(stun.MethodChannelBind, channel(0x4000), toPeer(own)); code(m) != int(stun.CodeForbidden) {
		t.Errorf("channel to the server itself: %v", m)
	}
	if m := c.request(stun.MethodCreatePermission, peerAt("[2001:db8::1]:9")); code(m) != int(stun.CodePeerAddrFamilyMismatch) {
		t.Errorf("IPv6 peer of an IPv4 allocation: %v", m)
	}
	servers, _ := s.ICEServers("mallory")
	c.user, c.pass = servers[1].Username, servers[1].Credential
	if m := c.request(stun.MethodRefresh, lifetime(0)); code(m) != int(stun.CodeWrongCredentials) {
		t.Errorf("another user's refresh: %v", m)
	}
}

// A datagram that does not fit is dropped whole, never cut.
func TestLongDatagramsAreDropped(t *testing.T) {
	planes(t, func(t *testing.T, cfg Config) {
		b, s := newBed(t, cfg, "udp")
		buf := make([]byte, 4096)
		for _, n := range []int{relayMTU + 500, relayMTU, relayMTU - 1} {
			_, _ = b.peer.WriteToUDPAddrPort(make([]byte, n), b.relayed.AddrPort())
		}
		_ = b.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		n, err := b.conn.Read(buf)
		if err != nil || n != 4+relayMTU-1 {
			t.Errorf("%d bytes came first, %v", n, err)
		}
		if got := s.Stats().Dropped["too_long"]; got != 2 {
			t.Errorf("%d counted", got)
		}
	})
}

// pipe is a packet connection whose clients are the test: it can have any address.
type pipe struct {
	in   chan packet
	out  chan packet
	done chan struct{}
	once sync.Once
}

type packet struct {
	b    []byte
	addr net.Addr
}

func newPipe() *pipe {
	return &pipe{in: make(chan packet), out: make(chan packet, 1000), done: make(chan struct{})}
}

func (p *pipe) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case m := <-p.in:
		return copy(b, m.b), m.addr, nil
	case <-p.done:
		return 0, nil, net.ErrClosed
	}
}

func (p *pipe) WriteTo(b []byte, to net.Addr) (int, error) {
	p.out <- packet{slices.Clone(b), to}
	return len(b), nil
}

func (p *pipe) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipe) LocalAddr() net.Addr              { return udpAddr("127.0.0.1:3478") }
func (p *pipe) SetDeadline(time.Time) error      { return nil }
func (p *pipe) SetReadDeadline(time.Time) error  { return nil }
func (p *pipe) SetWriteDeadline(time.Time) error { return nil }

// Over UDP a forged source gets few answers to what it did not ask; Binding and others are not disturbed.
func TestUnauthorizedAnswersAreLimitedBySource(t *testing.T) {
	cfg := loopback()
	cfg.Limits.Challenges = 5
	s := start(t, cfg)
	p := newPipe()
	if err := s.AdoptPacketConn(p); err != nil {
		t.Fatal(err)
	}
	allocate := (&raw{t: t}).build(stun.MethodAllocate, protocolUDP)
	flood := func(addr string) (answers int) {
		from := udpAddr(addr)
		for range 50 {
			p.in <- packet{allocate, from}
		}
		p.in <- packet{(&raw{t: t}).build(stun.MethodBinding), from} // its answer is the last one
		for m := range p.out {
			if m.b[0] == 1 && m.b[1] == 1 {
				return answers
			}
			answers++
		}
		return answers
	}
	if n := flood("192.0.2.1:5000"); n < 5 || n > 10 {
		t.Errorf("%d answers to one source", n)
	}
	if n := flood("192.0.2.1:5001"); n > 3 {
		t.Errorf("%d more answers to another port of it", n)
	}
	if n := flood("192.0.2.9:5000"); n < 5 {
		t.Errorf("%d answers to another source", n)
	}
	if n := flood("127.0.0.1:5000"); n != 50 {
		t.Errorf("%d answers to loopback, which nobody can forge from outside", n)
	}
	if s.Stats().Dropped["challenges"] == 0 {
		t.Error("not counted")
	}
}

func TestConnectionLimits(t *testing.T) {
	cfg := loopback()
	cfg.Limits.ConnectionsPerSource = 3
	s := start(t, cfg)
	var open []*raw
	for range 3 {
		c := newRaw(t, s, "tcp", "alice")
		if m := c.bare(stun.MethodBinding); code(m) != 0 {
			t.Fatal(m)
		}
		open = append(open, c)
	}
	if c := newRaw(t, s, "tcp", "alice"); !closes(t, c.conn, 5*time.Second) {
		t.Error("a fourth connection is served")
	}
	if n := s.Stats().Refused["connections_per_source"]; n != 1 {
		t.Errorf("refused %v", s.Stats().Refused)
	}
	_ = open[0].conn.Close()
	eventually(t, "the place is free again", func() bool { return s.Stats().Connections == 2 })
	if m := newRaw(t, s, "tcp", "alice").bare(stun.MethodBinding); code(m) != 0 {
		t.Errorf("after one has left: %v", m)
	}
}

func TestExpiryIsCheckedWhereConfigured(t *testing.T) {
	for _, strict := range []bool{false, true} {
		cfg := loopback()
		cfg.Strict = strict
		s := start(t, cfg)
		c := newRaw(t, s, "udp", "alice")
		c.user, c.pass = s.settings.Load().keys.Mint("alice", time.Now().Add(2*time.Second))
		c.mustAllocate()
		late := newRaw(t, s, "udp", "alice")
		late.user, late.pass = s.settings.Load().keys.Mint("alice", time.Now().Add(-2*time.Second))
		if m := late.allocate(); code(m) != int(stun.CodeUnauthorized) {
			t.Errorf("expired credential: %v", m)
		}
		// The running allocation, with a credential that has expired meanwhile.
		c.user, c.pass = late.user, late.pass
		want := 0
		if strict {
			want = int(stun.CodeUnauthorized)
		}
		if m := c.request(stun.MethodRefresh, lifetime(600*time.Second)); code(m) != want {
			t.Errorf("strict %v: refresh: %v", strict, m)
		}
		long := newRaw(t, s, "udp", "alice")
		long.user, long.pass = s.settings.Load().keys.Mint("alice", time.Now().Add(longestTTL+time.Hour))
		if m := long.allocate(); code(m) != int(stun.CodeUnauthorized) {
			t.Errorf("a credential for ever: %v", m)
		}
		if a := s.Stats().Auth; a["ok"] == 0 || a["expired"] == 0 || a["too_long"] != 1 {
			t.Errorf("counted %v", a)
		}
	}
}

// Each port of a nearly full range is found, EVEN-PORT and its neighbour stay in the range, and a full one says 508.
func TestEveryPortOfTheRangeIsUsed(t *testing.T) { planes(t, testEveryPortOfTheRangeIsUsed) }

func testEveryPortOfTheRangeIsUsed(t *testing.T, cfg Config) {
	cfg.Relay.MinPort, cfg.Relay.MaxPort = freeRange(t, 20), 0
	cfg.Relay.MaxPort = cfg.Relay.MinPort + 19
	s := start(t, cfg)
	seen := map[uint16]bool{}
	for range 20 {
		a := newRaw(t, s, "udp", "alice").mustAllocate()
		if a.Port() < cfg.Relay.MinPort || a.Port() > cfg.Relay.MaxPort || seen[a.Port()] {
			t.Errorf("relay at %v", a)
		}
		seen[a.Port()] = true
	}
	if m := newRaw(t, s, "udp", "alice").allocate(); code(m) != int(stun.CodeInsufficientCapacity) {
		t.Errorf("one more: %v", m)
	}
	if st := s.Stats(); st.RelayPortsFree != 0 || st.Refused["relay_ports"] != 1 {
		t.Errorf("%d free, refused %v", st.RelayPortsFree, st.Refused)
	}
}

// freeRange finds the start of n ports in a row that nobody uses on loopback.
func freeRange(t *testing.T, n int) uint16 {
	t.Helper()
	for first := 20000; first < 30000; first += n {
		ok := true
		for p := first; p < first+n && ok; p++ {
			c, err := net.ListenUDP("udp", udpAddr(joinPort("127.0.0.1", p)))
			if ok = err == nil; ok {
				_ = c.Close()
			}
		}
		if ok {
			return uint16(first)
		}
	}
	t.Fatal("no free ports")
	return 0
}

func TestPortRangeKeepsItsBooks(t *testing.T) {
	r := newPortRange(100, 109)
	ok := func(int) error { return nil }
	for _, want := range []int{99, 110} {
		if _, err := r.take(want, 1, ok); !errors.Is(err, errPortRange) {
			t.Errorf("port %d: %v", want, err)
		}
	}
	for range 5 {
		p, err := r.take(0, 2, ok)
		if err != nil || p%2 != 0 {
			t.Errorf("even port: %d, %v", p, err)
		}
	}
	if _, err := r.take(0, 2, ok); !errors.Is(err, errNoPort) {
		t.Errorf("a sixth even port: %v", err)
	}
	if _, err := r.take(100, 1, ok); !errors.Is(err, errNoPort) {
		t.Errorf("a port in use: %v", err)
	}
	other := errors.New("out of descriptors")
	tries := 0
	if _, err := r.take(0, 1, func(int) error { tries++; return other }); !errors.Is(err, other) || tries != 1 {
		t.Errorf("%v after %d tries", err, tries)
	}
	r.release(104)
	if r.free() != 6 {
		t.Errorf("%d free", r.free())
	}
}
