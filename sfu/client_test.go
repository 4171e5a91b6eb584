package sfu_test

import (
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"github.com/turnout-rtc/turnout/sfu"
)

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

// newEngine opens an engine on loopback.
func newEngine(t *testing.T, change ...func(*sfu.Config)) *sfu.Engine {
	t.Helper()
	cfg := sfu.Config{UDP: "127.0.0.1:0", TCP: "127.0.0.1:0", ICE: iceOf(t)}
	for _, f := range change {
		f(&cfg)
	}
	e, err := sfu.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("closing the engine: %v", err)
		}
	})
	return e
}

// received is an RTP packet that a client got.
type received struct {
	mid string
	*rtp.Packet
	rtx bool
}

// client is a browser's stand-in: a pion PeerConnection, and the server's transport for it.
type client struct {
	t         *testing.T
	pc        *webrtc.PeerConnection
	transport *sfu.Transport
	events    chan sfu.Event
	audio     chan received
	video     chan received
	reports   chan *rtcp.SenderReport
	control   chan rtcp.Packet // all RTCP about what is received
	rev       int

	mu   sync.Mutex
	drop func(*rtp.Packet) bool // guarded by mu: packets that are lost on the way to the client
	lose func(*rtp.Header) bool // guarded by mu: packets that are lost on the way to the server
}

// lossy drops RTP packets between the wire and pion's NACKs.
type lossy struct {
	interceptor.NoOp
	c *client
}

func (l *lossy) NewInterceptor(string) (interceptor.Interceptor, error) { return l, nil }

func (l *lossy) BindRemoteStream(_ *interceptor.StreamInfo, next interceptor.RTPReader) interceptor.RTPReader {
	return interceptor.RTPReaderFunc(func(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
		for {
			n, a, err := next.Read(b, a)
			if err != nil {
				return n, a, err
			}
			var p rtp.Packet
			l.c.mu.Lock()
			lost := p.Unmarshal(b[:n]) == nil && l.c.drop != nil && l.c.drop(&p)
			l.c.mu.Unlock()
			if !lost {
				return n, a, err
			}
		}
	})
}

func (l *lossy) BindLocalStream(_ *interceptor.StreamInfo, next interceptor.RTPWriter) interceptor.RTPWriter {
	return interceptor.RTPWriterFunc(func(h *rtp.Header, payload []byte, a interceptor.Attributes) (int, error) {
		l.c.mu.Lock()
		lost := l.c.lose != nil && l.c.lose(h)
		l.c.mu.Unlock()
		if lost {
			return len(payload), nil
		}
		return next.Write(h, payload, a)
	})
}

// join makes a client with slots and a data channel. It has not negotiated yet.
func join(t *testing.T, r *sfu.Router, audio, video int, codecs ...string) *client {
	t.Helper()
	return joinOver(t, r, nil, audio, video, codecs)
}

// joinOver is join with the network types of the client, nil for all.
func joinOver(t *testing.T, r *sfu.Router, networks []webrtc.NetworkType, audio, video int, codecs []string) *client {
	t.Helper()
	c := &client{t: t, events: make(chan sfu.Event, 256), audio: make(chan received, 8192), video: make(chan received, 8192), reports: make(chan *rtcp.SenderReport, 64), control: make(chan rtcp.Packet, 64)}
	var err error
	if c.transport, err = r.NewTransport(t.Name(), func(e sfu.Event) { c.events <- e }); err != nil {
		t.Fatal(err)
	}
	c.pc = newPeerConnection(t, c, networks, codecs)
	if _, err := c.pc.CreateDataChannel("turnout.reliable", nil); err != nil {
		t.Fatal(err)
	}
	c.addSlots(webrtc.RTPCodecTypeAudio, audio)
	c.addSlots(webrtc.RTPCodecTypeVideo, video)
	c.pc.OnTrack(func(track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
		go c.readReports(receiver)
		to := c.video
		if track.Kind() == webrtc.RTPCodecTypeAudio {
			to = c.audio
		}
		for {
			p, a, err := track.ReadRTP()
			if err != nil {
				return
			}
			to <- received{receiver.RTPTransceiver().Mid(), p, a.Get(webrtc.AttributeRtxSsrc) != nil}
		}
	})
	c.pc.OnICECandidate(func(i *webrtc.ICECandidate) {
		if i == nil {
			return
		}
		j := i.ToJSON()
		c.transport.AddCandidate(sfu.Candidate{Candidate: j.Candidate, SDPMid: *j.SDPMid, SDPMLineIndex: *j.SDPMLineIndex})
	})
	t.Cleanup(func() {
		_ = c.pc.GracefulClose() // the server may be gone already
	})
	return c
}

