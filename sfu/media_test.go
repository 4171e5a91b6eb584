package sfu_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/turnout-rtc/turnout/sfu"
)

// pair joins a publisher that has a camera and a subscriber with slots. Both are connected.
func pair(t *testing.T, r *sfu.Router, body byte, slots int) (pub *client, cam *camera, p *sfu.Publication, sub *client) {
	t.Helper()
	pub, cam, p = publisher(t, r, body)
	sub = join(t, r, 0, slots)
	sub.negotiate(nil)
	sub.connected()
	return pub, cam, p, sub
}

// publisher joins a client with a camera whose pictures end with body.
func publisher(t *testing.T, r *sfu.Router, body byte) (*client, *camera, *sfu.Publication) {
	t.Helper()
	c := join(t, r, 0, 0)
	track, tr := c.publish(webrtc.MimeTypeVP8)
	a := c.negotiate(announce(tr, "cam-"+string(body)))
	c.connected()
	return c, c.startCamera(track, tr, body), a.Published[0]
}

// of is true for packets of the camera with that body.
func of(body byte) func(received) bool {
	return func(p received) bool { return len(p.Payload) > 0 && p.Payload[len(p.Payload)-1] == body }
}

// poll waits until a condition on the counters holds.
func poll(t *testing.T, e *sfu.Engine, what string, condition func(sfu.Stats) bool) {
	t.Helper()
	for end := time.Now().Add(patience); !condition(e.Stats()); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: %+v", what, e.Stats())
		}
	}
}

func testLostPacketsComeBackByRTX(t *testing.T) {
	e := newEngine(t)
	_, _, p, sub := pair(t, e.NewRouter("room"), 'x', 1)
	n, lost := 0, map[uint16]bool{}
	sub.mu.Lock()
	sub.drop = func(p *rtp.Packet) bool {
		if p.PayloadType%2 == 1 { // retransmissions get through
			return false
		}
		if n++; n%7 == 0 && n < 200 {
			lost[p.SequenceNumber] = true
			return true
		}
		return false
	}
	sub.mu.Unlock()
	sub.transport.Subscribe(p)
	for back := map[uint16]bool{}; len(back) < 20; {
		got := sub.receive(sub.video, func(p received) bool { return p.rtx })
		sub.mu.Lock()
		if !lost[got.SequenceNumber] {
			t.Errorf("%d was sent again, but not lost", got.SequenceNumber)
		}
		sub.mu.Unlock()
		if !of('x')(got) {
			t.Errorf("%d came back as % x", got.SequenceNumber, got.Payload)
		}
		back[got.SequenceNumber] = true
	}
	if s := e.Stats(); s.Retransmitted < 20 || s.NACKs < 20 {
		t.Errorf("%+v", s)
	}
}

func testPacketsLostOnTheWayInComeBack(t *testing.T) {
	e := newEngine(t)
	pub, _, p, sub := pair(t, e.NewRouter("room"), 'x', 1)
	sub.transport.Subscribe(p)
	first := sub.receive(sub.video, nil)
	n := 0
	pub.mu.Lock()
	pub.lose = func(h *rtp.Header) bool {
		n++
		return h.PayloadType%2 == 0 && n%9 == 0
	}
	pub.mu.Unlock()
	came := map[uint16]bool{first.SequenceNumber: true}
	once := map[uint16]bool{first.SequenceNumber: true}                   // not as a repetition, which pion hands out before what came earlier
	for next := first.SequenceNumber; next != first.SequenceNumber+300; { // the first of them may be older than the losses
		if came[next] {
			next++
			continue
		}
		p := sub.receive(sub.video, nil)
		if !p.rtx && once[p.SequenceNumber] {
			t.Fatalf("%d came twice", p.SequenceNumber)
		}
		came[p.SequenceNumber] = true
		once[p.SequenceNumber] = once[p.SequenceNumber] || !p.rtx
	}
	if s := e.Stats(); s.AskedAgain < 20 || s.AskedAgain > 100 {
		t.Errorf("%+v", s)
	}
}

