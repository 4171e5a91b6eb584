package sfu_test

import (
	"encoding/binary"
	"math/rand/v2"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"github.com/turnout-rtc/turnout/sfu"
)

// URIs of header extensions that travel with a frame.
const (
	sendTimeURI    = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
	captureTimeURI = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"
	delayURI       = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
	orientationURI = "urn:3gpp:video-orientation"
)

func carriedExtensions() []string {
	return []string{sendTimeURI, captureTimeURI, delayURI, orientationURI}
}

// extensionID is that of a header extension, 0 for none.
func extensionID(all []webrtc.RTPHeaderExtensionParameter, uri string) uint8 {
	for _, e := range all {
		if e.URI == uri {
			return uint8(e.ID)
		}
	}
	return 0
}

// received returns the ID of an extension in packets that the client gets.
func (c *client) received(mid, uri string) uint8 {
	for _, t := range c.pc.GetTransceivers() {
		if t.Mid() == mid && t.Receiver() != nil {
			return extensionID(t.Receiver().GetParameters().HeaderExtensions, uri)
		}
	}
	return 0
}

// ntp is a time as reports tell it (RFC 3550 §4).
func ntp(t time.Time) uint64 {
	const epoch = 2208988800
	return uint64(t.Unix()+epoch)<<32 | uint64(t.Nanosecond())<<32/1e9
}

// since is the time between two of ntp.
func since(a, b uint64) time.Duration {
	return time.Duration(float64(int64(a-b)) / (1 << 32) * float64(time.Second))
}

func testReportsSayWhoseStreamAndWhen(t *testing.T) {
	r := newEngine(t).NewRouter("room")
	_, _, p := publisher(t, r, 'x')
	sub := join(t, r, 0, 1)
	a := sub.negotiate(nil)
	sub.connected()
	sub.transport.Subscribe(p)
	first := sub.receive(sub.video, nil)
	name := regexp.MustCompile(`a=ssrc:\d+ cname:(\S+)`).FindStringSubmatch(a.SDP)
	told, named := false, false
	for deadline := time.After(patience); !told || !named; {
		select {
		case p := <-sub.control:
			switch p := p.(type) {
			case *rtcp.SenderReport:
				told = true
				if off := since(ntp(time.Now()), p.NTPTime); p.SSRC != first.SSRC || off < 0 || off > patience {
					t.Errorf("%v of packets of %d, %v ago", p, first.SSRC, off)
				}
			case *rtcp.SourceDescription:
				named = true
				if name == nil || p.Chunks[0].Source != first.SSRC || p.Chunks[0].Items[0].Text != name[1] {
					t.Errorf("the name is %v, in the answer it was %v", p, name)
				}
			}
		case <-deadline:
			t.Fatalf("report %v, name %v", told, named)
		}
	}
}

