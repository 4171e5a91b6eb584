package lite_test

import (
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

	"github.com/turnout-rtc/turnout/sfu/demux"
	"github.com/turnout-rtc/turnout/sfu/lite"
	"github.com/turnout-rtc/turnout/sfu/lite/answer"
)

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
	setup string
	edit  func(sdp string) string
	track *webrtc.TrackLocalStaticRTP
	dc    *webrtc.DataChannel
	got   chan *rtp.Packet // on its slot
}

type clientConfig struct {
	networks []webrtc.NetworkType
	profiles []dtls.SRTPProtectionProfile
	noData   bool
	setup    string                  // the client's DTLS role in its offers; "" as pion offers it
	edit     func(sdp string) string // of offers and answers; nil leaves them
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
	p := &client{PeerConnection: pc, t: t, setup: c.setup, edit: c.edit, got: make(chan *rtp.Packet, 1000)}
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
	text := p.LocalDescription().SDP
	if p.setup != "" {
		text = strings.ReplaceAll(text, "a=setup:actpass", "a=setup:"+p.setup)
	}
	if p.edit != nil {
		text = p.edit(text)
	}
	sdp, d, err := x.Answer(text)
	if err != nil {
		p.t.Fatal(err)
	}
	if p.edit != nil {
		sdp = p.edit(sdp)
	}
	if err := p.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: sdp}); err != nil {
		p.t.Fatalf("%v\n%s", err, sdp)
	}
	return d
}

// saysGoodbye ends DTLS, which tells the server. GracefulClose may close ICE before its goodbye is sent, when SCTP closes DTLS first.
func (p *client) saysGoodbye() {
	p.t.Helper()
	if err := p.SCTP().Transport().Stop(); err != nil {
		p.t.Fatal(err)
	}
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
	x      *transport
	ctx    *srtp.Context
	hdr    rtp.Header
	outlet *lite.Outlet
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
			return &outgoing{x, ctx, rtp.Header{Version: 2, PayloadType: m.Codecs[0].PT, SSRC: m.Out.SSRC}, x.server.NewOutlet()}
		}
	}
	t.Fatal("no slot")
	return nil
}

func (o *outgoing) send(t testing.TB) {
	o.hdr.SequenceNumber++
	o.hdr.Timestamp += 3000
	plain, _ := (&rtp.Packet{Header: o.hdr, Payload: []byte("from the server")}).Marshal()
	p, ok := o.x.Path()
	if !ok {
		return
	}
	const tag = 16
	place := o.outlet.Slot(p, len(plain)+tag)
	sealed, err := o.ctx.EncryptRTP(place[:0], plain, nil)
	if err != nil || &sealed[0] != &place[0] {
		t.Fatalf("%v; encrypted elsewhere: %v", err, len(sealed) > 0 && &sealed[0] != &place[0])
	}
	o.outlet.Commit(p, len(sealed))
	o.outlet.Flush()
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
	eventually(p.t, "the client's end of the channel is open", func() bool { return p.dc.ReadyState() == webrtc.DataChannelStateOpen })
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
