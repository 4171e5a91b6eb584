package forward

import (
	"bytes"
	"testing"
	"time"

	"github.com/pion/rtp"

	"github.com/turnout-rtc/turnout/sfu/codec"
	"github.com/turnout-rtc/turnout/sfu/packet"
)

var start = time.Unix(1e9, 0) //nolint:gochecknoglobals // a constant

// opus makes an audio packet.
func opus(seq uint16, ts uint32) *In {
	b, err := (&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: seq, Timestamp: ts}, Payload: []byte{1, 2}}).Marshal()
	if err != nil {
		panic(err)
	}
	in := &In{N: 1<<16 + uint64(seq), Key: true, Newer: true}
	if err := in.Parse(b); err != nil {
		panic(err)
	}
	return in
}

func audio(id SourceID) Format {
	return Format{Source: id, Codec: codec.Opus, ClockRate: 48000, PayloadType: 111}
}

func TestTimestampGoesOnByTheTimeThatPassed(t *testing.T) {
	r := NewRewriter(10, 1000)
	r.Switch(audio(1))
	_, first, _ := r.Forward(start, 1, opus(500, 7_000_000), nil)
	if first.Seq != 10 || first.Timestamp != 1000 {
		t.Fatalf("the stream starts with %+v", first)
	}
	r.Switch(audio(2))
	_, next, v := r.Forward(start.Add(250*time.Millisecond), 2, opus(9, 42), nil)
	if v != Send || next.Seq != 11 || next.Timestamp != 1000+12000 {
		t.Errorf("after 250 ms: %+v", next)
	}
	r.Switch(audio(1))
	_, next, _ = r.Forward(start.Add(250*time.Millisecond), 1, opus(501, 0), nil)
	if next.Seq != 12 || next.Timestamp != 1000+12001 {
		t.Errorf("at the same time: %+v, the timestamp must grow", next)
	}
}

func TestNothingStartsOnALatePacket(t *testing.T) {
	r := NewRewriter(0, 0)
	r.Switch(audio(1))
	late := opus(5, 5)
	late.Newer = false
	if _, _, v := r.Forward(start, 1, late, nil); v != NoKey {
		t.Errorf("verdict %d", v)
	}
}

func TestPacketsFromBeforeTheSwitchAreDropped(t *testing.T) {
	r := NewRewriter(0, 0)
	r.Switch(audio(1))
	r.Forward(start, 1, opus(100, 100), nil)
	if _, _, v := r.Forward(start, 1, opus(99, 99), nil); v != Late {
		t.Errorf("verdict %d", v)
	}
}

func TestOldSourceGoesOnUntilTheKeyFrame(t *testing.T) {
	r := NewRewriter(0, 0)
	r.Switch(audio(1))
	r.Forward(start, 1, opus(1, 1), nil)
	r.Switch(audio(2))
	if r.KeyNeeded() != 2 {
		t.Errorf("waits for %d", r.KeyNeeded())
	}
	delta := opus(50, 50)
	delta.Key = false
	if _, _, v := r.Forward(start, 2, delta, nil); v != NoKey {
		t.Errorf("new source: verdict %d", v)
	}
	if _, _, v := r.Forward(start, 1, opus(2, 2), nil); v != Send {
		t.Errorf("old source: verdict %d", v)
	}
	r.Forward(start, 2, opus(51, 51), nil)
	if _, _, v := r.Forward(start, 1, opus(3, 3), nil); v != NotShown {
		t.Errorf("old source afterwards: verdict %d", v)
	}
	if r.KeyNeeded() != 0 {
		t.Errorf("still waits for %d", r.KeyNeeded())
	}
}

func TestPaddingBehindAGapIsSent(t *testing.T) {
	r := NewRewriter(0, 0)
	r.Switch(audio(1))
	r.Forward(start, 1, opus(1, 1), nil)
	padding := opus(2, 1)
	padding.Payload = nil
	if _, _, v := r.Forward(start, 1, padding, nil); v != Padding {
		t.Errorf("next in line: verdict %d", v)
	}
	padding = opus(5, 1)
	padding.Payload = nil
	_, out, v := r.Forward(start, 1, padding, nil)
	if v != Send || out.Seq != 3 {
		t.Errorf("behind a gap: verdict %d, %+v", v, out)
	}
	if _, out, _ = r.Forward(start, 1, opus(3, 1), nil); out.Seq != 1 {
		t.Errorf("the packet of the gap became %+v", out)
	}
}