// The publisher's clock is an hour ahead, and its sound comes late. What the subscriber is told must show neither.
func testSoundAndPictureCanBePlayedInSync(t *testing.T) {
	const ahead, late = time.Hour, 300 * time.Millisecond
	r := newEngine(t).NewRouter("room")
	pub, sub := join(t, r, 0, 0), join(t, r, 1, 1)
	mic, micAt := pub.publish(webrtc.MimeTypeOpus)
	cam, camAt := pub.publish(webrtc.MimeTypeVP8)
	a := pub.negotiate(func() []sfu.Announcement {
		return []sfu.Announcement{{MID: micAt.Mid(), ID: "mic"}, {MID: camAt.Mid(), ID: "cam"}}
	})
	pub.connected()
	sub.negotiate(nil)
	sub.connected()
	for _, p := range a.Published {
		sub.transport.Subscribe(p)
	}
	begin, done, stopped := time.Now(), make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(done); <-stopped })
	ssrc := func(tr *webrtc.RTPTransceiver) uint32 { return uint32(tr.Sender().GetParameters().Encodings[0].SSRC) }
	go func() {
		defer close(stopped)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for seq := uint16(1); ; seq++ {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			now := time.Since(begin) // payloads say when they were captured, in ms
			stamp := func(d time.Duration, head ...byte) []byte {
				return binary.BigEndian.AppendUint32(head, uint32(d.Milliseconds()))
			}
			_ = cam.WriteRTP(&rtp.Packet{
				Header:  rtp.Header{Version: 2, SequenceNumber: seq, Timestamp: 7 + uint32(now.Milliseconds()*90), Marker: true},
				Payload: stamp(now, vp8(seq, true, true, 0)...),
			})
			_ = mic.WriteRTP(&rtp.Packet{
				Header:  rtp.Header{Version: 2, SequenceNumber: seq, Timestamp: 9 + uint32((now-late).Milliseconds()*48)},
				Payload: stamp(now - late),
			})
			if seq%10 == 0 {
				at := ntp(begin.Add(now + ahead))
				_ = pub.pc.WriteRTCP([]rtcp.Packet{
					&rtcp.SenderReport{SSRC: ssrc(camAt), NTPTime: at, RTPTime: 7 + uint32(now.Milliseconds()*90)},
					&rtcp.SenderReport{SSRC: ssrc(micAt), NTPTime: at, RTPTime: 9 + uint32(now.Milliseconds()*48)},
				})
			}
		}
	}()
	reports := map[uint32]*rtcp.SenderReport{}
	// captured is when a packet was captured by its report, after the truth.
	captured := func(p received, rate float64) (time.Duration, bool) {
		r := reports[p.SSRC]
		if r == nil || len(p.Payload) < 4 {
			return 0, false
		}
		truth := begin.Add(time.Duration(binary.BigEndian.Uint32(p.Payload[len(p.Payload)-4:])) * time.Millisecond)
		ticks := float64(int32(p.Timestamp-r.RTPTime)) / rate
		return since(r.NTPTime, ntp(truth)) + time.Duration(ticks*float64(time.Second)), true
	}
	for end := time.Now().Add(patience); ; {
		for len(sub.reports) > 0 {
			r := <-sub.reports
			reports[r.SSRC] = r
		}
		sound, a := captured(sub.receive(sub.audio, nil), 48000)
		picture, b := captured(sub.receive(sub.video, nil), 90000)
		apart := (sound - picture).Abs()
		if a && b && apart < 20*time.Millisecond && sound.Abs() < 200*time.Millisecond {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the sound is off by %v, the picture by %v", sound, picture)
		}
	}
}

func testTransportWideNumbersRiseByOne(t *testing.T) {
	r := newEngine(t).NewRouter("room")
	pub, sub := join(t, r, 0, 0), join(t, r, 1, 1)
	mic, micAt := pub.publish(webrtc.MimeTypeOpus)
	cam, camAt := pub.publish(webrtc.MimeTypeVP8)
	a := pub.negotiate(func() []sfu.Announcement {
		return []sfu.Announcement{{MID: micAt.Mid(), ID: "mic"}, {MID: camAt.Mid(), ID: "cam"}}
	})
	pub.connected()
	pub.startMicrophone(mic, 'm')
	pub.startCamera(cam, camAt, 'x')
	sub.negotiate(nil)
	sub.connected()
	for _, p := range a.Published {
		sub.transport.Subscribe(p)
	}
	var numbers []uint16
	take := func(p received) {
		b := p.GetExtension(sub.received(p.mid, sdp.TransportCCURI))
		if len(b) != 2 {
			t.Fatalf("packet %v has the number % x", p.Packet, b)
		}
		numbers = append(numbers, binary.BigEndian.Uint16(b))
		if id := sub.received(p.mid, sendTimeURI); id != 0 {
			b := p.GetExtension(id)
			if len(b) != 3 {
				t.Fatalf("packet %v has the send time % x", p.Packet, b)
			}
			sent := uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2]) // in 2^-18 s, modulo 64 s
			if age := (uint32(ntp(time.Now())>>14) - sent) & 0xffffff; age > uint32(patience.Seconds())<<18 {
				t.Fatalf("sent %d units ago", age)
			}
		}
	}
	for len(numbers) < 200 {
		take(sub.receive(sub.video, nil))
		take(sub.receive(sub.audio, nil))
	}
	for len(sub.video) > 0 || len(sub.audio) > 0 {
		select {
		case p := <-sub.video:
			take(p)
		case p := <-sub.audio:
			take(p)
		}
	}
	slices.Sort(numbers)
	for i, n := range numbers[1:150] { // the last ones may be on their way on the other stream
		if n != numbers[i]+1 {
			t.Fatalf("%d follows %d", n, numbers[i])
		}
	}
}

