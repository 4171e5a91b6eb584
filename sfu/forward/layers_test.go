package forward

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/turnout-rtc/turnout/sfu/codec"
	"github.com/turnout-rtc/turnout/sfu/sfutest"
)

// show makes a world with one source, which is shown.
func show(t *testing.T, seed uint64, e sfutest.Encoder) (*world, *source) {
	t.Helper()
	w := newWorld(t, rand.New(rand.NewPCG(seed, 7)), false)
	e.Rand, e.Truth, e.Source, e.Ticks = w.rng, w.truth, 100, 3000
	s := w.wrap(&e)
	w.sources = []*source{s}
	w.rewriter.Switch(s.format)
	return w, s
}

// run encodes pictures and returns the frames of which something was sent.
func (w *world) run(s *source, pictures int) (sent, all []*sfutest.Frame) {
	for range pictures {
		for _, p := range s.Picture() {
			before := len(w.sent)
			w.deliver(s, p)
			if p.Frame == nil {
				continue
			}
			if len(all) == 0 || all[len(all)-1] != p.Frame {
				all = append(all, p.Frame)
			}
			if len(w.sent) > before && (len(sent) == 0 || sent[len(sent)-1] != p.Frame) {
				sent = append(sent, p.Frame)
			}
		}
	}
	return sent, all
}

// kinds are encoders with layers of every sort.
func kinds() map[string]sfutest.Encoder {
	return map[string]sfutest.Encoder{
		"VP8":                {Codec: sfutest.VP8, Spatial: 1, Temporal: 3, LongID: true},
		"VP9, flexible":      {Codec: sfutest.VP9, Spatial: 3, Temporal: 3, Flexible: true, LongID: true},
		"VP9, not flexible":  {Codec: sfutest.VP9, Spatial: 2, Temporal: 2},
		"VP9 and descriptor": {Codec: sfutest.VP9, Spatial: 3, Temporal: 3, Flexible: true, Descriptor: descriptorID},
		"AV1":                {Codec: sfutest.AV1, Spatial: 3, Temporal: 3, Descriptor: descriptorID},
		"AV1 in time":        {Codec: sfutest.AV1, Spatial: 1, Temporal: 3, Descriptor: descriptorID},
		"H265":               {Codec: sfutest.H265, Spatial: 1, Temporal: 3},
		"H264 by descriptor": {Codec: sfutest.H264, Spatial: 1, Temporal: 1, Descriptor: descriptorID},
	}
}

func TestEverythingUpToTheTargetIsSentAndNothingAbove(t *testing.T) {
	for name, e := range kinds() {
		for target := range 9 {
			t.Run(fmt.Sprintf("%s to S%d T%d", name, target/3, target%3), func(t *testing.T) {
				w, s := show(t, uint64(target), e)
				highest := codec.Layer{Spatial: uint8(target / 3), Temporal: uint8(target % 3)}
				w.rewriter.SetTarget(highest)
				sent, all := w.run(s, 40)
				at := 0
				for _, f := range all {
					is := at < len(sent) && sent[at] == f
					if is {
						at++
					}
					if want := f.Spatial <= int(highest.Spatial) && f.Temporal <= int(highest.Temporal); is != want {
						t.Fatalf("frame S%d T%d is sent: %v", f.Spatial, f.Temporal, is)
					}
				}
				w.check()
			})
		}
	}
}

func TestLessTakesEffectWithTheNextPicture(t *testing.T) {
	for name, e := range kinds() {
		t.Run(name, func(t *testing.T) {
			w, s := show(t, 1, e)
			w.run(s, 7)
			w.rewriter.SetTarget(codec.Layer{})
			sent, _ := w.run(s, 20)
			for _, f := range sent {
				if f.Spatial > 0 || f.Temporal > 0 {
					t.Fatalf("frame S%d T%d was sent", f.Spatial, f.Temporal)
				}
			}
			if len(sent) < 5 {
				t.Errorf("only %d frames were sent", len(sent))
			}
			w.check()
		})
	}
}