func TestExtensionsAreCarriedOver(t *testing.T) {
	p := &rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: 1}, Payload: []byte{1}}
	if err := p.SetExtension(3, []byte{0xaa}); err != nil {
		t.Fatal(err)
	}
	raw, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	in := &In{N: 1 << 16, Newer: true}
	if err := in.Parse(raw); err != nil {
		t.Fatal(err)
	}
	f := audio(1)
	f.Extensions.AudioLevel = 3
	reader := NewReader(&f)
	reader.Read(in)
	r := NewRewriter(0, 0)
	r.Switch(f)
	_, out, _ := r.Forward(start, 1, in, nil)
	if !bytes.Equal(out.Extensions.AudioLevel(), []byte{0xaa}) {
		t.Errorf("%+v", out)
	}
}

// video makes a VP8 packet with a 7-bit picture id, in a ring.
func video(ring *packet.Ring, seq uint16) *In {
	b, err := (&rtp.Packet{
		Header:  rtp.Header{Version: 2, Marker: true, SequenceNumber: seq, Timestamp: 5},
		Payload: []byte{0x90, 0x80, 0x07, 0x00, 0xee},
	}).Marshal()
	if err != nil {
		panic(err)
	}
	in := &In{N: 1<<16 + uint64(seq), Newer: true}
	if err := in.Parse(b); err != nil {
		panic(err)
	}
	ring.Put(start, in.N, b, nil)
	r := NewReader(&Format{Codec: codec.VP8})
	r.Read(in)
	return in
}

func TestRetransmissionIsThePacketThatWasSent(t *testing.T) {
	ring := packet.NewRing(64, time.Hour)
	r := NewRewriter(0x1234, 99)
	r.counters.ID = 0x0fff
	r.Switch(Format{Source: 1, Codec: codec.VP8, ClockRate: 90000, PayloadType: 96, RTXPayloadType: 97, Ring: ring})
	var h History
	sent, out, _ := r.Forward(start, 1, video(ring, 500), nil)
	h.Add(start, sent)
	again, refusal := h.Resend(start.Add(time.Second), 0x1234)
	if refusal != Granted {
		t.Fatalf("refused: %d", refusal)
	}
	raw, ok := again.Packet(nil)
	var p packet.Packet
	if !ok || p.Parse(raw) != nil {
		t.Fatal("the packet is not in the ring")
	}
	rtx := again.Retransmission(&p, 7, make([]byte, 0, 100))
	if want := append([]byte{0x12, 0x34}, out.Payload...); !bytes.Equal(rtx.Payload, want) {
		t.Errorf("payload % x, not % x", rtx.Payload, want)
	}
	if rtx.PayloadType != 97 || rtx.Seq != 7 || rtx.Timestamp != 99 || !rtx.Marker {
		t.Errorf("%+v", rtx)
	}
	if want := []byte{0x90, 0x80, 0x90, 0x00, 0x00, 0xee}; !bytes.Equal(out.Payload, want) {
		t.Errorf("sent % x, not % x", out.Payload, want)
	}
}

func TestRetransmissionsAreLimited(t *testing.T) {
	var h History
	if _, refusal := h.Resend(start, 5); refusal != Unknown {
		t.Errorf("nothing was sent: %d", refusal)
	}
	m := &manner{Format: Format{RTXPayloadType: 97}}
	h.Add(start, Sent{manner: m, seq: 5})
	now := start
	for i, want := range []Refusal{TooSoon, Granted, TooSoon, Granted, TooSoon, Granted, TooSoon, TooOften} {
		if i%2 == 1 {
			now = now.Add(2 * defaultRTT)
		}
		if want == TooSoon && i == 6 {
			want = TooOften
		}
		if _, refusal := h.Resend(now, 5); refusal != want {
			t.Errorf("request %d: %d, not %d", i, refusal, want)
		}
	}
	if _, refusal := h.Resend(now, 5+leastHistory); refusal != Unknown {
		t.Errorf("a number of another round: %d", refusal)
	}
	h.Add(start, Sent{manner: &manner{Format: Format{}}, seq: 6})
	if _, refusal := h.Resend(now, 6); refusal != NoRTX {
		t.Errorf("without RTX: %d", refusal)
	}
}