func testWayToASubscriberIsMeasured(t *testing.T) {
	e := newEngine(t)
	_, _, p, sub := pair(t, e.NewRouter("room"), 'x', 1)
	if q := sub.transport.Quality(); q != (sfu.Quality{}) {
		t.Errorf("%+v before anything was sent", q)
	}
	n := 0
	sub.mu.Lock()
	sub.drop = func(p *rtp.Packet) bool {
		n++
		return p.PayloadType%2 == 0 && n%5 == 0
	}
	sub.mu.Unlock()
	sub.transport.Subscribe(p)
	var q sfu.Quality
	poll(t, e, "the way is not measured", func(s sfu.Stats) bool {
		if now := sub.transport.Quality(); now.Loss > 0 {
			q.Loss = now.Loss
		}
		q.RoundTrip = sub.transport.Quality().RoundTrip
		return q.Loss > 0 && q.RoundTrip > 0 && s.Reports > 0 && s.Delivered > 0 && s.Lost > 0
	})
	if q.RoundTrip > patience || q.Loss > 0.9 {
		t.Errorf("%+v", q)
	}
	if err := sub.pc.WriteRTCP([]rtcp.Packet{&rtcp.ReceiverEstimatedMaximumBitrate{SenderSSRC: 1, Bitrate: 131072}}); err != nil {
		t.Fatal(err)
	}
	poll(t, e, "the estimate does not come", func(sfu.Stats) bool { return sub.transport.Quality().Estimate == 131072 })
}

func testReceiversTimeIsAnswered(t *testing.T) {
	_, _, p, sub := pair(t, newEngine(t).NewRouter("room"), 'x', 1)
	sub.transport.Subscribe(p)
	me := sub.receive(sub.video, nil).SSRC // the client under test looks at RTCP about streams only
	const mine = 1<<40 + 77<<16
	if err := sub.pc.WriteRTCP([]rtcp.Packet{&rtcp.ExtendedReport{
		SenderSSRC: me, Reports: []rtcp.ReportBlock{&rtcp.ReceiverReferenceTimeReportBlock{NTPTimestamp: mine}},
	}}); err != nil {
		t.Fatal(err)
	}
	for deadline := time.After(patience); ; {
		select {
		case p := <-sub.control:
			x, ok := p.(*rtcp.ExtendedReport)
			if !ok {
				continue
			}
			d := x.Reports[0].(*rtcp.DLRRReportBlock).Reports[0]
			if d.SSRC != me || d.LastRR != mine>>16&0xffffffff || d.DLRR == 0 {
				t.Errorf("%+v", d)
			}
			return
		case <-deadline:
			t.Fatal("no answer came")
		}
	}
}