// readReports collects sender reports until the PeerConnection is closed.
func (c *client) readReports(receiver *webrtc.RTPReceiver) {
	for {
		packets, _, err := receiver.ReadRTCP()
		if err != nil {
			return
		}
		for _, p := range packets {
			if r, ok := p.(*rtcp.SenderReport); ok {
				select {
				case c.reports <- r:
				default:
				}
			}
			select {
			case c.control <- p:
			default:
			}
		}
	}
}

func newPeerConnection(t *testing.T, c *client, networks []webrtc.NetworkType, codecs []string) *webrtc.PeerConnection {
	t.Helper()
	m := &webrtc.MediaEngine{}
	if len(codecs) == 0 {
		codecs = []string{webrtc.MimeTypeOpus, webrtc.MimeTypeVP8, webrtc.MimeTypeVP9, webrtc.MimeTypeH264}
	}
	for i, mime := range codecs {
		registerCodec(t, m, mime, webrtc.PayloadType(96+2*i))
	}
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: sdp.SDESMidURI}, kind); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: sdp.AudioLevelURI}, webrtc.RTPCodecTypeAudio); err != nil {
		t.Fatal(err)
	}
	for _, uri := range carriedExtensions() {
		if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: uri}, webrtc.RTPCodecTypeVideo); err != nil {
			t.Fatal(err)
		}
	}
	if err := webrtc.ConfigureSimulcastExtensionHeaders(m); err != nil {
		t.Fatal(err)
	}
	i := &interceptor.Registry{}
	i.Add(&lossy{c: c})
	if err := webrtc.ConfigureTWCCHeaderExtensionSender(m, i); err != nil {
		t.Fatal(err)
	}
	if err := webrtc.ConfigureNack(m, i); err != nil {
		t.Fatal(err)
	}
	if err := webrtc.ConfigureTWCCSender(m, i); err != nil {
		t.Fatal(err)
	}
	reception, err := report.NewReceiverInterceptor(report.ReceiverInterval(100 * time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	i.Add(reception)
	var s webrtc.SettingEngine
	s.SetIncludeLoopbackCandidate(true)
	if networks != nil {
		s.SetNetworkTypes(networks)
	}
	pc, err := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(i), webrtc.WithSettingEngine(s)).
		NewPeerConnection(webrtc.Configuration{BundlePolicy: webrtc.BundlePolicyMaxBundle})
	if err != nil {
		t.Fatal(err)
	}
	return pc
}

const mimeTypeRED = "audio/red" // RFC 2198

func registerCodec(t *testing.T, m *webrtc.MediaEngine, mime string, pt webrtc.PayloadType) {
	t.Helper()
	kind, c := webrtc.RTPCodecTypeVideo, webrtc.RTPCodecCapability{MimeType: mime, ClockRate: 90000}
	switch mime {
	case webrtc.MimeTypeOpus:
		kind, c.ClockRate, c.Channels = webrtc.RTPCodecTypeAudio, 48000, 2
	case mimeTypeRED: // of Opus, which stands before it
		kind, c.ClockRate, c.Channels, c.SDPFmtpLine = webrtc.RTPCodecTypeAudio, 48000, 2, fmt.Sprintf("%d/%d", pt-2, pt-2)
	case webrtc.MimeTypeVP9:
		c.SDPFmtpLine = "profile-id=0"
	case webrtc.MimeTypeH264:
		c.SDPFmtpLine = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
	}
	all := []webrtc.RTPCodecParameters{{RTPCodecCapability: c, PayloadType: pt}}
	if kind == webrtc.RTPCodecTypeVideo {
		rtx := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeRTX, ClockRate: 90000, SDPFmtpLine: fmt.Sprintf("apt=%d", pt)}
		all = append(all, webrtc.RTPCodecParameters{RTPCodecCapability: rtx, PayloadType: pt + 1})
	}
	for _, p := range all {
		if err := m.RegisterCodec(p, kind); err != nil {
			t.Fatal(err)
		}
	}
}

func (c *client) addSlots(kind webrtc.RTPCodecType, n int) {
	c.t.Helper()
	for range n {
		if _, err := c.pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
			c.t.Fatal(err)
		}
	}
}

// publish adds a sendonly track; the next offer must announce its mid.
func (c *client) publish(mime string) (*webrtc.TrackLocalStaticRTP, *webrtc.RTPTransceiver) {
	c.t.Helper()
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mime}, "track", "stream")
	if err != nil {
		c.t.Fatal(err)
	}
	tr, err := c.pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		c.t.Fatal(err)
	}
	return track, tr
}

