package sfu_test

import (
	"encoding/binary"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/turnout-rtc/turnout/sfu"
)

func testExtensionsTravelWithTheirFrames(t *testing.T) {
	for _, turned := range []bool{true, false} {
		r := newEngine(t, func(c *sfu.Config) { c.VideoOrientation = turned }).NewRouter("room")
		pub, sub := join(t, r, 0, 0), join(t, r, 0, 1)
		track, tr := pub.publish(webrtc.MimeTypeVP8)
		a := pub.negotiate(announce(tr, "cam"))
		pub.connected()
		sub.negotiate(nil)
		sub.connected()
		sub.transport.Subscribe(a.Published[0])
		ids := tr.Sender().GetParameters().HeaderExtensions
		if got := extensionID(ids, orientationURI) != 0; got != turned {
			t.Fatalf("orientation was accepted: %v", got)
		}
		const ahead = -time.Hour
		ssrc := uint32(tr.Sender().GetParameters().Encodings[0].SSRC)
		done, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			for seq := uint16(1); ; seq++ {
				select {
				case <-done:
					return
				case <-time.After(10 * time.Millisecond):
				}
				now := time.Now().Add(ahead)
				p := &rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: seq, Timestamp: uint32(seq) * 900, Marker: true}, Payload: vp8(seq, true, true, 'x')}
				_ = p.SetExtension(extensionID(ids, captureTimeURI), binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, ntp(now)), 0))
				_ = p.SetExtension(extensionID(ids, delayURI), []byte{1, 2, 3})
				if turned {
					_ = p.SetExtension(extensionID(ids, orientationURI), []byte{1})
				}
				_ = track.WriteRTP(p)
				_ = pub.pc.WriteRTCP([]rtcp.Packet{&rtcp.SenderReport{SSRC: ssrc, NTPTime: ntp(now), RTPTime: uint32(seq) * 900}})
			}
		}()
		p := sub.receive(sub.video, func(p received) bool { return p.GetExtension(sub.received(p.mid, captureTimeURI)) != nil })
		close(done)
		<-stopped
		if b := p.GetExtension(sub.received(p.mid, delayURI)); string(b) != "\x01\x02\x03" {
			t.Errorf("playout delay % x", b)
		}
		if b := p.GetExtension(sub.received(p.mid, orientationURI)); (string(b) == "\x01") != turned {
			t.Errorf("orientation % x", b)
		}
		b := p.GetExtension(sub.received(p.mid, captureTimeURI))
		at, offset := binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
		if age := since(ntp(time.Now()), at-offset); age < -time.Second || age > patience {
			t.Errorf("by our clock it was captured %v ago", age)
		}
	}
}

// Two cameras with the same payload types, whose packets do not say which they are: after their m-lines were inactive only the
// SSRC tells.
func testStreamThatWasInactiveIsReceivedAgain(t *testing.T) {
	e := newEngine(t)
	r := e.NewRouter("room")
	pub, sub := join(t, r, 0, 0), join(t, r, 0, 2)
	one, oneAt := pub.publish(webrtc.MimeTypeVP8)
	two, twoAt := pub.publish(webrtc.MimeTypeVP8)
	named := func() []sfu.Announcement {
		return []sfu.Announcement{{MID: oneAt.Mid(), ID: "one"}, {MID: twoAt.Mid(), ID: "two"}}
	}
	a := pub.negotiate(named)
	pub.connected()
	pub.startCamera(one, oneAt, 'x')
	pub.startCamera(two, twoAt, 'y')
	sub.negotiate(nil)
	sub.connected()
	for _, p := range a.Published {
		sub.transport.Subscribe(p)
	}
	sub.receive(sub.video, of('x'))
	sub.receive(sub.video, of('y'))
	sources := regexp.MustCompile(`a=ssrc.*\r\n`)
	negotiate := func(direction string) {
		o := pub.offer(named)
		o.SDP = sources.ReplaceAllString(strings.ReplaceAll(o.SDP, "a=sendonly", "a="+direction), "")
		pub.transport.Negotiate(o)
		a := wait[sfu.Answered](pub, nil)
		a.SDP = strings.ReplaceAll(a.SDP, "a=inactive", "a=recvonly")
		pub.apply(a)
	}
	negotiate("inactive")
	before := e.Stats().Dropped["unknownStream"]
	poll(t, e, "an inactive stream is received", func(s sfu.Stats) bool { return s.Dropped["unknownStream"] > before+10 })
	for len(sub.video) > 0 {
		<-sub.video
	}
	negotiate("sendonly")
	sub.receive(sub.video, of('x'))
	sub.receive(sub.video, of('y'))
}