func TestMoreTimeNeedsNoKeyFrame(t *testing.T) {
	for name, e := range kinds() {
		t.Run(name, func(t *testing.T) {
			e.Spatial = 1
			w, s := show(t, 1, e)
			w.rewriter.SetTarget(codec.Layer{})
			w.run(s, 7)
			w.rewriter.SetTarget(codec.Layer{Spatial: Top, Temporal: Top})
			if id := w.rewriter.KeyNeeded(); id != 0 {
				t.Errorf("a key frame of %d is needed", id)
			}
			w.run(s, 60)
			sent, all := w.run(s, 20)
			if len(sent) != len(all) {
				t.Errorf("of %d frames %d were sent", len(all), len(sent))
			}
			w.check()
		})
	}
}

func TestMoreSpaceNeedsAKeyFrame(t *testing.T) {
	for name, e := range kinds() {
		if e.Spatial == 1 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			w, s := show(t, 1, e)
			for s.WantKey = true; ; s.WantKey = true { // one with all layers
				if _, all := w.run(s, 1); len(all) == e.Spatial {
					break
				}
			}
			w.rewriter.SetTarget(codec.Layer{Temporal: Top})
			w.run(s, 7)
			if id := w.rewriter.KeyNeeded(); id != 0 {
				t.Errorf("a key frame of %d is needed for what is shown", id)
			}
			w.rewriter.SetTarget(codec.Layer{Spatial: Top, Temporal: Top})
			sent, _ := w.run(s, 7)
			for _, f := range sent {
				if f.Spatial > 0 {
					t.Fatalf("frame S%d T%d was sent", f.Spatial, f.Temporal)
				}
			}
			if id := w.rewriter.KeyNeeded(); id != s.format.Source {
				t.Errorf("a key frame of %d is needed", id)
			}
			s.WantKey = true
			if sent, all := w.run(s, 20); len(sent) != len(all) {
				t.Errorf("after a key frame, %d of %d frames were sent", len(sent), len(all))
			}
			w.check()
		})
	}
}

func TestLayersThatDoNotReferToEachOtherAreSentAlone(t *testing.T) {
	w, s := show(t, 3, sfutest.Encoder{Codec: sfutest.AV1, Spatial: 3, Temporal: 1, KeyOnly: true, Descriptor: descriptorID})
	w.rewriter.SetTarget(codec.Layer{Spatial: 1})
	sent, _ := w.run(s, 30)
	for _, f := range sent {
		if f.Spatial != 1 && !f.Key {
			t.Fatalf("frame S%d T%d was sent", f.Spatial, f.Temporal)
		}
	}
	w.check()
}

func TestTemplatesOfTwoSourcesAreToldApart(t *testing.T) {
	e := sfutest.Encoder{Codec: sfutest.AV1, Spatial: 2, Temporal: 2, Descriptor: descriptorID}
	w, a := show(t, 1, e)
	w.run(a, 3)
	first := w.rewriter.cur.manner
	e.Rand, e.Truth, e.Source, e.Ticks = w.rng, w.truth, 101, 3000
	b := w.wrap(&e)
	w.rewriter.Switch(b.format)
	w.run(b, 3)
	second := w.rewriter.cur.manner
	end := first.structure.Offset() + first.shift.Template + uint8(first.structure.Templates())
	if got := second.structure.Offset() + second.shift.Template; got&63 != end&63 {
		t.Errorf("templates begin at %d, and those before end at %d", got&63, end&63)
	}
	w.check()
}

func TestNothingIsSentWithoutWhatItRefersTo(t *testing.T) {
	for _, state := range []frameState{sent, left} {
		w, s := show(t, 1, sfutest.Encoder{Codec: sfutest.AV1, Spatial: 1, Temporal: 1, Descriptor: descriptorID})
		w.run(s, 1)
		d, in := w.rewriter.cur.decoder, w.in
		number := in.Descriptor.FrameNumber
		d.frames[number%frameMemory].state = state
		// Template 1, custom difference of 4 bits: 1, and no more.
		raw := []byte{0xc0 | (in.Structure.Offset()+1)&63, byte((number + 1) >> 8), byte(number + 1), 0b00010_010, 0}
		var ok bool
		if in.Descriptor, ok = codec.ReadDescriptor(raw, in.Structure); !ok || len(in.Descriptor.References()) != 1 {
			t.Fatalf("%v %v", ok, in.Descriptor.References())
		}
		in.Timestamp += 3000
		if got, _ := d.wanted(&in, codec.Layer{}); got != (state == sent) {
			t.Errorf("its reference was sent: %v, it is sent: %v", state == sent, got)
		}
	}
}