// offer sets and returns an offer; announce is asked for the publications once mids are known.
func (c *client) offer(announce func() []sfu.Announcement) sfu.Offer {
	c.t.Helper()
	o, err := c.pc.CreateOffer(nil)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.pc.SetLocalDescription(o); err != nil {
		c.t.Fatal(err)
	}
	c.rev++
	offer := sfu.Offer{Rev: c.rev, SDP: o.SDP}
	if announce != nil {
		offer.Publications = announce()
	}
	return offer
}

// negotiate offers, applies the answer and acknowledges it.
func (c *client) negotiate(announce func() []sfu.Announcement) sfu.Answered {
	c.t.Helper()
	c.transport.Negotiate(c.offer(announce))
	a := wait[sfu.Answered](c, nil)
	c.apply(a)
	return a
}

func (c *client) apply(a sfu.Answered) {
	c.t.Helper()
	if err := c.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: a.SDP}); err != nil {
		c.t.Fatalf("answer: %v\n%s", err, a.SDP)
	}
	c.transport.Ready(a.Rev)
}

// wait returns the next event of a type that fulfils a condition, and skips all others.
func wait[E sfu.Event](c *client, condition func(E) bool) E {
	c.t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case e := <-c.events:
			if r, ok := e.(sfu.Refused); ok {
				if _, wanted := any(*new(E)).(sfu.Refused); !wanted {
					c.t.Fatalf("refused: %v", r.Err)
				}
			}
			if e, ok := e.(E); ok && (condition == nil || condition(e)) {
				return e
			}
		case <-timeout:
			c.t.Fatalf("no %T came", *new(E))
		}
	}
}

func (c *client) connected() {
	c.t.Helper()
	wait(c, func(s sfu.StateChanged) bool { return s.State == sfu.StateConnected })
}

// receive returns the next packet of a kind that fulfils a condition.
func (c *client) receive(from chan received, condition func(received) bool) received {
	c.t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case p := <-from:
			if condition == nil || condition(p) {
				return p
			}
		case <-timeout:
			c.t.Fatal("the packet did not come")
		}
	}
}

// camera sends frames of two packets, a key frame whenever the server asks for one, until the test ends.
type camera struct {
	stop func()

	feedback chan rtcp.Packet // reports and transport-wide feedback
}

// vp8 makes the payload of one packet of a VP8 frame with a 15-bit picture id.
func vp8(picture uint16, first, key bool, body byte) []byte {
	b := []byte{0x80, 0x80, 0x80 | byte(picture>>8), byte(picture), 0x01, body}
	if first {
		b[0] |= 0x10
		if key {
			b[4] = 0x00
		}
	}
	return b
}

func (c *client) startCamera(track *webrtc.TrackLocalStaticRTP, tr *webrtc.RTPTransceiver, body byte) *camera {
	cam := &camera{feedback: make(chan rtcp.Packet, 256)}
	keys := make(chan struct{}, 16)
	done := make(chan struct{})
	var running sync.WaitGroup
	cam.stop = sync.OnceFunc(func() { close(done); running.Wait() })
	c.t.Cleanup(cam.stop)
	go func() { // ends with the PeerConnection
		for {
			packets, _, err := tr.Sender().ReadRTCP()
			if err != nil {
				return
			}
			for _, p := range packets {
				switch p.(type) {
				case *rtcp.PictureLossIndication:
					select {
					case keys <- struct{}{}:
					default:
					}
				case *rtcp.ReceiverReport, *rtcp.TransportLayerCC:
					select {
					case cam.feedback <- p:
					default:
					}
				}
			}
		}
	}()
	running.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		seq, ts, picture, key := uint16(65500), uint32(1000), uint16(32700), true
		for {
			select {
			case <-done:
				return
			case <-keys:
				key = true
				continue
			case <-tick.C:
			}
			for i := range 2 {
				p := &rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: seq, Timestamp: ts, Marker: i == 1}}
				p.Payload = vp8(picture&0x7fff, i == 0, key, body)
				_ = track.WriteRTP(p)
				seq++
			}
			ts, picture, key = ts+900, picture+1, false
		}
	})
	return cam
}

func (c *client) startMicrophone(track *webrtc.TrackLocalStaticRTP, body byte) {
	done := make(chan struct{})
	var running sync.WaitGroup
	c.t.Cleanup(func() { close(done); running.Wait() })
	running.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for seq := uint16(1); ; seq++ {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			p := &rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: seq, Timestamp: uint32(seq) * 480}, Payload: []byte{0xf8, body}}
			_ = track.WriteRTP(p)
		}
	})
}