func testEveryoneIsToldWhatArrives(t *testing.T) {
	_, cam, p, sub := pair(t, newEngine(t).NewRouter("room"), 'x', 1)
	sub.transport.Subscribe(p)
	packet := sub.receive(sub.video, nil)
	told := map[string]bool{}
	for deadline := time.After(patience); !told["arrivals"] || !told["reception"]; {
		select {
		case f := <-cam.feedback:
			switch f := f.(type) {
			case *rtcp.TransportLayerCC:
				told["arrivals"] = f.PacketStatusCount > 0 && len(f.RecvDeltas) > 0
			case *rtcp.ReceiverReport:
				for _, r := range f.Reports {
					told["reception"] = told["reception"] || r.LastSequenceNumber > 65500 && r.FractionLost < 128
				}
			}
		case <-deadline:
			t.Fatalf("the publisher was told %v", told)
		}
	}
	select {
	case r := <-sub.reports:
		latest := sub.receive(sub.video, func(received) bool { return len(sub.video) == 0 })
		// The report and the packet are of about the same time.
		if d := int32(latest.Timestamp - r.RTPTime); r.SSRC != packet.SSRC || d > 5*90000 || d < -5*90000 || r.PacketCount == 0 {
			t.Errorf("report %v, packet %v", r, latest.Packet)
		}
	case <-time.After(patience):
		t.Fatal("no sender report came")
	}
}

func testFloodOfNACKsIsBounded(t *testing.T) {
	e := newEngine(t)
	r := e.NewRouter("room")
	_, _, p, sub := pair(t, r, 'x', 1)
	other := join(t, r, 0, 1)
	other.negotiate(nil)
	other.connected()
	other.transport.Subscribe(p)
	sub.transport.Subscribe(p)
	at := sub.receive(sub.video, nil)
	for i := range 1000 {
		n := &rtcp.TransportLayerNack{MediaSSRC: at.SSRC}
		for j := range 5 {
			n.Nacks = append(n.Nacks, rtcp.NackPair{PacketID: at.SequenceNumber + uint16(17*(i+j)), LostPackets: 0xffff})
		}
		if err := sub.pc.WriteRTCP([]rtcp.Packet{n}); err != nil {
			t.Fatal(err)
		}
	}
	poll(t, e, "the flood does not arrive", func(s sfu.Stats) bool { return s.NACKs > 10_000 })
	if s := e.Stats(); s.Retransmitted > 3*s.PacketsOut {
		t.Errorf("%d packets were sent again, after %d", s.Retransmitted, s.PacketsOut)
	}
	for len(other.video) > 0 {
		<-other.video
	}
	other.receive(other.video, of('x'))
}

func testGarbageIsCarriedOrDroppedAndNothingElse(t *testing.T) {
	r := newEngine(t).NewRouter("room")
	_, _, good, sub := pair(t, r, 'x', 2)
	bad := join(t, r, 0, 0)
	track, tr := bad.publish(webrtc.MimeTypeVP8)
	a := bad.negotiate(announce(tr, "bad"))
	bad.connected()
	sub.transport.Subscribe(good)
	sub.transport.Subscribe(a.Published[0])
	rng := rand.New(rand.NewPCG(1, 1))
	for range 3000 {
		p := &rtp.Packet{Header: rtp.Header{
			Version: 2, SequenceNumber: uint16(rng.Uint32()) >> rng.IntN(16), Timestamp: rng.Uint32(), Marker: rng.IntN(2) == 0,
		}, Payload: make([]byte, rng.IntN(12))}
		for i := range p.Payload {
			p.Payload[i] = byte(rng.Uint32())
		}
		if rng.IntN(4) == 0 {
			_ = p.SetExtension(uint8(1+rng.IntN(14)), []byte{byte(rng.Uint32()), byte(rng.Uint32())})
		}
		_ = track.WriteRTP(p)
	}
	for len(sub.video) > 0 {
		<-sub.video
	}
	for range 50 {
		sub.receive(sub.video, of('x'))
	}
}

