package sfu_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/turnout-rtc/turnout/sfu"
)

func testSameOfferGetsTheSameAnswer(t *testing.T) {
	r := newEngine(t).NewRouter("room")
	c := join(t, r, 1, 2)
	_, tr := c.publish(webrtc.MimeTypeVP8)
	o := c.offer(announce(tr, "cam"))
	c.transport.Negotiate(o)
	a := wait[sfu.Answered](c, nil)
	c.transport.Negotiate(o)
	b := wait[sfu.Answered](c, nil)
	if a.SDP != b.SDP || len(b.Slots) != 3 || len(a.Published) != 1 || len(b.Published) != 0 {
		t.Errorf("first %+v\nthen %+v", a, b)
	}
	c.apply(b)
	c.connected()
	c.transport.Negotiate(sfu.Offer{Rev: 0, SDP: o.SDP})
	if r := wait[sfu.Refused](c, nil); r.Fatal || r.Err.Code != sfu.ErrBadOffer || !strings.Contains(r.Err.Message, "rev") {
		t.Errorf("an old rev: %+v", r)
	}
}

func testBadOffersAreRefusedWithoutEffect(t *testing.T) {
	r := newEngine(t).NewRouter("room")
	_, _, p, sub := pair(t, r, 'x', 1)
	sub.transport.Subscribe(p)
	sub.receive(sub.video, of('x'))
	good := sub.pc.LocalDescription().SDP
	session, section, _ := strings.Cut(good, "m=video")
	section = "m=video" + section
	var many strings.Builder
	for i := range 1000 {
		many.WriteString(strings.Replace(section, "a=mid:0", fmt.Sprintf("a=mid:x%d", i), 1))
	}
	for name, o := range map[string]sfu.Offer{
		"1000 m-lines":  {SDP: good + many.String()},
		"garbage":       {SDP: "\x00\xff garbage"},
		"empty":         {},
		"unknown mid":   {SDP: good, Publications: []sfu.Announcement{{MID: "77", ID: "cam"}}},
		"mid of a slot": {SDP: good, Publications: []sfu.Announcement{{MID: "0", ID: "cam"}}},
		"fewer m-lines": {SDP: session},
	} {
		sub.rev++
		o.Rev = sub.rev
		sub.transport.Negotiate(o)
		r := wait[sfu.Refused](sub, nil)
		if r.Rev != o.Rev || r.Fatal || r.Err.Message == "" {
			t.Errorf("%s: %+v", name, r)
		}
	}
	for len(sub.video) > 0 {
		<-sub.video
	}
	sub.receive(sub.video, of('x'))
	sub.addSlots(webrtc.RTPCodecTypeVideo, 1)
	if a := sub.negotiate(nil); len(a.Slots) != 2 {
		t.Errorf("slots %v", a.Slots)
	}
}

func testFirstOfferMayFailAndBeMended(t *testing.T) {
	r := newEngine(t).NewRouter("room")
	c := join(t, r, 1, 1)
	o := c.offer(nil)
	broken := o
	broken.SDP = strings.ReplaceAll(o.SDP, "a=fingerprint:sha-256", "a=fingerprint:rot-13")
	c.transport.Negotiate(broken)
	select {
	case e := <-c.events:
		if r, ok := e.(sfu.Refused); ok && r.Fatal {
			t.Errorf("refused for good: %v", r.Err)
		}
	case <-t.Context().Done():
	}
	o.Rev = 99
	c.transport.Negotiate(o)
	wait[sfu.Answered](c, nil)
}

func testMutatedOffersNeverPanic(t *testing.T) {
	e := newEngine(t)
	r := e.NewRouter("room")
	c := join(t, r, 2, 2)
	_, tr := c.publish(webrtc.MimeTypeVP8)
	good := c.offer(announce(tr, "cam"))
	lines := strings.SplitAfter(good.SDP, "\n")
	rng := rand.New(rand.NewPCG(1, 1))
	for range 150 {
		mutated := append([]string(nil), lines...)
		for range 1 + rng.IntN(4) {
			i, j := rng.IntN(len(mutated)), rng.IntN(len(mutated))
			switch rng.IntN(4) {
			case 0:
				mutated[i] = ""
			case 1:
				mutated[i], mutated[j] = mutated[j], mutated[i]
			case 2:
				b := []byte(mutated[i])
				if len(b) > 4 {
					b[rng.IntN(len(b)-2)] = byte(' ' + rng.IntN(95))
				}
				mutated[i] = string(b)
			case 3:
				mutated[i] += mutated[j]
			}
		}
		events := make(chan sfu.Event, 16)
		tp, err := r.NewTransport("mutant", func(e sfu.Event) { events <- e })
		if err != nil {
			t.Fatal(err)
		}
		tp.Negotiate(sfu.Offer{Rev: 1, SDP: strings.Join(mutated, ""), Publications: good.Publications})
		switch e := (<-events).(type) {
		case sfu.Answered:
		case sfu.Refused:
			if e.Fatal || e.Err.Message == "" {
				t.Errorf("%+v", e)
			}
		}
		tp.Close()
	}
	c.transport.Negotiate(good)
	c.apply(wait[sfu.Answered](c, nil))
	c.connected()
}

