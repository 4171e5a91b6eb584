package codec

import (
	"bytes"
	"testing"
)

// l1t2 is the structure of one spatial and two temporal layers, as libwebrtc describes it: two decode targets, four
// templates, one chain.
func l1t2(w *bitWriter) {
	w.f(0, 6) // template id offset
	w.f(1, 5) // two decode targets
	// Layers: T0 key, T0, T1; then no more.
	w.f(0, 2)
	w.f(1, 2)
	w.f(3, 2)
	// Indications: target 0 (T0), target 1 (T0 and T1).
	for _, dti := range []Indication{Switch, Switch, Switch, Switch, NotPresent, Discardable} {
		w.f(uint32(dti), 2)
	}
	// Frame differences: none, 2, 1.
	w.f(0, 1)
	w.f(1, 1)
	w.f(1, 4)
	w.f(0, 1)
	w.f(1, 1)
	w.f(0, 4)
	w.f(0, 1)
	// One chain: ns(3) of 1 is the bits 10; both targets are protected by it, ns(1) has no bits.
	w.f(0b10, 2)
	for _, d := range []uint32{0, 2, 1} {
		w.f(d, 4)
	}
	w.f(1, 1) // resolutions
	w.f(639, 16)
	w.f(359, 16)
}

func keyDescriptor(active bool) []byte {
	var w bitWriter
	w.f(0b11, 2)
	w.f(0, 6)
	w.f(100, 16)
	if active {
		w.f(0b11000, 5)
	} else {
		w.f(0b10000, 5)
	}
	l1t2(&w)
	if active {
		w.f(0b11, 2)
	}
	return w.data
}

func TestDescriptorBringsItsStructure(t *testing.T) {
	d, ok := ReadDescriptor(keyDescriptor(true), nil)
	if !ok || d.Structure == nil {
		t.Fatalf("%+v", d)
	}
	if !d.Start || !d.End || d.FrameNumber != 100 || d.Layer != (Layer{}) || !d.HasActive || d.Active != 3 {
		t.Errorf("%+v", d)
	}
	s := d.Structure
	if s.Targets() != 2 || s.TargetLayer(0) != (Layer{0, 0}) || s.TargetLayer(1) != (Layer{0, 1}) || s.chains != 1 || s.Templates() != 3 {
		t.Errorf("%+v", s)
	}
	if s.Within(0) != 0b01 || s.Within(1) != 0b11 {
		t.Error("wrong targets are within others")
	}
}

func TestLaterDescriptorsUseTheStructure(t *testing.T) {
	key, _ := ReadDescriptor(keyDescriptor(false), nil)
	d, ok := ReadDescriptor([]byte{0x80 | 2, 0, 101}, key.Structure)
	if !ok || d.Layer != (Layer{0, 1}) || d.FrameNumber != 101 || !d.Start || d.End {
		t.Errorf("%v %+v", ok, d)
	}
	if d.Indication(0) != NotPresent || d.Indication(1) != Discardable {
		t.Error("wrong indications")
	}
	if r := d.References(); len(r) != 1 || r[0] != 1 {
		t.Errorf("refers to %v", r)
	}
	// Custom differences: one of 8 bits, 0x13 + 1.
	if d, ok = ReadDescriptor([]byte{0x80 | 2, 0, 101, 0b00010_100, 0b00100110, 0}, key.Structure); !ok || len(d.References()) != 1 || d.References()[0] != 0x14 {
		t.Errorf("%v refers to %v", ok, d.References())
	}
	if _, ok := ReadDescriptor([]byte{0x80 | 2, 0, 101}, nil); ok {
		t.Error("read without a structure")
	}
	if _, ok := ReadDescriptor([]byte{0x80 | 9, 0, 101}, key.Structure); ok {
		t.Error("read with a template that does not exist")
	}
}

func TestDescriptorIsRewritten(t *testing.T) {
	raw := keyDescriptor(false)
	key, _ := ReadDescriptor(raw, nil)
	out := AppendDescriptor(nil, raw, &key, nil, Shift{Frame: 0xffff})
	if !bytes.Equal(out[3:], raw[3:]) || out[1] != 0 || out[2] != 99 {
		t.Errorf("% x\n% x", raw, out)
	}
	for _, raw := range [][]byte{raw, keyDescriptor(true), {0x80 | 1, 0, 5}, {0x80 | 1, 0, 5, 0b00100000, 0b10000000}} {
		d, ok := ReadDescriptor(raw, key.Structure)
		if !ok {
			t.Fatalf("% x is not read", raw)
		}
		shifted, _ := ReadDescriptor(AppendDescriptor(nil, keyDescriptor(false), &key, nil, Shift{Template: 62}), nil)
		if shifted.Structure.offset != 62 {
			t.Fatalf("the offset is %d", shifted.Structure.offset)
		}
		out = AppendDescriptor(nil, raw, &d, key.Structure, Shift{0x1234, 62, 0b01})
		again, ok := ReadDescriptor(out, shifted.Structure)
		if !ok || !again.HasActive || again.Active != 0b01 || again.FrameNumber != d.FrameNumber+0x1234 {
			t.Errorf("% x became % x: %+v", raw, out, again)
		}
		if again.Layer != d.Layer || again.targets != d.targets || again.Start != d.Start || (again.Structure == nil) != (d.Structure == nil) {
			t.Errorf("% x became % x, which means something else", raw, out)
		}
	}
}

func FuzzDescriptor(f *testing.F) {
	f.Add(keyDescriptor(true), []byte{0x82, 0, 1}, uint16(5), uint32(1))
	f.Add(keyDescriptor(false), []byte{0x82, 0, 1, 0x38, 0xff, 0xff, 0}, uint16(5), uint32(3))
	f.Fuzz(func(t *testing.T, key, b []byte, frame uint16, active uint32) {
		first, ok := ReadDescriptor(key, nil)
		if !ok {
			return
		}
		if first.Structure == nil || first.Structure.Targets() > maxTargets {
			t.Fatalf("% x has the structure %+v", key, first.Structure)
		}
		structure := first.Structure
		d, ok := ReadDescriptor(b, structure)
		if !ok {
			return
		}
		if d.Structure != nil {
			structure = d.Structure
		}
		if active &= 1<<structure.Targets() - 1; active == 0 {
			active = 1
		}
		by := Shift{Frame: frame, Template: uint8(frame % 64), Active: active}
		out := AppendDescriptor(nil, b, &d, structure, by)
		shifted := *structure
		shifted.offset = (shifted.offset + by.Template) % 64
		again, ok := ReadDescriptor(out, &shifted)
		if !ok || again.FrameNumber != d.FrameNumber+frame || again.Active != active || again.Layer != d.Layer || again.targets != d.targets {
			t.Fatalf("% x became % x: %+v, not %+v", b, out, again, d)
		}
	})
}

func TestReadingAllocatesNothingWithoutAStructure(t *testing.T) {
	key, _ := ReadDescriptor(keyDescriptor(false), nil)
	b, dst := []byte{0x82, 0, 101}, make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() {
		d, _ := ReadDescriptor(b, key.Structure)
		_ = AppendDescriptor(dst, b, &d, key.Structure, Shift{7, 3, 1})
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
