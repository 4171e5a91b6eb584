package lite_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"go.uber.org/goleak"

	"github.com/turnout-rtc/turnout/sfu/lite"
	"github.com/turnout-rtc/turnout/sfu/lite/icelite"
	"github.com/turnout-rtc/turnout/sfu/netio"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 15 * time.Second

var loopback4 = netip.MustParseAddrPort("127.0.0.1:0")

// address6 is an IPv6 address of this machine. The client takes ::1 for an IPv4 address in IPv6 clothes and leaves it out.
func address6() (netip.AddrPort, bool) {
	own, _ := net.InterfaceAddrs()
	for _, o := range own {
		if n, ok := o.(*net.IPNet); ok {
			if a, _ := netip.AddrFromSlice(n.IP); a.Is6() && !a.Is4In6() && a.IsGlobalUnicast() {
				return netip.AddrPortFrom(a, 0), true
			}
		}
	}
	return netip.AddrPort{}, false
}

// everything checks media both ways and data.
func everything(t *testing.T, cfg lite.Config, c clientConfig) (*server, *transport, *client) {
	t.Helper()
	s := open(t, cfg)
	x := s.transport(t)
	p := newClient(t, c)
	d := p.offer(x, nil)
	x.waitFor(t, lite.Connected)
	var seq uint16
	p.sends(x, &seq)
	p.receives(x.outgoing(t, d))
	ch := x.channel(t)
	if ch.Label() != "turnout" {
		t.Errorf("label %q", ch.Label())
	}
	p.echoes(ch, true)
	return s, x, p
}

func TestMediaAndDataOverEveryKindOfPath(t *testing.T) {
	six, have6 := address6()
	for name, c := range map[string]struct {
		cfg      lite.Config
		networks []webrtc.NetworkType
	}{
		"IPv4":             {lite.Config{}, nil},
		"IPv6":             {lite.Config{UDP: []netip.AddrPort{six}}, nil},
		"both":             {lite.Config{UDP: []netip.AddrPort{loopback4, six}}, nil},
		"TCP":              {lite.Config{TCP: []netip.AddrPort{loopback4}}, []webrtc.NetworkType{webrtc.NetworkTypeTCP4}},
		"several sockets":  {lite.Config{Net: netio.Config{Sockets: 4}}, nil},
		"portable sockets": {lite.Config{Net: netio.Config{Mode: netio.Portable}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if !have6 && len(c.cfg.UDP) > 0 {
				t.Skip("no IPv6 address here")
			}
			s, x, _ := everything(t, c.cfg, clientConfig{networks: c.networks})
			if p, ok := x.Path(); !ok || (p.TCP != nil) != (name == "TCP") {
				t.Errorf("path %+v", p)
			}
			if n := s.Stats().Transports; n != 1 {
				t.Errorf("%d transports", n)
			}
		})
	}
}

func TestEverySRTPProfile(t *testing.T) {
	for _, p := range []dtls.SRTPProtectionProfile{dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80} {
		_, x, _ := everything(t, lite.Config{}, clientConfig{profiles: []dtls.SRTPProtectionProfile{p}})
		if k, _ := x.Keys(); k.Profile() != p {
			t.Errorf("profile %v, want %v", k.Profile(), p)
		}
	}
	_, x, _ := everything(t, lite.Config{}, clientConfig{profiles: []dtls.SRTPProtectionProfile{
		dtls.SRTP_AES128_CM_HMAC_SHA1_80, dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AEAD_AES_128_GCM,
	}})
	if k, _ := x.Keys(); k.Profile() != dtls.SRTP_AEAD_AES_128_GCM {
		t.Errorf("profile %v: the choice is the server's", k.Profile())
	}
}