func testPublisherThatFallsSilentGetsItsLastReport(t *testing.T) {
	e := newEngine(t)
	r := e.NewRouter("room")
	pub := join(t, r, 0, 0)
	track, tr := pub.publish(webrtc.MimeTypeVP8)
	pub.negotiate(announce(tr, "cam"))
	pub.connected()
	feedback := make(chan rtcp.Packet, 256)
	go func() { // ends with the PeerConnection
		for {
			packets, _, err := tr.Sender().ReadRTCP()
			if err != nil {
				return
			}
			for _, p := range packets {
				select {
				case feedback <- p:
				default:
				}
			}
		}
	}()
	const last = 300
	send := func(seq uint16) {
		p := &rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: seq, Timestamp: uint32(seq) * 900}, Payload: vp8(seq, true, true, 'x')}
		if err := track.WriteRTP(p); err != nil {
			t.Fatal(err)
		}
	}
	poll(t, e, "the client is not connected", func(s sfu.Stats) bool { send(1); return s.PacketsIn > 0 })
	for seq := uint16(2); seq <= last; seq++ {
		send(seq)
	}
	told, counted := false, 0
	for deadline := time.After(patience); !told || counted < last; {
		select {
		case p := <-feedback:
			switch p := p.(type) {
			case *rtcp.ReceiverReport:
				told = told || slices.ContainsFunc(p.Reports, func(r rtcp.ReceptionReport) bool { return uint16(r.LastSequenceNumber) == last })
			case *rtcp.TransportLayerCC:
				counted += int(p.PacketStatusCount)
			}
		case <-deadline:
			t.Fatalf("last report %v, arrival of %d packets of %d", told, counted, last)
		}
	}
}

// rawRTCP is a packet of bytes that are none.
type rawRTCP []byte

func (r rawRTCP) DestinationSSRC() []uint32 { return nil }
func (r rawRTCP) Marshal() ([]byte, error)  { return r, nil }
func (r rawRTCP) Unmarshal([]byte) error    { return nil }
func (r rawRTCP) MarshalSize() int          { return len(r) }
func (r rawRTCP) Header() (h rtcp.Header)   { return h }

func testRTCPGarbageIsDropped(t *testing.T) {
	e := newEngine(t)
	_, _, p, sub := pair(t, e.NewRouter("room"), 'x', 1)
	sub.transport.Subscribe(p)
	first := sub.receive(sub.video, nil)
	rng := rand.New(rand.NewPCG(1, 1))
	for range 3000 {
		b := make([]byte, 4*(3+rng.IntN(20)))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		b[0], b[1] = 0x80|b[0]&0x3f, byte(200+rng.IntN(8))
		binary.BigEndian.PutUint16(b[2:], uint16(rng.IntN(len(b)/4+1)))
		if rng.IntN(2) == 0 && len(b) >= 12 {
			binary.BigEndian.PutUint32(b[8:], first.SSRC)
		}
		if err := sub.pc.WriteRTCP([]rtcp.Packet{rawRTCP(b)}); err != nil {
			t.Fatal(err)
		}
	}
	poll(t, e, "nothing is dropped", func(s sfu.Stats) bool { return s.Dropped["malformedRTCP"] > 100 })
	for len(sub.video) > 0 {
		<-sub.video
	}
	for range 50 {
		sub.receive(sub.video, of('x'))
	}
}

func testPacketsThatAreLostForGoodCostAKeyFrame(t *testing.T) {
	e := newEngine(t)
	pub, _, p, sub := pair(t, e.NewRouter("room"), 'x', 1)
	sub.transport.Subscribe(p)
	sub.receive(sub.video, nil)
	n, lost := 0, false
	pub.mu.Lock()
	pub.lose = func(h *rtp.Header) bool {
		if n++; n == 50 {
			lost = true
			return true
		}
		return h.PayloadType%2 == 1 // what is sent again is lost as well
	}
	pub.mu.Unlock()
	poll(t, e, "nothing is lost", func(sfu.Stats) bool { pub.mu.Lock(); defer pub.mu.Unlock(); return lost })
	before := e.Stats()
	poll(t, e, "it is not given up", func(s sfu.Stats) bool {
		return s.GaveUp > before.GaveUp && s.KeyFrameRequests > before.KeyFrameRequests
	})
	asked := e.Stats().AskedAgain
	in := e.Stats().PacketsIn
	poll(t, e, "the camera stands still", func(s sfu.Stats) bool { return s.PacketsIn > in+20 })
	if n := e.Stats().AskedAgain; n != asked || asked == 0 {
		t.Errorf("asked %d times, and %d more after it was given up", asked, n-asked)
	}
}
