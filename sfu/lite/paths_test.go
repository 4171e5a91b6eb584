package lite_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/webrtc/v4"

	"github.com/turnout-rtc/turnout/sfu/lite"
	"github.com/turnout-rtc/turnout/sfu/lite/answer"
	"github.com/turnout-rtc/turnout/sfu/lite/icelite"
)

// nat stands between a client and the server, as a router does that gives the client a port of its own.
type nat struct {
	inside  *net.UDPConn
	server  atomic.Pointer[net.UDPAddr]
	client  atomic.Pointer[net.UDPAddr]
	blocked atomic.Bool
	sniffer atomic.Pointer[sniffer]
	wg      sync.WaitGroup

	mu      sync.Mutex
	outside *net.UDPConn // guarded by mu
}

func listen(t testing.TB) *net.UDPConn {
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// newNAT passes nothing on until it knows the server.
func newNAT(t testing.TB) *nat {
	n := &nat{inside: listen(t)}
	n.rebind(t)
	n.wg.Go(func() {
		buf := make([]byte, 2000)
		for {
			k, from, err := n.inside.ReadFromUDP(buf)
			if err != nil {
				return
			}
			n.client.Store(from)
			n.mu.Lock()
			if to := n.server.Load(); to != nil && !n.blocked.Load() {
				for range n.times(false, buf[:k]) {
					_, _ = n.outside.WriteToUDP(buf[:k], to)
				}
			}
			n.mu.Unlock()
		}
	})
	t.Cleanup(func() {
		_ = n.inside.Close()
		n.mu.Lock()
		_ = n.outside.Close()
		n.mu.Unlock()
		n.wg.Wait()
	})
	return n
}

// times is how often a datagram passes.
func (n *nat) times(toClient bool, b []byte) int {
	if s := n.sniffer.Load(); s != nil {
		return s.pass(toClient, b)
	}
	return 1
}

// config has a server advertise the NAT in its place, and serve passes on to it.
func (n *nat) config(c lite.Config) lite.Config {
	c.Advertise = []answer.Candidate{{Protocol: "udp", Addr: n.inside.LocalAddr().(*net.UDPAddr).AddrPort()}}
	return c
}

func (n *nat) serve(s *server) { n.server.Store(net.UDPAddrFromAddrPort(s.Sockets()[0].Addr())) }

// rebind gives the client another port. What is sent to the old one is lost.
func (n *nat) rebind(t testing.TB) {
	c := listen(t)
	n.mu.Lock()
	if n.outside != nil {
		_ = n.outside.Close()
	}
	n.outside = c
	n.mu.Unlock()
	n.wg.Go(func() {
		buf := make([]byte, 2000)
		for {
			k, err := c.Read(buf)
			if err != nil {
				return
			}
			if to := n.client.Load(); to != nil && !n.blocked.Load() {
				for range n.times(true, buf[:k]) {
					_, _ = n.inside.WriteToUDP(buf[:k], to)
				}
			}
		}
	})
}

// behindNAT is a connected client whose address the server sees can change.
func behindNAT(t *testing.T, full bool) (*server, *transport, *client, *answer.Description, *nat) {
	t.Helper()
	n := newNAT(t)
	s := open(t, n.config(lite.Config{Full: full, Timing: quick}))
	n.serve(s)
	x := s.transport(t)
	p := newClient(t, clientConfig{networks: []webrtc.NetworkType{webrtc.NetworkTypeUDP4}})
	d := p.offer(x, nil)
	x.waitFor(t, lite.Connected)
	return s, x, p, d, n
}

func TestPeerIsFollowedWhenItsAddressChanges(t *testing.T) {
	onBoth(t, testPeerIsFollowedWhenItsAddressChanges)
}

func testPeerIsFollowedWhenItsAddressChanges(t *testing.T, full bool) {
	_, x, p, d, n := behindNAT(t, full)
	ch, out, seq := x.channel(t), x.outgoing(t, d), uint16(0)
	p.echoes(ch, true)
	p.receives(out)
	was, _ := x.Path()
	n.rebind(t)
	eventually(t, "another path", func() bool { now, ok := x.Path(); return ok && now.Remote != was.Remote })
	p.receives(out)
	p.sends(x, &seq)
	p.echoes(ch, false)
}

func TestSilentPeerIsNotSentToAndComesBack(t *testing.T) {
	onBoth(t, testSilentPeerIsNotSentToAndComesBack)
}

func testSilentPeerIsNotSentToAndComesBack(t *testing.T, full bool) {
	_, x, p, d, n := behindNAT(t, full)
	ch, out := x.channel(t), x.outgoing(t, d)
	p.echoes(ch, true)
	n.blocked.Store(true)
	x.waitFor(t, lite.Disconnected)
	if _, ok := x.Path(); !ok {
		t.Error("egress stopped before consent expired")
	}
	x.waitFor(t, lite.Failed)
	if p, ok := x.Path(); ok {
		t.Errorf("still sending to %v without consent", p.Remote)
	}
	heard := make(chan string, 1)
	p.dc.OnMessage(func(m webrtc.DataChannelMessage) { heard <- string(m.Data) })
	if err := ch.Send([]byte("meanwhile")); err != nil {
		t.Fatal(err)
	}
	n.blocked.Store(false)
	x.waitFor(t, lite.Connected)
	if got := receive(t, heard, "what was sent meanwhile"); got != "meanwhile" {
		t.Errorf("got %q", got)
	}
	p.receives(out)
	p.echoes(ch, false)
}

// checkBy is a connectivity check that anyone with the credentials can make.
func checkBy(c answer.ICE, remote string, extra ...stun.Setter) []byte {
	s := append([]stun.Setter{stun.TransactionID, stun.BindingRequest, stun.NewUsername(c.Ufrag + ":" + remote)}, extra...)
	return stun.MustBuild(append(s, stun.NewShortTermIntegrity(c.Pwd), stun.Fingerprint)...).Raw
}

// credentials are those of an answer.
func credentials(t testing.TB, sdp string) answer.ICE {
	t.Helper()
	var c answer.ICE
	for _, at := range []struct {
		key string
		to  *string
	}{{"a=ice-ufrag:", &c.Ufrag}, {"a=ice-pwd:", &c.Pwd}} {
		for i := 0; i+len(at.key) < len(sdp); i++ {
			if sdp[i:i+len(at.key)] == at.key {
				end := i
				for sdp[end] != '\r' {
					end++
				}
				*at.to = sdp[i+len(at.key) : end]
				break
			}
		}
	}
	return c
}

// stranger is a bare socket, and a transport it has credentials of.
func stranger(t testing.TB, s *server) (*net.UDPConn, *transport, answer.ICE, string) {
	t.Helper()
	x := s.transport(t)
	p := newClient(t, clientConfig{})
	offer, err := p.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	sdp, d, err := x.Answer(offer.SDP)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(s.Sockets()[0].Addr()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c, x, credentials(t, sdp), d.ICE.Ufrag
}

func TestWhatIsNobodysIsDroppedAndCounted(t *testing.T) {
	s := open(t, lite.Config{})
	c, x, local, remote := stranger(t, s)
	rtp := append([]byte{128, 96}, make([]byte, 30)...)
	dtls := append([]byte{22}, make([]byte, 30)...)
	for reason, b := range map[string][]byte{
		lite.DropNoise:        {200, 1, 2, 3, 4, 5, 6, 7, 8, 9},
		lite.DropUnknownUfrag: checkBy(answer.ICE{Ufrag: "nobody", Pwd: "x"}, remote),
		lite.DropBadCheck:     checkBy(answer.ICE{Ufrag: local.Ufrag, Pwd: "guess"}, remote),
	} {
		_, _ = c.Write(b)
		eventually(t, reason, func() bool { return s.Stats().Dropped[reason] == 1 })
	}
	_, _ = c.Write(rtp)
	_, _ = c.Write(dtls)
	eventually(t, "strangers", func() bool { return s.Stats().Dropped[lite.DropStranger] == 2 })
	if x.State() != lite.New {
		t.Errorf("state %s", x.State())
	}
	_, _ = c.Write(checkBy(local, remote))
	x.waitFor(t, lite.Connecting)
	_, _ = c.Write(rtp)
	eventually(t, "media of a known peer", func() bool { return len(s.received(x.Transport)) == 1 })
}

func TestAddressOfALivingPeerIsNotTaken(t *testing.T) { onBoth(t, testAddressOfALivingPeerIsNotTaken) }

func testAddressOfALivingPeerIsNotTaken(t *testing.T, full bool) {
	s := open(t, lite.Config{Full: full})
	c, victim, local, remote := stranger(t, s)
	_, attacker, other, otherRemote := stranger(t, s)
	_, _ = c.Write(checkBy(local, remote))
	victim.waitFor(t, lite.Connecting)
	_, _ = c.Write(checkBy(other, otherRemote)) // the attacker's own credentials, the victim's address
	eventually(t, "a refusal", func() bool { return s.Stats().Dropped[lite.DropPathTaken] == 1 })
	_, _ = c.Write(append([]byte{128, 96}, make([]byte, 30)...))
	eventually(t, "the victim's media", func() bool { return len(s.received(victim.Transport)) == 1 })
	if _, ok := attacker.Path(); ok || attacker.State() != lite.New {
		t.Error("the attacker has the victim's path")
	}
	victim.Close() // and is free afterwards: the client has begun anew
	_, _ = c.Write(checkBy(other, otherRemote))
	attacker.waitFor(t, lite.Connecting)
}

// Packets of one peer that are sent again by somebody else are never the peer's: from an address that nobody has proven they are
// nobody's, and from another peer's they are that peer's, whose keys do not open them.
func TestPacketsFromAnotherAddressAreNotTheirs(t *testing.T) {
	onBoth(t, func(t *testing.T, full bool) {
		s := open(t, lite.Config{Full: full})
		x := s.transport(t)
		p := connect(t, x, clientConfig{})
		var seq uint16
		p.sends(x, &seq)
		sealed := s.received(x.Transport)[0]
		unknown, _, _, _ := stranger(t, s)
		_, _ = unknown.Write(sealed)
		eventually(t, "a stranger", func() bool { return s.Stats().Dropped[lite.DropStranger] == 1 })
		mallory, other, local, remote := stranger(t, s)
		_, _ = mallory.Write(checkBy(local, remote))
		other.waitFor(t, lite.Connecting)
		_, _ = mallory.Write(sealed)
		eventually(t, "media of the other peer", func() bool { return len(s.received(other.Transport)) == 1 })
		copies := 0
		for _, b := range s.received(x.Transport) {
			if bytes.Equal(b, sealed) {
				copies++
			}
		}
		if copies != 1 {
			t.Errorf("the packet came %d times", copies)
		}
		p.sends(x, &seq)
	})
}

// The path follows the peer's nomination, not a preference of our own.
func TestNominationDecidesWhereToSend(t *testing.T) {
	onBoth(t, func(t *testing.T, full bool) {
		s := open(t, lite.Config{Full: full, Timing: icelite.Timing{Hold: time.Millisecond}})
		first, x, local, remote := stranger(t, s)
		second := dialUDP(t, s)
		use := func(c *net.UDPConn) {
			t.Helper()
			_, _ = c.Write(checkBy(local, remote, stun.RawAttribute{Type: stun.AttrUseCandidate}))
			eventually(t, "the nominated path", func() bool {
				p, ok := x.Path()
				return ok && p.Remote == c.LocalAddr().(*net.UDPAddr).AddrPort()
			})
		}
		use(first)
		use(second)
		_, _ = first.Write(checkBy(local, remote)) // alive, but not nominated
		use(first)
	})
}

func TestChannelsAreLimited(t *testing.T) {
	s := open(t, lite.Config{Limits: lite.Limits{Channels: 2}})
	x := s.transport(t)
	p := newClient(t, clientConfig{})
	p.openChannel("second")
	p.openChannel("third")
	p.offer(x, nil)
	x.channel(t)
	x.channel(t)
	eventually(t, "a refusal", func() bool { return s.Stats().Dropped[lite.DropChannelLimit] == 1 })
}

func TestChannelReportsThatItHasDrained(t *testing.T) {
	s := open(t, lite.Config{})
	x := s.transport(t)
	p := connect(t, x, clientConfig{})
	ch := x.channel(t)
	drained := make(chan struct{}, 100)
	ch.OnMessage(func([]byte) {})
	ch.OnDrain(1000, func() { drained <- struct{}{} })
	got := make(chan int, 1000)
	p.dc.OnMessage(func(m webrtc.DataChannelMessage) { got <- len(m.Data) })
	for range 50 {
		if err := ch.Send(make([]byte, 10000)); err != nil {
			t.Fatal(err)
		}
	}
	if ch.BufferedAmount() == 0 {
		t.Error("nothing is buffered")
	}
	select {
	case <-drained:
	case <-time.After(patience):
		t.Fatal("never drained")
	}
	for i := range 50 {
		select {
		case n := <-got:
			if n != 10000 {
				t.Fatalf("message %d has %d bytes", i, n)
			}
		case <-time.After(patience):
			t.Fatalf("%d of 50 messages", i)
		}
	}
}

func TestTCPConnectionMustAuthenticate(t *testing.T) {
	s := open(t, lite.Config{TCP: []netip.AddrPort{loopback4}, Limits: lite.Limits{TCPStrange: 2}})
	hasty := open(t, lite.Config{TCP: []netip.AddrPort{loopback4}, Limits: lite.Limits{TCPIdle: 50 * time.Millisecond}})
	_, x, local, remote := stranger(t, s)
	dialTo := func(s *server) net.Conn {
		c, err := net.Dial("tcp4", s.Advertised()[1].Addr.String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_ = c.SetDeadline(time.Now().Add(patience))
		return c
	}
	dial := func() net.Conn { return dialTo(s) }
	frame := func(b []byte) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...) }
	ends := func(c net.Conn, why string) {
		t.Helper()
		if n, err := c.Read(make([]byte, 10)); err == nil {
			t.Errorf("%s: got %d bytes instead of the end", why, n)
		} else if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: still open", why)
		}
	}
	ends(dialTo(hasty), "silent")
	for why, b := range map[string][]byte{
		"media first":   frame(append([]byte{128, 96}, make([]byte, 30)...)),
		"wrong check":   frame(checkBy(answer.ICE{Ufrag: local.Ufrag, Pwd: "guess"}, remote)),
		"no such ufrag": frame(checkBy(answer.ICE{Ufrag: "nobody", Pwd: "x"}, remote)),
		"bad frame":     {0, 0},
		"not ours":      []byte("GET / HTTP/1.1\r\n\r\n"),
	} {
		c := dial()
		_, _ = c.Write(b)
		ends(c, why)
	}
	none := func() bool { return s.Stats().TCPConns == 0 }
	eventually(t, "no connection left", none)
	refused := s.Stats().Dropped[lite.DropTCPLimit]
	a, b := dial(), dial()
	eventually(t, "two connections", func() bool { return s.Stats().TCPConns == 2 })
	ends(dial(), "one too many")
	eventually(t, "the count", func() bool { return s.Stats().Dropped[lite.DropTCPLimit] == refused+1 })
	_ = b.Close()
	_, _ = a.Write(frame(checkBy(local, remote)))
	x.waitFor(t, lite.Connecting)
	if p, ok := x.Path(); !ok || p.TCP == nil {
		t.Errorf("path %+v", p)
	}
	if n, err := a.Read(make([]byte, 200)); err != nil || n < 20 {
		t.Errorf("reply: %d bytes, %v", n, err)
	}
	_ = a.Close()
	x.waitFor(t, lite.Failed)
	eventually(t, "no connection left", none)
}

func TestConfigErrorsSayWhatToDo(t *testing.T) {
	take := func([]lite.Received) {}
	for name, c := range map[string]lite.Config{
		"no address":   {Media: take},
		"no media":     {UDP: []netip.AddrPort{loopback4}},
		"zero address": {UDP: []netip.AddrPort{{}}, Media: take},
		"wildcard advertised": {UDP: []netip.AddrPort{loopback4}, Media: take, Advertise: []answer.Candidate{
			{Protocol: "udp", Addr: netip.MustParseAddrPort("0.0.0.0:1")}}},
		"foreign address": {UDP: []netip.AddrPort{netip.MustParseAddrPort("203.0.113.9:0")}, Media: take},
	} {
		if _, err := lite.Open(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	s := open(t, lite.Config{UDP: []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:0")}, TCP: []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:0")}})
	for _, a := range s.Advertised() {
		if a.Addr.Addr().IsUnspecified() || a.Addr.Port() == 0 {
			t.Errorf("advertises %v", a)
		}
	}
}
