package forward

import (
	"bytes"
	"testing"
	"time"

	"github.com/pion/rtp"

	"github.com/turnout-rtc/turnout/sfu/codec"
)

// redundant makes an RED packet number seq with the payloads of the two packets before, each of 960 ticks.
func redundant(t testing.TB, seq uint16, ts uint32) *In {
	const pt, ticks = 111, 960
	payload := []byte{0x80 | pt, 2 * ticks >> 6, 2 * ticks & 0x3f << 2, 1, 0x80 | pt, ticks >> 6, ticks & 0x3f << 2, 1, pt, byte(seq - 2), byte(seq - 1), byte(seq)}
	b, err := (&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: seq, Timestamp: ts}, Payload: payload}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	in := &In{N: 1<<16 + uint64(seq), Newer: true}
	if err := in.Parse(b); err != nil {
		t.Fatal(err)
	}
	r := NewReader(&Format{Codec: codec.RED})
	r.Read(in)
	return in
}

func red(id SourceID, pt uint8) Format {
	return Format{Source: id, Codec: codec.RED, ClockRate: 48000, PayloadType: 96, REDPayloadType: pt}
}

func TestREDHasThePayloadTypesOfItsReceiver(t *testing.T) {
	r := NewRewriter(10, 1000)
	r.Switch(red(1, 63))
	for i := range uint16(4) {
		in := redundant(t, 50+i, 7000+960*uint32(i))
		_, out, v := r.Forward(start, 1, in, []byte("x"))
		if v != Send || out.PayloadType != 63 {
			t.Fatalf("verdict %d, %+v", v, out)
		}
		// What was before the source was shown would be put into the time of the one before.
		blocks := min(int(i), 2)
		p := out.Payload
		for b := range blocks {
			if p[4*b] != 0x80|96 {
				t.Errorf("packet %d: % x", i, p)
			}
		}
		if p[4*blocks] != 96 || !bytes.Equal(p[4*blocks+1:], []byte{48 + byte(i), 49 + byte(i), 50 + byte(i)}[2-blocks:]) {
			t.Errorf("packet %d: % x, with %d redundant blocks", i, p, blocks)
		}
	}
}

func TestWhoHasNoREDGetsThePrimaryBlock(t *testing.T) {
	r := NewRewriter(10, 1000)
	r.Switch(red(1, 0))
	for i := range uint16(4) {
		_, out, v := r.Forward(start, 1, redundant(t, 50+i, 7000+960*uint32(i)), nil)
		if v != Send || out.PayloadType != 96 || !bytes.Equal(out.Payload, []byte{50 + byte(i)}) || out.Timestamp != 1000+960*uint32(i) || out.Seq != 10+i {
			t.Errorf("verdict %d, %+v", v, out)
		}
	}
}

func TestTimeOfPrimaryBlocksDoesNotGoBack(t *testing.T) {
	r := NewRewriter(10, 1000)
	r.Switch(red(1, 0))
	var last uint32
	for i, seq := range []uint16{50, 51, 53, 55, 54, 52, 56} { // in the order in which they come
		in := redundant(t, seq, 7000+960*uint32(seq-50))
		in.Newer = i < 4 || i == 6
		_, out, v := r.Forward(start, 1, in, nil)
		if want := 1000 + 960*uint32(seq-50); v != Send || out.Timestamp != want || out.Seq != seq-40 {
			t.Errorf("verdict %d, %+v", v, out)
		}
		last = max(last, out.Timestamp)
	}
	if r.ts != last {
		t.Errorf("the stream is at %d, not %d", r.ts, last)
	}
}

func TestREDThatCannotBeReadIsLeftOut(t *testing.T) {
	r := NewRewriter(10, 1000)
	r.Switch(red(1, 0))
	r.Forward(start, 1, redundant(t, 50, 7000), nil)
	bad := redundant(t, 51, 7960)
	bad.Payload = []byte{0xff}
	if _, _, v := r.Forward(start, 1, bad, nil); v != Padding {
		t.Errorf("verdict %d", v)
	}
	if _, out, _ := r.Forward(start, 1, redundant(t, 52, 8920), nil); out.Seq != 11 {
		t.Errorf("%+v", out)
	}
	late := redundant(t, 53, 9880)
	r.Forward(start, 1, redundant(t, 54, 10840), nil)
	late.Newer, late.Payload = false, []byte{0xff}
	if _, out, v := r.Forward(start, 1, late, nil); v != Send || len(out.Payload) != 0 || out.Seq != 12 {
		t.Errorf("verdict %d, %+v", v, out)
	}
}

func TestGapsInTimeAreKept(t *testing.T) {
	r := NewRewriter(10, 1000)
	r.Switch(audio(1))
	r.Forward(start, 1, opus(500, 7000), nil)
	// Discontinuous transmission: nothing for 400 ms, and no number missing (RFC 7587 §3.1.3).
	_, out, v := r.Forward(start.Add(time.Second), 1, opus(501, 7000+19200), nil)
	if v != Send || out.Seq != 11 || out.Timestamp != 1000+19200 {
		t.Errorf("verdict %d, %+v", v, out)
	}
}

func TestRedundancyComesAndGoesWithoutABreak(t *testing.T) {
	r := NewRewriter(10, 1000)
	r.Switch(red(1, 63))
	r.Forward(start, 1, redundant(t, 50, 7000), nil)
	plain := audio(1)
	r.Switch(plain)
	_, out, v := r.Forward(start.Add(time.Second), 1, opus(51, 7960), nil)
	if v != Send || out.PayloadType != 111 || out.Seq != 11 || out.Timestamp != 1960 {
		t.Errorf("verdict %d, %+v", v, out)
	}
	r.Switch(red(1, 63))
	_, out, v = r.Forward(start.Add(2*time.Second), 1, redundant(t, 52, 8920), nil)
	if v != Send || out.PayloadType != 63 || out.Seq != 12 || out.Timestamp != 2920 {
		t.Errorf("verdict %d, %+v", v, out)
	}
}
