package codec

import (
	"bytes"
	"testing"
)

// red is a payload of two redundant blocks, of 960 and 480 ticks ago, and the primary one.
func red() []byte {
	return []byte{0xef, 960 >> 6, 960 & 0x3f << 2, 2, 0xef, 480 >> 6, 480 & 0x3f << 2, 1, 0x6f, 'a', 'b', 'c', 'p', 'r'}
}

func TestREDIsReadAndStripped(t *testing.T) {
	r, ok := ReadRED(red())
	if !ok || r.count != 2 || r.blocks[0].offset != 960 || r.blocks[1].offset != 480 || string(r.Primary(red())) != "pr" {
		t.Fatalf("%v %+v", ok, r)
	}
	for _, b := range [][]byte{{}, {0xef}, {0xef, 0, 0, 9, 0x6f, 1}, bytes.Repeat([]byte{0xef, 0, 0, 0}, 20)} {
		if _, ok := ReadRED(b); ok {
			t.Errorf("% x was read", b)
		}
	}
}

func TestREDBlocksGetThePayloadTypeOfTheReceiver(t *testing.T) {
	r, _ := ReadRED(red())
	want := red()
	want[0], want[4], want[8] = 0x80|96, 0x80|96, 96
	if got := AppendRED(nil, red(), &r, 96, 1<<14); !bytes.Equal(got, want) {
		t.Errorf("% x, not % x", got, want)
	}
	if got := AppendRED(nil, red(), &r, 96, 500); !bytes.Equal(got, append(append([]byte(nil), want[4:9]...), want[11:]...)) {
		t.Errorf("without what is too old: % x", got)
	}
	if got := AppendRED(nil, red(), &r, 96, 0); !bytes.Equal(got, []byte{96, 'p', 'r'}) {
		t.Errorf("without redundancy: % x", got)
	}
}

func FuzzRED(f *testing.F) {
	f.Add(red(), uint8(96), uint32(500))
	f.Add([]byte{0x6f}, uint8(0), uint32(0))
	f.Fuzz(func(t *testing.T, b []byte, pt uint8, ticks uint32) {
		r, ok := ReadRED(b)
		if !ok {
			return
		}
		pt &= 0x7f
		out := AppendRED(nil, b, &r, pt, ticks)
		again, ok := ReadRED(out)
		if !ok || len(out) > len(b) || again.count > r.count || !bytes.Equal(again.Primary(out), r.Primary(b)) {
			t.Fatalf("% x became % x", b, out)
		}
		if all := AppendRED(nil, b, &r, pt, 1<<14); len(all) != len(b) {
			t.Fatalf("% x became % x", b, all)
		}
	})
}