func testICERestartKeepsMediaFlowing(t *testing.T) {
	r := newEngine(t).NewRouter("room")
	_, _, p, sub := pair(t, r, 'x', 1)
	sub.transport.Subscribe(p)
	first := sub.receive(sub.video, of('x'))
	for range 2 {
		o, err := sub.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := sub.pc.SetLocalDescription(o); err != nil {
			t.Fatal(err)
		}
		sub.rev++
		sub.transport.Negotiate(sfu.Offer{Rev: sub.rev, SDP: o.SDP})
		a := wait[sfu.Answered](sub, nil)
		if !strings.Contains(a.SDP, "a=candidate:") {
			t.Error("the answer to a restart has no candidates")
		}
		sub.apply(a)
		for end := time.Now().Add(patience); sub.pc.ICEConnectionState() != webrtc.ICEConnectionStateConnected; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("the client is %v", sub.pc.ICEConnectionState())
			}
		}
		for len(sub.video) > 0 {
			<-sub.video
		}
		if p := sub.receive(sub.video, of('x')); p.SSRC != first.SSRC {
			t.Errorf("the slot has another SSRC")
		}
	}
}

func testStoppedSlotIsGoneAndTheOthersStay(t *testing.T) {
	r := newEngine(t).NewRouter("room")
	_, _, p, sub := pair(t, r, 'x', 2)
	sub.transport.Subscribe(p)
	sub.receive(sub.video, of('x'))
	o := sub.offer(nil)
	// What a browser offers after transceiver.stop().
	i := strings.Index(o.SDP, "m=video 9 ")
	end := i + strings.Index(o.SDP[i:], "a=recvonly")
	o.SDP = o.SDP[:i] + "m=video 0 " + o.SDP[i+len("m=video 9 "):end] + "a=inactive" + o.SDP[end+len("a=recvonly"):]
	sub.transport.Negotiate(o)
	a := wait[sfu.Answered](sub, nil)
	if len(a.Slots) != 1 || a.Slots[0].MID == "0" {
		t.Errorf("slots %+v", a.Slots)
	}
	m := wait(sub, func(m sfu.SlotsChanged) bool { return len(m.Shown) == 1 })
	if m.Shown[0].Slot != a.Slots[0].ID {
		t.Errorf("shown %+v", m.Shown)
	}
}

func testUselessCandidatesAreCounted(t *testing.T) {
	e := newEngine(t)
	c := join(t, e.NewRouter("room"), 1, 0)
	c.transport.AddCandidate(sfu.Candidate{Candidate: "candidate:1 1 udp 1 10.0.0.1 5 typ host"})
	c.negotiate(nil)
	c.transport.AddCandidate(sfu.Candidate{Candidate: "nonsense"})
	c.transport.AddCandidate(sfu.Candidate{})
	for range 200 {
		c.transport.AddCandidate(sfu.Candidate{Candidate: "candidate:1 1 udp 1 127.0.0.1 5 typ host"})
	}
	poll(t, e, "candidates are not counted", func(s sfu.Stats) bool { return s.Dropped["candidate"] > 100 })
	c.connected()
}

func testDataChannelCarriesMessagesBothWays(t *testing.T) {
	c := join(t, newEngine(t).NewRouter("room"), 0, 0)
	dc, err := c.pc.CreateDataChannel("turnout.lossy", nil)
	if err != nil {
		t.Fatal(err)
	}
	back := make(chan []byte, 1024)
	dc.OnMessage(func(m webrtc.DataChannelMessage) { back <- m.Data })
	dc.OnOpen(func() {
		for i := range 300 {
			_ = dc.Send([]byte{byte(i), byte(i >> 8)})
		}
	})
	c.negotiate(nil)
	opened := wait(c, func(e sfu.DataChannelOpened) bool { return e.Channel.Label() == "turnout.lossy" }).Channel
	drained := make(chan struct{}, 1)
	opened.OnDrain(1000, func() {
		select {
		case drained <- struct{}{}:
		default:
		}
	})
	opened.OnMessage(func(b []byte) {
		if err := opened.Send(b); err != nil {
			t.Error(err)
		}
	})
	for i := range 300 {
		if b := <-back; !bytes.Equal(b, []byte{byte(i), byte(i >> 8)}) {
			t.Fatalf("message %d is % x", i, b)
		}
	}
	big := make([]byte, 60000)
	for range 20 {
		if err := opened.Send(big); err != nil {
			t.Fatal(err)
		}
	}
	if opened.BufferedAmount() == 0 {
		t.Error("nothing is buffered")
	}
	<-drained
	if err := opened.Close(); err != nil {
		t.Error(err)
	}
	if closed := wait[sfu.DataChannelClosed](c, nil); closed.Channel != opened {
		t.Error("another channel was closed")
	}
}

func testDataChannelWithoutAHandlerDoesNotHoldUpTheEnd(t *testing.T) {
	e := newEngine(t)
	c := join(t, e.NewRouter("room"), 0, 0)
	dc, err := c.pc.CreateDataChannel("turnout.reliable.2", nil)
	if err != nil {
		t.Fatal(err)
	}
	dc.OnOpen(func() { _ = dc.SendText("nobody listens") })
	c.negotiate(nil)
	wait[sfu.DataChannelOpened](c, nil)
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}
