package lite_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
	"github.com/pion/webrtc/v4"
	"go.uber.org/goleak"

	"github.com/turnout-rtc/turnout/sfu/demux"
	"github.com/turnout-rtc/turnout/sfu/lite"
	"github.com/turnout-rtc/turnout/sfu/lite/answer"
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

// server is a lite.Server that keeps what it receives.
type server struct {
	*lite.Server
	mu    sync.Mutex
	media map[*lite.Transport][][]byte // still encrypted
}

func open(t testing.TB, cfg lite.Config) *server {
	t.Helper()
	s := &server{media: map[*lite.Transport][][]byte{}}
	cfg.Media = func(batch []lite.Received) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, r := range batch {
			if r.Kind == demux.RTP && len(s.media[r.From]) < 1000 {
				s.media[r.From] = append(s.media[r.From], append([]byte(nil), r.Packet.Data...))
			}
			r.Packet.Release()
		}
	}
	if cfg.UDP == nil {
		cfg.UDP = []netip.AddrPort{loopback4}
	}
	cfg.Net.Mode = netio.Offload
	var err error
	if s.Server, err = lite.Open(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		_ = s.Close()
	})
	return s
}

func (s *server) received(t *lite.Transport) [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([][]byte(nil), s.media[t]...)
}

// transport is one of ours with what its events told.
type transport struct {
	*lite.Transport
	server   *server
	channels chan *lite.Channel
	gone     chan *lite.Channel
	changed  chan struct{}
}

func (s *server) transport(t testing.TB) *transport {
	t.Helper()
	x := &transport{server: s, channels: make(chan *lite.Channel, 99), gone: make(chan *lite.Channel, 99), changed: make(chan struct{}, 1)}
	var err error
	x.Transport, err = s.NewTransport(func(e lite.Event) {
		switch e := e.(type) {
		case lite.ChannelOpened:
			x.channels <- e.Channel
		case lite.ChannelClosed:
			x.gone <- e.Channel
		case lite.StateChanged:
			select {
			case x.changed <- struct{}{}:
			default:
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.Close)
	return x
}

func (x *transport) waitFor(t testing.TB, want lite.State) {
	t.Helper()
	deadline := time.After(patience)
	for x.State() != want {
		select {
		case <-x.changed:
		case <-deadline:
			t.Fatalf("state is %s, want %s; %+v", x.State(), want, x.server.Stats())
		}
	}
}

// eventually polls: what it waits for happens on a real network.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// client is a browser's twin: a PeerConnection of pion's.
type client struct {
	*webrtc.PeerConnection
	t     testing.TB
	track *webrtc.TrackLocalStaticRTP
	dc    *webrtc.DataChannel
	got   chan *rtp.Packet // on its slot
}

type clientConfig struct {
	networks []webrtc.NetworkType
	profiles []dtls.SRTPProtectionProfile
	noData   bool
}

func connect(t testing.TB, x *transport, c clientConfig) *client {
	t.Helper()
	p := newClient(t, c)
	p.offer(x, nil)
	x.waitFor(t, lite.Connected)
	return p
}

func newClient(t testing.TB, c clientConfig) *client {
	t.Helper()
	var se webrtc.SettingEngine
	se.SetIncludeLoopbackCandidate(true)
	se.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() || ip.To4() == nil })
	if c.networks == nil {
		c.networks = []webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6}
	}
	se.SetNetworkTypes(c.networks)
	se.SetICETimeouts(2*time.Second, 60*time.Second, 500*time.Millisecond)
	if c.profiles != nil {
		se.SetSRTPProtectionProfiles(c.profiles...)
	}
	me := &webrtc.MediaEngine{}
	if err := me.RegisterDefaultCodecs(); err != nil {
		t.Fatal(err)
	}
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(se), webrtc.WithMediaEngine(me)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	p := &client{PeerConnection: pc, t: t, got: make(chan *rtp.Packet, 1000)}
	t.Cleanup(func() { _ = pc.GracefulClose() })
	pc.OnTrack(func(tr *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for {
			pkt, _, err := tr.ReadRTP()
			if err != nil {
				return
			}
			select {
			case p.got <- pkt:
			default:
			}
		}
	})
	p.track, err = webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8}, "cam", "client")
	if err != nil {
		t.Fatal(err)
	}
	add := func(kind webrtc.TrackLocal, d webrtc.RTPTransceiverDirection) {
		if _, err := pc.AddTransceiverFromTrack(kind, webrtc.RTPTransceiverInit{Direction: d}); err != nil {
			t.Fatal(err)
		}
	}
	add(p.track, webrtc.RTPTransceiverDirectionSendonly)
	if _, err := pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
		t.Fatal(err)
	}
	if !c.noData {
		p.openChannel("turnout")
	}
	return p
}