func testH265ReachesThoseWhoHaveIt(t *testing.T) {
	e := newEngine(t)
	r := e.NewRouter("room")
	codecs := []string{webrtc.MimeTypeOpus, webrtc.MimeTypeVP8, webrtc.MimeTypeH265}
	pub, sub, other := join(t, r, 0, 0, codecs...), join(t, r, 0, 1, codecs...), join(t, r, 0, 1, codecs[:2]...)
	track, tr := pub.publish(webrtc.MimeTypeH265)
	a := pub.negotiate(announce(tr, "cam"))
	pub.connected()
	for _, c := range []*client{sub, other} {
		c.negotiate(nil)
		c.connected()
		c.transport.Subscribe(a.Published[0])
	}
	seq := uint16(0)
	poll(t, e, "it does not arrive", func(s sfu.Stats) bool {
		seq++
		p := &rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: seq, Timestamp: uint32(seq) * 900, Marker: true}}
		p.Payload = []byte{19 << 1, 1, 0x80, 'x'} // IDR_W_RADL, RFC 7798 §1.1.4
		if err := track.WriteRTP(p); err != nil {
			t.Fatal(err)
		}
		return len(sub.video) > 10 && s.Dropped["codec"] > 0
	})
	if p := sub.receive(sub.video, nil); !of('x')(p) || len(other.video) > 0 {
		t.Errorf("%v arrived, and %d packets where nobody can read them", p.Packet, len(other.video))
	}
}

func testRedundantSoundReachesEveryoneAsTheyHaveIt(t *testing.T) {
	e := newEngine(t)
	r := e.NewRouter("room")
	pub := join(t, r, 0, 0, webrtc.MimeTypeOpus, mimeTypeRED)
	has := join(t, r, 1, 0, webrtc.MimeTypeVP8, webrtc.MimeTypeOpus, mimeTypeRED) // other payload types
	hasNot := join(t, r, 1, 0, webrtc.MimeTypeOpus)
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mimeTypeRED, ClockRate: 48000, Channels: 2}, "mic", "mic")
	if err != nil {
		t.Fatal(err)
	}
	tr, err := pub.pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		t.Fatal(err)
	}
	a := pub.negotiate(announce(tr, "mic"))
	pub.connected()
	for _, c := range []*client{has, hasNot} {
		c.negotiate(nil)
		c.connected()
		c.transport.Subscribe(a.Published[0])
	}
	const theirs, ours = 96, 98 // payload types of Opus, see newPeerConnection
	seq := uint16(0)
	poll(t, e, "it does not arrive", func(sfu.Stats) bool {
		seq++
		p := &rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: seq, Timestamp: uint32(seq) * 960}}
		p.Payload = []byte{0x80 | theirs, 960 >> 6, 960 & 0x3f << 2, 2, theirs, 'o', 'o', 'n', 'e', 'w'} // one block of before
		if err := track.WriteRTP(p); err != nil {
			t.Fatal(err)
		}
		return len(has.audio) > 10 && len(hasNot.audio) > 10
	})
	for range 5 {
		has.receive(has.audio, nil) // the first packets come without what was before
	}
	if p := has.receive(has.audio, nil); p.PayloadType != ours+2 || len(p.Payload) != 10 || p.Payload[0] != 0x80|ours || p.Payload[4] != ours || !of('w')(p) {
		t.Errorf("payload type %d with % x", p.PayloadType, p.Payload)
	}
	if p := hasNot.receive(hasNot.audio, nil); p.PayloadType != theirs || string(p.Payload) != "new" {
		t.Errorf("payload type %d with % x", p.PayloadType, p.Payload)
	}
}