func TestTheClientMayHaveOneDTLSRoleOnly(t *testing.T) {
	for _, setup := range []string{"active", "passive"} {
		t.Run(setup, func(t *testing.T) {
			_, x, p := everything(t, lite.Config{}, clientConfig{setup: setup})
			p.offer(x, &webrtc.OfferOptions{ICERestart: true})
			var seq uint16
			p.sends(x, &seq)
			p.saysGoodbye()
			x.waitFor(t, lite.Closed)
		})
	}
	t.Run("passive over TCP", func(t *testing.T) {
		everything(t, lite.Config{TCP: []netip.AddrPort{loopback4}}, clientConfig{setup: "passive", networks: []webrtc.NetworkType{webrtc.NetworkTypeTCP4}})
	})
}

// onBoth runs a test with ICE-lite and with full ICE.
func onBoth(t *testing.T, test func(t *testing.T, full bool)) {
	t.Helper()
	t.Run("lite", func(t *testing.T) { test(t, false) })
	t.Run("full", func(t *testing.T) { test(t, true) })
}

func TestICERestartKeepsTheSession(t *testing.T) { onBoth(t, testICERestartKeepsTheSession) }

func testICERestartKeepsTheSession(t *testing.T, full bool) {
	s := open(t, lite.Config{Full: full})
	x := s.transport(t)
	p := newClient(t, clientConfig{})
	d := p.offer(x, nil)
	x.waitFor(t, lite.Connected)
	ch, out, seq := x.channel(t), x.outgoing(t, d), uint16(0)
	p.echoes(ch, true)
	for range 3 {
		was, _ := x.Path()
		again := p.offer(x, &webrtc.OfferOptions{ICERestart: true})
		if again.ICE == d.ICE {
			t.Fatal("the client did not restart")
		}
		d = again
		eventually(t, "another path", func() bool { now, ok := x.Path(); return ok && now.Remote != was.Remote })
		p.receives(out)
		p.sends(x, &seq)
		p.echoes(ch, false)
	}
	if st := s.Stats(); st.Dropped[lite.DropPathTaken] != 0 {
		t.Errorf("stats %+v", st)
	}
}

func TestTheSameOfferGetsTheSameAnswer(t *testing.T) {
	s := open(t, lite.Config{})
	x := s.transport(t)
	p := newClient(t, clientConfig{})
	offer, err := p.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	first, _, err := x.Answer(offer.SDP)
	if err != nil {
		t.Fatal(err)
	}
	if again, _, err := x.Answer(offer.SDP); err != nil || again != first {
		t.Errorf("%v, another answer:\n%s", err, again)
	}
	if _, _, err := x.Answer("v=0"); err == nil {
		t.Error("nonsense was answered")
	}
	if again, _, err := x.Answer(offer.SDP); err != nil || again != first {
		t.Errorf("after a failed offer: %v", err)
	}
}

func TestRenegotiationAddsSlotsAndData(t *testing.T) {
	s := open(t, lite.Config{})
	x := s.transport(t)
	p := newClient(t, clientConfig{noData: true})
	p.offer(x, nil)
	x.waitFor(t, lite.Connected)
	p.openChannel("later")
	if _, err := p.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
		t.Fatal(err)
	}
	d := p.offer(x, nil)
	if d.Data == nil || len(d.Media) != 4 {
		t.Fatalf("%+v", d)
	}
	ch := x.channel(t)
	p.echoes(ch, true)
	p.receives(x.outgoing(t, d))
}

func TestAnotherCertificateIsRefused(t *testing.T) {
	s := open(t, lite.Config{Limits: lite.Limits{Handshake: 3 * time.Second}})
	x := s.transport(t)
	p := newClient(t, clientConfig{})
	offer, err := p.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.SetLocalDescription(offer); err != nil {
		t.Fatal(err)
	}
	forged := offer.SDP
	at := strings.Index(forged, "sha-256 ") + len("sha-256 ")
	forged = strings.ReplaceAll(forged, forged[at:at+95], strings.TrimSuffix(strings.Repeat("00:", 32), ":"))
	sdp, _, err := x.Answer(forged)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: sdp}); err != nil {
		t.Fatal(err)
	}
	x.waitFor(t, lite.Closed)
	if _, ok := x.Keys(); ok {
		t.Error("keys of a session with a stranger")
	}
	if _, ok := x.Path(); ok {
		t.Error("still sending to it")
	}
}