func testComingAndGoingLeavesNothing(t *testing.T) {
	e := newEngine(t)
	r := e.NewRouter("room")
	_, _, p := publisher(t, r, 'x')
	for range 8 {
		sub := join(t, r, 0, 1)
		sub.negotiate(nil)
		sub.connected()
		sub.transport.Subscribe(p)
		sub.receive(sub.video, of('x'))
		sub.transport.Close()
	}
	poll(t, e, "something is left", func(s sfu.Stats) bool { return s.Transports == 1 && s.Subscribed == 0 && s.Publications == 1 })
	out := e.Stats().PacketsOut
	in := e.Stats().PacketsIn
	poll(t, e, "the camera stands still", func(s sfu.Stats) bool { return s.PacketsIn > in+20 })
	if n := e.Stats().PacketsOut; n != out {
		t.Errorf("%d packets were sent to nobody", n-out)
	}
}

func testSlotsGrowWhenTheyRunOut(t *testing.T) {
	r := newEngine(t).NewRouter("room")
	_, _, first, sub := pair(t, r, 'x', 1)
	_, _, second := publisher(t, r, 'y')
	sub.transport.Subscribe(first)
	sub.transport.Subscribe(second)
	sub.transport.Subscribe(second)
	w := wait[sfu.SlotsWanted](sub, nil)
	if w.Video < 2 || w.Rev != 1 {
		t.Fatalf("wanted %+v", w)
	}
	sub.receive(sub.video, of('x'))
	sub.addSlots(webrtc.RTPCodecTypeVideo, w.Video-1)
	if a := sub.negotiate(nil); len(a.Slots) != w.Video || a.Slots[0].ID == a.Slots[1].ID {
		t.Errorf("slots %+v", a.Slots)
	}
	m := wait(sub, func(m sfu.SlotsChanged) bool { return len(m.Shown) == 2 })
	if m.Shown[0].Publication != "cam-x" || m.Shown[1].Publication != "cam-y" {
		t.Errorf("shown %+v", m.Shown)
	}
	sub.receive(sub.video, of('y'))
	sub.receive(sub.video, of('x'))
}

func testSlotShowsAnotherPublicationWithoutABreak(t *testing.T) {
	r := newEngine(t).NewRouter("room")
	_, _, first, sub := pair(t, r, 'x', 1)
	_, _, second := publisher(t, r, 'y')
	sub.transport.Subscribe(first)
	a := sub.receive(sub.video, of('x'))
	sub.transport.Unsubscribe(first)
	sub.transport.Subscribe(second)
	last, lastPic := a, a.Payload
	for switched := 0; switched < 20; {
		p := sub.receive(sub.video, nil)
		if p.SSRC != a.SSRC || p.mid != a.mid {
			t.Fatalf("the slot has changed from %d on %s to %d on %s", a.SSRC, a.mid, p.SSRC, p.mid)
		}
		next := last.SequenceNumber + 1
		if of('y')(p) && of('x')(last) && !last.Marker {
			next++ // the decoder is to know that the last picture is not complete
		}
		if p.SequenceNumber != next || int32(p.Timestamp-last.Timestamp) < 0 {
			t.Fatalf("%v follows %v", p.Packet, last.Packet)
		}
		if of('y')(p) {
			if switched == 0 && (p.Payload[0]&0x10 == 0 || p.Payload[4] != 0) {
				t.Errorf("the new publication begins with % x, which is no key frame", p.Payload)
			}
			switched++
		}
		id := func(b []byte) uint16 { return uint16(b[2]&0x7f)<<8 | uint16(b[3]) }
		if step := (id(p.Payload) - id(lastPic)) & 0x7fff; step > 1 {
			t.Fatalf("the picture id goes from %d to %d", id(lastPic), id(p.Payload))
		}
		last, lastPic = p, p.Payload
	}
}

func testNothingIsSentBeforeReady(t *testing.T) {
	e := newEngine(t)
	r := e.NewRouter("room")
	_, _, p := publisher(t, r, 'x')
	sub := join(t, r, 0, 1)
	sub.transport.Negotiate(sub.offer(nil))
	a := wait[sfu.Answered](sub, nil)
	if err := sub.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: a.SDP}); err != nil {
		t.Fatal(err)
	}
	sub.connected()
	sub.transport.Subscribe(p)
	wait(sub, func(m sfu.SlotsChanged) bool { return len(m.Shown) == 1 })
	in := e.Stats().PacketsIn
	poll(t, e, "the camera stands still", func(s sfu.Stats) bool { return s.PacketsIn > in+20 })
	if s := e.Stats(); s.PacketsOut != 0 {
		t.Errorf("%d packets were sent", s.PacketsOut)
	}
	sub.transport.Ready(a.Rev)
	sub.receive(sub.video, of('x'))
}

