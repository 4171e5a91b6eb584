package forward

import (
	"math/rand/v2"
	"testing"

	"github.com/turnout-rtc/turnout/sfu/codec"
)

// picture of a modelled encoder: a frame for each spatial layer, with the frames it refers to.
type modelFrame struct {
	codec.Frame
	refs []int // indices of earlier frames
}

// encode models an encoder with temporal layers 0 2 1 2 and up to three spatial layers: a frame refers to the newest frame of
// its spatial layer that is of a lower temporal layer (or, without sync, of its own), and to the layer below in its picture.
func encode(rng *rand.Rand, pictures, spatial int, kSVC bool) []modelFrame {
	var all []modelFrame
	newest := map[codec.Layer]int{} // newest frame of a layer since the last key picture
	for i := range pictures {
		key := i == 0 || rng.IntN(40) == 0
		temporal := []uint8{0, 2, 1, 2}[i%4]
		if key {
			temporal, newest = 0, map[codec.Layer]int{}
		}
		sync := key || temporal == 0 || rng.IntN(3) == 0
		layers := 1 + rng.IntN(spatial) // encoders drop the top layers at times
		if !key {
			layers = 0
			for s := range uint8(spatial) {
				if _, ok := newest[codec.Layer{Spatial: s}]; ok {
					layers++
				}
			}
		}
		for s := range uint8(layers) {
			f := modelFrame{Frame: codec.Frame{
				Layer: codec.Layer{Spatial: s, Temporal: temporal}, Begin: true, Key: key && s == 0, Sync: sync, Alone: key,
			}}
			if s > 0 && (key || !kSVC) {
				f.refs = append(f.refs, len(all)-1)
			}
			if !key {
				for t := range temporal + 1 {
					if at, ok := newest[codec.Layer{Spatial: s, Temporal: t}]; ok && (t < temporal && (t == 0 || !sync) || t == temporal && !sync || t == 0) {
						f.refs = append(f.refs, at)
					}
				}
			}
			all = append(all, f)
			newest[f.Layer] = len(all) - 1
			if temporal == 0 { // what is above refers to this picture from now on
				for t := uint8(1); t < 3; t++ {
					delete(newest, codec.Layer{Spatial: s, Temporal: t})
				}
			}
		}
	}
	return all
}

func TestForwardedFramesHaveTheirReferences(t *testing.T) {
	reached := map[codec.Layer]int{}
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 5))
		frames := encode(rng, 400, 1+int(seed%3), seed%2 == 0)
		var s Selector
		s.SetTarget(codec.Layer{Spatial: uint8(rng.IntN(3)), Temporal: uint8(rng.IntN(3))})
		sent := map[int]bool{}
		for i, f := range frames {
			if rng.IntN(15) == 0 {
				s.SetTarget(codec.Layer{Spatial: uint8(rng.IntN(3)), Temporal: uint8(rng.IntN(3))})
			}
			if rng.IntN(200) == 0 {
				s.Restart()
				sent = map[int]bool{}
			}
			if !s.Wanted(f.Frame) {
				continue
			}
			sent[i] = true
			reached[f.Layer]++
			for _, ref := range f.refs {
				if !sent[ref] {
					t.Fatalf("seed %d: frame %d %+v refers to %d %+v, which was left out", seed, i, f, ref, frames[ref])
				}
			}
		}
	}
	for s := range uint8(3) {
		for temporal := range uint8(3) {
			if l := (codec.Layer{Spatial: s, Temporal: temporal}); reached[l] < 100 {
				t.Errorf("layer %v was forwarded %d times", l, reached[l])
			}
		}
	}
}

func TestSelectorForwardsAllThatIsWanted(t *testing.T) {
	frames := encode(rand.New(rand.NewPCG(1, 1)), 400, 1, false)
	var s Selector
	s.SetTarget(codec.Layer{Spatial: 2, Temporal: 2})
	for i, f := range frames {
		if !s.Wanted(f.Frame) {
			t.Fatalf("frame %d %+v was left out", i, f)
		}
	}
	s.SetTarget(codec.Layer{})
	for i, f := range encode(rand.New(rand.NewPCG(2, 1)), 400, 1, false) {
		if s.Wanted(f.Frame) != (f.Layer.Temporal == 0) {
			t.Fatalf("frame %d %+v", i, f)
		}
	}
}

func TestMarkerBelongsToTheHighestLayerForwarded(t *testing.T) {
	var s Selector
	s.SetTarget(codec.Layer{Spatial: 1})
	for layer, last := range []bool{false, true, false} {
		f := codec.Frame{Layer: codec.Layer{Spatial: uint8(layer)}, Begin: true, End: true, Key: layer == 0, Alone: true}
		if wanted := s.Wanted(f); wanted != (layer < 2) {
			t.Errorf("layer %d is forwarded: %v", layer, wanted)
		}
		if layer == 2 && s.Last(f) != last {
			t.Errorf("layer %d ends the picture: %v", layer, s.Last(f))
		}
	}
	if !s.Last(codec.Frame{Layer: codec.Layer{Spatial: 1}, End: true}) {
		t.Error("layer 1 does not end the picture")
	}
}
