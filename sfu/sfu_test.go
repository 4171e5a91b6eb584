package sfu_test

import (
	"testing"

	"github.com/pion/webrtc/v4"
	"go.uber.org/goleak"

	"github.com/turnout-rtc/turnout/sfu"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func announce(pairs ...any) func() []sfu.Announcement {
	return func() []sfu.Announcement {
		var all []sfu.Announcement
		for i := 0; i < len(pairs); i += 2 {
			all = append(all, sfu.Announcement{MID: pairs[i].(*webrtc.RTPTransceiver).Mid(), ID: pairs[i+1].(string)})
		}
		return all
	}
}

func testTwoParticipantsExchangeMedia(t *testing.T) {
	r := newEngine(t).NewRouter("room")
	a, b := join(t, r, 1, 1), join(t, r, 1, 1)
	published := map[*client][]*sfu.Publication{}
	for i, c := range []*client{a, b} {
		mic, micTr := c.publish(webrtc.MimeTypeOpus)
		cam, camTr := c.publish(webrtc.MimeTypeVP8)
		answer := c.negotiate(announce(micTr, string(rune('a'+i))+"-mic", camTr, string(rune('a'+i))+"-cam"))
		if len(answer.Slots) != 2 || len(answer.Published) != 2 {
			t.Fatalf("answer has slots %v and publications %v", answer.Slots, answer.Published)
		}
		published[c] = answer.Published
		c.connected()
		c.startMicrophone(mic, byte('a'+i))
		c.startCamera(cam, camTr, byte('a'+i))
	}
	for _, p := range published[a] {
		b.transport.Subscribe(p)
	}
	for _, p := range published[b] {
		a.transport.Subscribe(p)
	}
	for c, body := range map[*client]byte{a: 'b', b: 'a'} {
		m := wait(c, func(m sfu.SlotsChanged) bool { return len(m.Shown) == 2 })
		if m.Version == 0 {
			t.Error("the slot map has no version")
		}
		if p := c.receive(c.audio, nil); p.Payload[1] != body {
			t.Errorf("audio of %c came", p.Payload[1])
		}
		first := c.receive(c.video, nil)
		if first.Payload[0]&0x10 == 0 || first.Payload[4] != 0 || first.Payload[5] != body {
			t.Errorf("video begins with % x, which is no key frame of %c", first.Payload, body)
		}
		next := first.SequenceNumber + 1
		for range 40 {
			p := c.receive(c.video, nil)
			if p.SequenceNumber != next {
				t.Fatalf("sequence number %d came, not %d", p.SequenceNumber, next)
			}
			next++
		}
	}
}