func TestForwardingAllocatesNothing(t *testing.T) {
	ring := packet.NewRing(64, time.Hour)
	r := NewRewriter(0, 0)
	r.Switch(Format{Source: 1, Codec: codec.VP8, ClockRate: 90000, PayloadType: 96, RTXPayloadType: 97, Ring: ring})
	in := video(ring, 1)
	scratch := make([]byte, 0, 1500)
	var h History
	forward := func() {
		in.N++
		sent, _, v := r.Forward(start, 1, in, scratch)
		if v != Send {
			t.Fatalf("verdict %d", v)
		}
		h.Add(start, sent)
	}
	forward()
	if n := testing.AllocsPerRun(1000, forward); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkForward(b *testing.B) {
	ring := packet.NewRing(64, time.Hour)
	r := NewRewriter(0, 0)
	r.Switch(Format{Source: 1, Codec: codec.VP8, ClockRate: 90000, PayloadType: 96, RTXPayloadType: 97, Ring: ring})
	in := video(ring, 1)
	scratch := make([]byte, 0, 1500)
	var h History
	b.ReportAllocs()
	for b.Loop() {
		in.N++
		sent, _, _ := r.Forward(start, 1, in, scratch)
		h.Add(start, sent)
	}
}

func TestExtensionsOfTheWrongSizeAreLeftOut(t *testing.T) {
	for _, c := range []struct {
		size                      int
		level, turned, delay, cap int // bytes that are carried on
	}{{1, 1, 1, 0, 0}, {2, 1, 0, 0, 0}, {3, 1, 0, 3, 0}, {8, 1, 0, 0, 8}, {16, 1, 0, 0, 16}} {
		p := &rtp.Packet{Header: rtp.Header{Version: 2}, Payload: []byte{1}}
		for id := range uint8(4) {
			if err := p.SetExtension(id+1, bytes.Repeat([]byte{id + 1}, c.size)); err != nil {
				t.Fatal(err)
			}
		}
		raw, err := p.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		var in packet.Packet
		if err := in.Parse(raw); err != nil {
			t.Fatal(err)
		}
		e := (&ExtensionIDs{1, 2, 3, 4}).read(&in)
		if len(e.AudioLevel()) != c.level || len(e.Orientation()) != c.turned || len(e.PlayoutDelay()) != c.delay || len(e.CaptureTime()) != c.cap {
			t.Errorf("%d bytes became %v %v %v %v", c.size, e.AudioLevel(), e.Orientation(), e.PlayoutDelay(), e.CaptureTime())
		}
	}
}

// h264 makes a packet of a slice.
func h264(seq uint16, ts uint32, key, marker bool) *In {
	payload := []byte{0x61, 0x80}
	if key {
		payload[0] = 0x65
	}
	b, err := (&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: seq, Timestamp: ts, Marker: marker}, Payload: payload}).Marshal()
	if err != nil {
		panic(err)
	}
	in := &In{N: 1<<16 + uint64(seq), Newer: true}
	if err := in.Parse(b); err != nil {
		panic(err)
	}
	r := NewReader(&Format{Codec: codec.H264})
	r.Read(in)
	return in
}

func camera264(id SourceID) Format {
	return Format{Source: id, Codec: codec.H264, ClockRate: 90000, PayloadType: 96, RTXPayloadType: 97}
}

func TestFrameThatWasCutOffLeavesAHole(t *testing.T) {
	for _, complete := range []bool{true, false} {
		r := NewRewriter(10, 0)
		r.Switch(camera264(1))
		r.Forward(start, 1, h264(1, 0, true, complete), nil)
		r.Switch(camera264(2))
		_, out, _ := r.Forward(start, 2, h264(1, 0, true, true), nil)
		if want := map[bool]uint16{true: 11, false: 12}[complete]; out.Seq != want {
			t.Errorf("behind a frame that is complete (%v) comes %d, not %d", complete, out.Seq, want)
		}
	}
}

func TestWhatIsLeftOutChangesNothing(t *testing.T) {
	r := NewRewriter(10, 0)
	r.Switch(camera264(1))
	r.Forward(start, 1, h264(1, 0, true, true), nil)
	before := *r
	padding := h264(2, 90000, false, false)
	padding.Payload = nil
	if _, _, v := r.Forward(start.Add(time.Second), 1, padding, nil); v != Padding {
		t.Fatalf("verdict %d", v)
	}
	if *r != before {
		t.Errorf("%+v became %+v", before, *r)
	}
	r.Switch(camera264(2))
	if _, out, _ := r.Forward(start, 2, h264(7, 7, true, true), nil); out.Seq != 11 || out.Timestamp != 1 {
		t.Errorf("%+v", out)
	}
}

func TestSwitchBackEndsTheWaiting(t *testing.T) {
	r := NewRewriter(10, 0)
	r.Switch(camera264(1))
	r.Forward(start, 1, h264(1, 0, true, true), nil)
	r.Switch(camera264(2))
	if r.Shown() != 2 {
		t.Errorf("%d is going to be shown", r.Shown())
	}
	r.Switch(camera264(1))
	if r.Shown() != 1 || r.KeyNeeded() != 0 {
		t.Errorf("%d is going to be shown, a key frame of %d is needed", r.Shown(), r.KeyNeeded())
	}
	if _, _, v := r.Forward(start, 1, h264(2, 3000, false, true), nil); v != Send {
		t.Errorf("verdict %d", v)
	}
	other := camera264(1)
	other.PayloadType = 98
	r.Switch(other)
	if _, _, v := r.Forward(start, 1, h264(3, 6000, false, true), nil); v != NoKey {
		t.Errorf("in another payload type: verdict %d", v)
	}
}

