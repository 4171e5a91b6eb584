package packet

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/pion/rtp"
)

func marshal(t testing.TB, p *rtp.Packet) []byte {
	t.Helper()
	b, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func example(t testing.TB) []byte {
	t.Helper()
	p := &rtp.Packet{
		Header: rtp.Header{
			Version: 2, Marker: true, PayloadType: 96, SequenceNumber: 65535, Timestamp: 1 << 31, SSRC: 7, CSRC: []uint32{1, 2},
		},
		Payload: []byte("payload"),
	}
	for id, data := range map[uint8]string{1: "0", 5: "mid", 14: "0123456789abcdef"} {
		if err := p.SetExtension(id, []byte(data)); err != nil {
			t.Fatal(err)
		}
	}
	return marshal(t, p)
}

func TestParseReadsHeaderExtensionsAndPadding(t *testing.T) {
	b := example(t)
	b[0] |= 0x20
	b = append(b, 0, 0, 0, 4)
	var p Packet
	if err := p.Parse(b); err != nil {
		t.Fatal(err)
	}
	if !p.Marker || p.PayloadType != 96 || p.Seq != 65535 || p.Timestamp != 1<<31 || p.SSRC != 7 || string(p.Payload) != "payload" {
		t.Errorf("parsed %+v", p)
	}
	for id, want := range map[uint8]string{1: "0", 5: "mid", 14: "0123456789abcdef", 2: "", 0: "", 15: ""} {
		if got := p.Extension(id); string(got) != want {
			t.Errorf("extension %d is %q, not %q", id, got, want)
		}
	}
}

func TestParseReadsTwoByteExtensions(t *testing.T) {
	b := []byte{0x90, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0x10, 0x00, 0, 2, 0, 17, 2, 'h', 'i', 3, 0, 0, 'x'}
	var p Packet
	if err := p.Parse(b); err != nil {
		t.Fatal(err)
	}
	if got := p.Extension(17); string(got) != "hi" {
		t.Errorf("extension 17 is %q", got)
	}
	if got := p.Extension(3); got == nil || len(got) != 0 {
		t.Errorf("extension 3 is %v, it is there and empty", got)
	}
}

func TestParseAllocatesNothing(t *testing.T) {
	b := example(t)
	var p Packet
	if n := testing.AllocsPerRun(100, func() { _ = p.Parse(b); _ = p.Extension(14) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(example(f))
	f.Add([]byte{0x80, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3})
	f.Add([]byte{0xb0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0xbe, 0xde, 0, 1, 0xff, 0, 0, 4})
	f.Fuzz(func(t *testing.T, b []byte) {
		var p Packet
		if p.Parse(b) != nil {
			return
		}
		for id := range 256 {
			_ = p.Extension(uint8(id))
		}
		// Whatever both accept, an independent parser must read alike.
		var other rtp.Packet
		if other.Unmarshal(b) != nil {
			return
		}
		if p.Seq != other.SequenceNumber || p.Timestamp != other.Timestamp || p.SSRC != other.SSRC || p.Marker != other.Marker ||
			p.PayloadType != other.PayloadType || !bytes.Equal(p.Payload, other.Payload) {
			t.Errorf("parsed %+v, pion %+v", p, other)
		}
	})
}

func TestUnwrapFollowsAnyOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		var u Unwrapper
		truth := uint64(rng.IntN(1 << 16))
		offset := u.Unwrap(uint16(truth)) - truth
		for range 2000 {
			if rng.IntN(3) == 0 {
				old := truth - uint64(rng.IntN(1000))
				if old < truth && u.Unwrap(uint16(old)) != old+offset {
					t.Fatalf("%d after %d was unwrapped wrongly", old, truth)
				}
				continue
			}
			truth += uint64(rng.IntN(30000))
			if u.Unwrap(uint16(truth)) != truth+offset {
				t.Fatalf("%d was unwrapped wrongly", truth)
			}
		}
	}
}

func TestWindowAgreesWithASet(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		var w Window
		seen, highest := map[uint64]bool{}, uint64(0)
		at := uint64(1 << 16)
		for range 20000 {
			n := at
			switch rng.IntN(4) {
			case 0:
				n -= uint64(rng.IntN(3000))
			case 1:
				at += uint64(rng.IntN(5000))
				n = at
			default:
				at++
				n = at
			}
			want := Fresh
			switch {
			case n <= highest && highest-n >= WindowSize:
				want = TooOld
			case seen[n]:
				want = Duplicate
			}
			if got := w.Check(n); got != want {
				t.Fatalf("%d with highest %d is %d, not %d", n, highest, got, want)
			}
			if want != TooOld {
				seen[n], highest = true, max(highest, n)
			}
		}
	}
}

func BenchmarkParse(b *testing.B) {
	raw := example(b)
	var p Packet
	b.ReportAllocs()
	for b.Loop() {
		_ = p.Parse(raw)
	}
}