func (p *client) openChannel(label string) {
	p.t.Helper()
	var err error
	if p.dc, err = p.CreateDataChannel(label, nil); err != nil {
		p.t.Fatal(err)
	}
}

// offer negotiates once and returns what was agreed on.
func (p *client) offer(x *transport, o *webrtc.OfferOptions) *answer.Description {
	p.t.Helper()
	offer, err := p.CreateOffer(o)
	if err != nil {
		p.t.Fatal(err)
	}
	done := webrtc.GatheringCompletePromise(p.PeerConnection)
	if err := p.SetLocalDescription(offer); err != nil {
		p.t.Fatal(err)
	}
	<-done
	sdp, d, err := x.Answer(p.LocalDescription().SDP)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: sdp}); err != nil {
		p.t.Fatalf("%v\n%s", err, sdp)
	}
	return d
}

// sends checks that media of the client's arrives and decrypts.
func (p *client) sends(x *transport, seq *uint16) {
	p.t.Helper()
	keys, ok := x.Keys()
	if !ok {
		p.t.Fatal("no keys")
	}
	in, err := keys.Inbound()
	if err != nil {
		p.t.Fatal(err)
	}
	before := len(x.server.received(x.Transport))
	eventually(p.t, "the server receives media", func() bool {
		*seq++
		_ = p.track.WriteRTP(&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: *seq}, Payload: []byte("from the client")})
		return len(x.server.received(x.Transport)) > before
	})
	sealed := x.server.received(x.Transport)[before]
	plain, err := in.DecryptRTP(nil, sealed, nil)
	if err != nil || !strings.HasSuffix(string(plain), "from the client") {
		p.t.Fatalf("%v, %q", err, plain)
	}
}

// outgoing sends media on a transport's first slot.
type outgoing struct {
	x   *transport
	ctx *srtp.Context
	hdr rtp.Header
}

func (x *transport) outgoing(t testing.TB, d *answer.Description) *outgoing {
	t.Helper()
	keys, _ := x.Keys()
	ctx, err := keys.Outbound()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range d.Media {
		if m.Role == answer.Slot {
			return &outgoing{x, ctx, rtp.Header{Version: 2, PayloadType: m.Codecs[0].PT, SSRC: m.Out.SSRC}}
		}
	}
	t.Fatal("no slot")
	return nil
}

func (o *outgoing) send(t testing.TB) {
	o.hdr.SequenceNumber++
	o.hdr.Timestamp += 3000
	plain, _ := (&rtp.Packet{Header: o.hdr, Payload: []byte("from the server")}).Marshal()
	sealed, err := o.ctx.EncryptRTP(nil, plain, nil)
	if err != nil {
		t.Fatal(err)
	}
	switch p, ok := o.x.Path(); {
	case !ok:
	case p.TCP != nil:
		p.TCP.Send(sealed)
	default:
		_ = p.Socket.WriteTo(sealed, p.Remote)
	}
}

// receives checks that media of the server's arrives.
func (p *client) receives(o *outgoing) {
	p.t.Helper()
	for len(p.got) > 0 {
		<-p.got
	}
	for end := time.Now().Add(patience); time.Now().Before(end); {
		o.send(p.t)
		select {
		case pkt := <-p.got:
			if string(pkt.Payload) != "from the server" || pkt.SSRC != o.hdr.SSRC {
				p.t.Fatalf("got %q on %d", pkt.Payload, pkt.SSRC)
			}
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
	p.t.Fatalf("the client received nothing; path %+v", o.x.Transport)
}

// echoes checks a data channel both ways.
func (p *client) echoes(c *lite.Channel, first bool) {
	p.t.Helper()
	back := make(chan string, 16)
	p.dc.OnMessage(func(m webrtc.DataChannelMessage) { back <- string(m.Data) })
	if first {
		c.OnMessage(func(b []byte) { _ = c.Send(append([]byte("echo "), b...)) })
	}
	if err := p.dc.Send([]byte("hello")); err != nil {
		p.t.Fatal(err)
	}
	select {
	case got := <-back:
		if got != "echo hello" {
			p.t.Fatalf("got %q", got)
		}
	case <-time.After(patience):
		p.t.Fatal("no echo")
	}
}

func (x *transport) channel(t testing.TB) *lite.Channel {
	t.Helper()
	select {
	case c := <-x.channels:
		return c
	case <-time.After(patience):
		t.Fatal("no data channel")
		return nil
	}
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

func TestICERestartKeepsTheSession(t *testing.T) {
	s := open(t, lite.Config{})
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
	_ = p.GracefulClose()
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

var quick = icelite.Timing{Disconnected: time.Second, Consent: 2 * time.Second, Hold: 100 * time.Millisecond, Deserted: 700 * time.Millisecond}