func TestPeerThatClosesIsNoticed(t *testing.T) {
	s := open(t, lite.Config{})
	x := s.transport(t)
	p := connect(t, x, clientConfig{})
	ch := x.channel(t)
	ch.OnMessage(func([]byte) {})
	p.saysGoodbye()
	x.waitFor(t, lite.Closed)
	select {
	case c := <-x.gone:
		if c != ch {
			t.Error("another channel")
		}
	case <-time.After(patience):
		t.Fatal("the channel was not closed")
	}
	if err := ch.Close(); err != nil {
		t.Logf("closing a closed channel: %v", err)
	}
}

func TestCloseTellsThePeer(t *testing.T) {
	s := open(t, lite.Config{})
	x := s.transport(t)
	p := connect(t, x, clientConfig{})
	x.channel(t)
	closed := make(chan struct{})
	p.dc.OnClose(func() { close(closed) })
	x.Close()
	x.Close()
	select {
	case <-closed:
	case <-time.After(patience):
		t.Fatal("the client's channel stays open")
	}
	if x.State() != lite.Closed {
		t.Error(x.State())
	}
	if _, _, err := x.Answer(p.LocalDescription().SDP); !errors.Is(err, lite.ErrClosed) {
		t.Errorf("a closed transport answers: %v", err)
	}
	if n := s.Stats().Transports; n != 0 {
		t.Errorf("%d transports", n)
	}
}

func TestServerClosesUnderLoad(t *testing.T) {
	s := open(t, lite.Config{TCP: []netip.AddrPort{loopback4}})
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for i := range 4 {
		x := s.transport(t)
		p := newClient(t, clientConfig{})
		p.offer(x, nil)
		if i%2 == 0 {
			x.waitFor(t, lite.Connected)
		}
		wg.Go(func() {
			for seq := uint16(0); ctx.Err() == nil; seq++ {
				_ = p.track.WriteRTP(&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: seq}, Payload: make([]byte, 500)})
				time.Sleep(time.Millisecond)
			}
		})
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	stop()
	wg.Wait()
	if _, err := s.NewTransport(func(lite.Event) {}); err == nil {
		t.Error("a closed server makes transports")
	}
}

func TestComingAndGoingLeavesNothingBehind(t *testing.T) {
	s := open(t, lite.Config{TCP: []netip.AddrPort{loopback4}})
	before := runtime.NumGoroutine()
	kinds := [][]webrtc.NetworkType{{webrtc.NetworkTypeUDP4}, {webrtc.NetworkTypeTCP4}}
	for round := range 6 {
		x := s.transport(t)
		p := newClient(t, clientConfig{networks: kinds[round%2]})
		p.offer(x, nil)
		switch round % 3 {
		case 0: // the client leaves
			x.waitFor(t, lite.Connected)
			p.echoes(x.channel(t), true)
			p.saysGoodbye()
			eventually(t, "the end", func() bool { // a TCP connection may be reset before its last words are read
				return x.State() == lite.Closed || x.State() == lite.Failed
			})
		case 1: // we end it
			x.waitFor(t, lite.Connected)
		} // or it never came to be
		x.Close()
		_ = p.GracefulClose()
	}
	eventually(t, "all gone", func() bool {
		st := s.Stats()
		return st.Transports == 0 && st.TCPConns == 0 && runtime.NumGoroutine() <= before
	})
}

var quick = icelite.Timing{Disconnected: time.Second, Consent: 2 * time.Second, Hold: 100 * time.Millisecond, Deserted: 700 * time.Millisecond}
