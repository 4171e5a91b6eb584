package lite_test

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/pion/stun/v4"
	"github.com/pion/webrtc/v4"

	"github.com/turnout-rtc/turnout/sfu/lite"
	"github.com/turnout-rtc/turnout/sfu/lite/answer"
	"github.com/turnout-rtc/turnout/sfu/netio"
)

// stunServer answers Binding requests with an address, as one on the other side of a NAT would. With an invalid one it is
// silent.
func stunServer(t *testing.T, says netip.AddrPort) string {
	t.Helper()
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(loopback4))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			m := stun.Message{Raw: buf[:n]}
			if m.Decode() != nil || m.Type != stun.BindingRequest || !says.IsValid() {
				continue
			}
			reply := stun.MustBuild(stun.NewTransactionIDSetter(m.TransactionID), stun.BindingSuccess,
				&stun.XORMappedAddress{IP: says.Addr().AsSlice(), Port: int(says.Port())})
			_, _ = conn.WriteToUDPAddrPort(reply.Raw, from)
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	return conn.LocalAddr().String()
}

func TestServerBehindANATAdvertisesWhatSTUNServersSay(t *testing.T) {
	seen := netip.MustParseAddrPort("203.0.113.9:4242")
	s := open(t, lite.Config{Full: true, STUN: []string{stunServer(t, seen)}, Net: netio.Config{Sockets: 2}})
	own := s.Sockets()[0].Addr()
	want := answer.Candidate{Protocol: "udp", Addr: seen, Base: own}
	if all := s.Advertised(); len(all) != 2 || all[0].Addr != own || all[1] != want {
		t.Errorf("advertised: %v", all)
	}
	x := s.transport(t)
	connect(t, x, clientConfig{})
	sdp, _, err := x.Answer(newClient(t, clientConfig{}).described(t))
	if err == nil {
		t.Errorf("another certificate was taken: %s", sdp)
	}
	sdp, _, err = s.transport(t).Answer(newClient(t, clientConfig{}).described(t))
	if err != nil {
		t.Fatal(err)
	}
	line := " udp 1694498559 203.0.113.9 4242 typ srflx raddr " + own.Addr().String() + " rport "
	if !strings.Contains(sdp, line) || strings.Contains(sdp, "ice-lite") {
		t.Errorf("answer:\n%s", sdp)
	}
}

func TestSilentSTUNServerIsNotWaitedForLong(t *testing.T) {
	s := open(t, lite.Config{Full: true, STUN: []string{stunServer(t, netip.AddrPort{}), "no such host."}})
	if all := s.Advertised(); len(all) != 1 {
		t.Errorf("advertised: %v", all)
	}
	connect(t, s.transport(t), clientConfig{})
}

func TestFullMediaAndDataOverEveryKindOfPath(t *testing.T) {
	six, have6 := address6()
	for name, c := range map[string]struct {
		cfg      lite.Config
		networks []webrtc.NetworkType
	}{
		"IPv4":            {lite.Config{}, nil},
		"both":            {lite.Config{UDP: []netip.AddrPort{loopback4, six}}, nil},
		"TCP":             {lite.Config{TCP: []netip.AddrPort{loopback4}}, []webrtc.NetworkType{webrtc.NetworkTypeTCP4}},
		"several sockets": {lite.Config{Net: netio.Config{Sockets: 4}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if !have6 && len(c.cfg.UDP) > 0 {
				t.Skip("no IPv6 address here")
			}
			c.cfg.Full = true
			s, x, _ := everything(t, c.cfg, clientConfig{networks: c.networks})
			if p, ok := x.Path(); !ok || (p.TCP != nil) != (name == "TCP") {
				t.Errorf("path %+v, %v", p, ok)
			}
			if d := s.Stats().Dropped; d[lite.DropBadCheck] != 0 {
				t.Errorf("dropped: %v", d)
			}
		})
	}
}

// A client that only answers, and whose own checks never come, is checked; its answers alone make no path, for it has chosen
// none.
func TestCandidatesAreCheckedAndForgedAnswersCounted(t *testing.T) {
	s := open(t, lite.Config{Full: true, Limits: lite.Limits{Candidates: 2}})
	x := s.transport(t)
	if err := x.AddCandidate("candidate:1 1 udp 1 127.0.0.1 5 typ host", ""); err != nil {
		t.Errorf("before the offer: %v", err)
	}
	if _, _, err := x.Answer(newClient(t, clientConfig{}).described(t)); err != nil {
		t.Fatal(err)
	}
	c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(loopback4))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	port := c.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	candidate := "candidate:1 1 udp 1 127.0.0.1 " + netip.AddrPortFrom(netip.IPv4Unspecified(), port).String()[len("0.0.0.0:"):] + " typ host"
	if err := x.AddCandidate(candidate, "other"); err != nil {
		t.Errorf("one of another session: %v", err)
	}
	if err := x.AddCandidate(candidate, ""); err != nil {
		t.Error(err)
	}
	buf := make([]byte, 1500)
	n, from, err := c.ReadFromUDPAddrPort(buf)
	if err != nil {
		t.Fatal(err)
	}
	m := stun.Message{Raw: buf[:n]}
	if err := m.Decode(); err != nil || !m.Contains(stun.AttrICEControlled) {
		t.Errorf("%v, %v", m, err)
	}
	forged := stun.MustBuild(stun.NewTransactionIDSetter(m.TransactionID), stun.BindingSuccess, stun.NewShortTermIntegrity("guessed"))
	_, _ = c.WriteToUDPAddrPort(forged.Raw, from)
	_, _ = c.WriteToUDPAddrPort(stun.MustBuild(stun.TransactionID, stun.BindingSuccess).Raw, from)
	eventually(t, "both are counted", func() bool { return s.Stats().Dropped[lite.DropBadCheck] == 2 })
	if _, ok := x.Path(); ok {
		t.Error("there is a path")
	}
	if x.AddCandidate("candidate:1 1 udp 1 127.0.0.1 6 typ host", "") != nil || x.AddCandidate("candidate:1 1 udp 1 127.0.0.1 7 typ host", "") == nil {
		t.Error("the limit of candidates does not hold")
	}
	if x.AddCandidate("nonsense", "") == nil {
		t.Error("nonsense was taken")
	}
}

// described is an offer's text.
func (p *client) described(t *testing.T) string {
	t.Helper()
	offer, err := p.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	return offer.SDP
}