func testPausedPublicationComesBackWithAKeyFrame(t *testing.T) {
	e := newEngine(t)
	_, _, p, sub := pair(t, e.NewRouter("room"), 'x', 1)
	sub.transport.Subscribe(p)
	last := sub.receive(sub.video, of('x'))
	p.Pause(true)
	p.Pause(true)
	before := e.Stats().Dropped["paused"]
	poll(t, e, "nothing is dropped", func(s sfu.Stats) bool { return s.Dropped["paused"] > before+10 })
	for len(sub.video) > 0 {
		last = <-sub.video
	}
	p.Pause(false)
	first := sub.receive(sub.video, of('x'))
	for first.Timestamp == last.Timestamp { // was on its way
		last, first = first, sub.receive(sub.video, of('x'))
	}
	next := last.SequenceNumber + 1
	if !last.Marker {
		next++ // the decoder is to know that the last picture is not complete
	}
	if first.SequenceNumber != next || first.Payload[4] != 0 {
		t.Errorf("after %d came %d with % x", last.SequenceNumber, first.SequenceNumber, first.Payload)
	}
}

func testAnnouncedPausedStartsPaused(t *testing.T) {
	e := newEngine(t)
	r := e.NewRouter("room")
	pub, sub := join(t, r, 0, 0), join(t, r, 0, 1)
	track, tr := pub.publish(webrtc.MimeTypeVP8)
	a := pub.negotiate(func() []sfu.Announcement { return []sfu.Announcement{{MID: tr.Mid(), ID: "cam", Paused: true}} })
	pub.connected()
	pub.startCamera(track, tr, 'x')
	sub.negotiate(nil)
	sub.connected()
	sub.transport.Subscribe(a.Published[0])
	poll(t, e, "nothing is dropped", func(s sfu.Stats) bool { return s.Dropped["paused"] > 10 })
	if n := e.Stats().PacketsOut; n != 0 {
		t.Errorf("%d packets were sent", n)
	}
	a.Published[0].Pause(false)
	sub.receive(sub.video, of('x'))
}

func testClosedPublicationFreesItsSlot(t *testing.T) {
	e := newEngine(t)
	r := e.NewRouter("room")
	_, _, first, sub := pair(t, r, 'x', 1)
	_, _, second := publisher(t, r, 'y')
	sub.transport.Subscribe(first)
	sub.transport.Subscribe(second)
	sub.receive(sub.video, of('x'))
	first.Close()
	first.Close()
	wait(sub, func(m sfu.SlotsChanged) bool { return len(m.Shown) == 1 && m.Shown[0].Publication == "cam-y" })
	sub.receive(sub.video, of('y'))
	before := e.Stats().Dropped["unannounced"]
	poll(t, e, "packets of a closed publication are forwarded", func(s sfu.Stats) bool { return s.Dropped["unannounced"] > before+10 })
	sub.transport.Subscribe(first)
	second.Close()
	wait(sub, func(m sfu.SlotsChanged) bool { return len(m.Shown) == 0 })
	if s := e.Stats(); s.Publications != 0 || s.Subscribed != 0 {
		t.Errorf("%+v", s)
	}
}

func testMidCanCarryAnotherPublicationAfterTheFirst(t *testing.T) {
	r := newEngine(t).NewRouter("room")
	pub := join(t, r, 0, 0)
	track, tr := pub.publish(webrtc.MimeTypeVP8)
	a := pub.negotiate(announce(tr, "first"))
	pub.connected()
	pub.startCamera(track, tr, 'x')
	a.Published[0].Close()
	if a = pub.negotiate(announce(tr, "second")); len(a.Published) != 1 || a.Published[0].ID() != "second" || a.Published[0].Kind() != sfu.Video {
		t.Fatalf("published %v", a.Published)
	}
	sub := join(t, r, 0, 1)
	sub.negotiate(nil)
	sub.connected()
	sub.transport.Subscribe(a.Published[0])
	sub.receive(sub.video, of('x'))
}