func TestHoldEndsTheSourceAtOnce(t *testing.T) {
	r := NewRewriter(10, 0)
	r.Switch(camera264(1))
	r.Forward(start, 1, h264(1, 0, true, true), nil)
	r.Switch(camera264(2))
	r.Hold()
	if _, _, v := r.Forward(start, 1, h264(2, 3000, true, true), nil); v != NotShown {
		t.Errorf("what is too much: verdict %d", v)
	}
	if _, out, v := r.Forward(start, 2, h264(2, 3000, true, true), nil); v != Send || out.Seq != 11 {
		t.Errorf("what fits: verdict %d, %+v", v, out)
	}
}

func TestStopStartsAnewWithAKeyFrame(t *testing.T) {
	r := NewRewriter(10, 0)
	r.Switch(camera264(1))
	r.Forward(start, 1, h264(1, 0, true, true), nil)
	r.Stop()
	if _, _, v := r.Forward(start, 1, h264(2, 3000, true, true), nil); v != NotShown {
		t.Errorf("verdict %d", v)
	}
	r.Switch(camera264(1))
	if _, _, v := r.Forward(start, 1, h264(3, 6000, false, true), nil); v != NoKey || r.KeyNeeded() != 1 {
		t.Errorf("verdict %d, a key frame of %d is needed", v, r.KeyNeeded())
	}
	_, out, v := r.Forward(start.Add(3*time.Second), 1, h264(4, 9000, true, true), nil)
	if v != Send || out.Seq != 11 || out.Timestamp != 270000 {
		t.Errorf("verdict %d, %+v", v, out)
	}
}

func TestNothingIsSentAgainToWhoWaitsForAKeyFrame(t *testing.T) {
	r := NewRewriter(10, 0)
	r.Switch(camera264(1))
	var h History
	now := start
	send := func(seq uint16, key bool) {
		sent, _, _ := r.Forward(now, 1, h264(seq, uint32(seq)*3000, key, true), nil)
		h.Add(now, sent)
		now = now.Add(time.Second)
	}
	send(1, true)
	h.PictureLost()
	if _, refusal := h.Resend(now, 10); refusal != NoUse {
		t.Errorf("after a picture was lost: %d", refusal)
	}
	send(2, false)
	if _, refusal := h.Resend(now, 11); refusal != NoUse {
		t.Errorf("before the key frame: %d", refusal)
	}
	send(3, true)
	if _, refusal := h.Resend(now, 12); refusal != Granted {
		t.Errorf("after the key frame: %d", refusal)
	}
}

func TestRequestsWithinTwoRoundTripsMeanTheSameLoss(t *testing.T) {
	for trip, c := range map[time.Duration]struct{ first, again time.Duration }{
		0:                      {35 * time.Millisecond, 100 * time.Millisecond},
		20 * time.Millisecond:  {10 * time.Millisecond, 40 * time.Millisecond},
		500 * time.Millisecond: {100 * time.Millisecond, 100 * time.Millisecond},
	} {
		h := History{RoundTrip: trip}
		h.Add(start, Sent{manner: &manner{Format: Format{RTXPayloadType: 97}}, seq: 5})
		now := start
		for _, pause := range []time.Duration{c.first, c.again} {
			if _, refusal := h.Resend(now.Add(pause-time.Millisecond), 5); refusal != TooSoon {
				t.Errorf("round trip %v, before %v: %d", trip, pause, refusal)
			}
			now = now.Add(pause)
			if _, refusal := h.Resend(now, 5); refusal != Granted {
				t.Errorf("round trip %v, after %v: %d", trip, pause, refusal)
			}
		}
	}
}

func TestHistoryGrowsWithTheRateAndNoFurther(t *testing.T) {
	m := &manner{Format: Format{RTXPayloadType: 97}}
	for _, c := range []struct{ perSecond, want int }{{20, leastHistory}, {100, 128}, {200, 256}, {450, mostHistory}, {5000, mostHistory}} {
		var h History
		now := time.Unix(1000, 0)
		var seq uint16 = 65000
		for range 4 * c.perSecond {
			h.Add(now, Sent{manner: m, seq: seq, n: uint64(seq)})
			now = now.Add(time.Second / time.Duration(c.perSecond))
			seq++
		}
		if len(h.entries) != c.want {
			t.Errorf("%d packets a second: %d entries, not %d", c.perSecond, len(h.entries), c.want)
		}
		for back := uint16(1); int(back) <= min(c.perSecond, c.want); back++ {
			if s, refusal := h.Resend(now.Add(time.Second), seq-back); refusal != Granted || s.n != uint64(seq-back) {
				t.Fatalf("%d packets a second: packet %d ago is refused: %d", c.perSecond, back, refusal)
			}
		}
	}
}