func testTransportThatClosesTakesItsPublicationsAlong(t *testing.T) {
	e := newEngine(t)
	pub, _, p, sub := pair(t, e.NewRouter("room"), 'x', 1)
	sub.transport.Subscribe(p)
	sub.receive(sub.video, of('x'))
	pub.transport.Close()
	pub.transport.Close()
	wait(sub, func(m sfu.SlotsChanged) bool { return len(m.Shown) == 0 })
	poll(t, e, "the transport is still there", func(s sfu.Stats) bool { return s.Transports == 1 && s.Publications == 0 })
}

func testSubscriberWithoutTheCodecGetsNothing(t *testing.T) {
	e := newEngine(t)
	r := e.NewRouter("room")
	_, _, p := publisher(t, r, 'x')
	sub := join(t, r, 0, 1, webrtc.MimeTypeOpus, webrtc.MimeTypeH264)
	sub.negotiate(nil)
	sub.connected()
	sub.transport.Subscribe(p)
	poll(t, e, "nothing is dropped", func(s sfu.Stats) bool { return s.Dropped["codec"] > 10 })
	if n := e.Stats().PacketsOut; n != 0 {
		t.Errorf("%d packets were sent", n)
	}
}

func testKeyFrameIsAskedForUntilItComes(t *testing.T) {
	e := newEngine(t)
	r := e.NewRouter("room")
	pub := join(t, r, 0, 0)
	track, tr := pub.publish(webrtc.MimeTypeVP8)
	a := pub.negotiate(announce(tr, "cam"))
	pub.connected()
	send := func(seq uint16, key bool) {
		p := &rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: seq, Timestamp: uint32(seq) * 900, Marker: true}, Payload: vp8(seq, true, key, 'x')}
		if err := track.WriteRTP(p); err != nil {
			t.Error(err)
		}
	}
	for seq := uint16(1); e.Stats().PacketsIn == 0; seq++ { // until the stream is known
		send(seq, false)
		time.Sleep(time.Millisecond)
	}
	subs := []*client{join(t, r, 0, 1), join(t, r, 0, 1)}
	for _, sub := range subs {
		sub.negotiate(nil)
		sub.connected()
		sub.transport.Subscribe(a.Published[0])
	}
	poll(t, e, "the publisher is asked once", func(s sfu.Stats) bool { return s.KeyFrameRequests >= 3 })
	send(20000, true)
	for _, sub := range subs {
		sub.receive(sub.video, of('x'))
	}
}

func testDuplicatesOfAPublisherAreDropped(t *testing.T) {
	e := newEngine(t)
	pub, _, p, sub := pair(t, e.NewRouter("room"), 'x', 1)
	sub.transport.Subscribe(p)
	first := sub.receive(sub.video, nil)
	sent := pub.pc.GetSenders()[0].Track().(*webrtc.TrackLocalStaticRTP)
	for range 5 { // as a browser probes: with what was sent long ago
		_ = sent.WriteRTP(&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: 65500, Timestamp: 1000}, Payload: vp8(1, true, true, 'z')})
	}
	for i := range uint16(50) {
		if p := sub.receive(sub.video, nil); p.SequenceNumber != first.SequenceNumber+i+1 || of('z')(p) {
			t.Fatalf("packet %d came with % x, not %d", p.SequenceNumber, p.Payload, first.SequenceNumber+i+1)
		}
	}
}

func testSimulcastForwardsTheHighestLayerThatArrives(t *testing.T) {
	r := newEngine(t).NewRouter("room")
	pub, sub := join(t, r, 0, 0), join(t, r, 0, 1)
	var layers []*webrtc.TrackLocalStaticRTP
	for _, rid := range []string{"q", "f"} {
		l, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8}, "cam", "cam", webrtc.WithRTPStreamID(rid))
		if err != nil {
			t.Fatal(err)
		}
		layers = append(layers, l)
	}
	tr, err := pub.pc.AddTransceiverFromTrack(layers[0], webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.Sender().AddEncoding(layers[1]); err != nil {
		t.Fatal(err)
	}
	a := pub.negotiate(announce(tr, "cam"))
	pub.connected()
	pub.startLayers(layers, tr, []byte{'q', 'f'})
	sub.negotiate(nil)
	sub.connected()
	sub.transport.Subscribe(a.Published[0])
	last := sub.receive(sub.video, nil)
	for high := 0; high < 50; { // a while without a break
		p := sub.receive(sub.video, nil)
		if p.SequenceNumber != last.SequenceNumber+1 || int32(p.Timestamp-last.Timestamp) < 0 {
			t.Fatalf("%v follows %v", p.Packet, last.Packet)
		}
		if high++; !of('f')(p) {
			high = 0
		}
		last = p
	}
}

// startLayers sends key frames only on all layers, each of twice the size of the one before.
func (c *client) startLayers(layers []*webrtc.TrackLocalStaticRTP, tr *webrtc.RTPTransceiver, bodies []byte) {
	c.t.Helper()
	var ids [2]uint8
	for _, e := range tr.Sender().GetParameters().HeaderExtensions {
		switch e.URI {
		case "urn:ietf:params:rtp-hdrext:sdes:mid":
			ids[0] = uint8(e.ID)
		case "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id":
			ids[1] = uint8(e.ID)
		}
	}
	done, stopped := make(chan struct{}), make(chan struct{})
	c.t.Cleanup(func() { close(done); <-stopped })
	go func() {
		defer close(stopped)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for seq := uint16(1); ; seq++ {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			for i, l := range layers {
				p := &rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: seq, Timestamp: uint32(seq) * 900, Marker: true}}
				p.Payload = append(vp8(seq, true, true, 0), make([]byte, 100<<i)...)
				p.Payload = append(p.Payload, bodies[i])
				_ = p.SetExtension(ids[0], []byte(tr.Mid()))
				_ = p.SetExtension(ids[1], []byte(l.RID()))
				_ = l.WriteRTP(p)
			}
		}
	}()
}

// prober is a track that can repeat packets by RTX before it has sent any.
type prober struct {
	*webrtc.TrackLocalStaticRTP
	bound chan webrtc.TrackLocalContext
}

func (p *prober) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	codec, err := p.TrackLocalStaticRTP.Bind(c)
	p.bound <- c
	return codec, err
}

// Browsers probe for bandwidth by RTX as soon as they are connected, before the first packet of the stream itself.
func testRepeatsBeforeTheFirstPacketDoNotEndTheTrack(t *testing.T) {
	e := newEngine(t)
	r := e.NewRouter("room")
	c := join(t, r, 0, 0)
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8}, "track", "stream")
	if err != nil {
		t.Fatal(err)
	}
	p := &prober{track, make(chan webrtc.TrackLocalContext, 1)}
	tr, err := c.pc.AddTransceiverFromTrack(p, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		t.Fatal(err)
	}
	a := c.negotiate(announce(tr, "cam"))
	c.connected()
	bound := <-p.bound
	rtx := &rtp.Header{Version: 2, SSRC: uint32(bound.SSRCRetransmission()), PayloadType: 99} // 98 is VP8, see newPeerConnection
	repeat := append([]byte{0xff, 0xdc}, vp8(32700, true, true, 'a')...)                      // of 65500, the first that the camera sends
	// Such a repeat has no payload type of its own yet; this one has none for certain. Their numbers are those of the camera.
	unknown := &rtp.Header{Version: 2, SSRC: uint32(bound.SSRC()), PayloadType: 126, SequenceNumber: 65490}
	poll(t, e, "the stream was given up", func(s sfu.Stats) bool {
		rtx.SequenceNumber++
		if _, err := bound.WriteStream().WriteRTP(rtx, repeat); err != nil {
			t.Fatal(err)
		}
		unknown.SequenceNumber++
		if _, err := bound.WriteStream().WriteRTP(unknown, []byte{1}); err != nil {
			t.Fatal(err)
		}
		return s.Dropped["payloadType"] > 0
	})
	c.startCamera(track, tr, 'a')
	sub := join(t, r, 0, 1)
	sub.transport.Subscribe(a.Published[0])
	sub.negotiate(nil)
	sub.connected()
	sub.receive(sub.video, of('a'))
}
