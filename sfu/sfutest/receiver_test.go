package sfutest

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
)

// received is what a subscriber gets that is sent everything as it is.
func received(seed uint64, e Encoder, pictures int) (*Truth, []Received, []*Frame) {
	rng := rand.New(rand.NewPCG(seed, 1))
	e.Rand, e.Truth, e.Ticks, e.LongID = rng, &Truth{}, 3000, true
	var all []Received
	var frames []*Frame
	for range pictures {
		for _, p := range e.Picture() {
			r := Received{
				Codec: e.Codec, Marker: p.Bytes[1]&0x80 != 0,
				Seq: binary.BigEndian.Uint16(p.Bytes[2:]), Timestamp: binary.BigEndian.Uint32(p.Bytes[4:]),
			}
			at := 12
			if e.Descriptor != 0 && p.Frame != nil {
				r.Descriptor = p.Bytes[18 : 18+p.Bytes[17]]
				at += 4 + 4*int(p.Bytes[15])
			}
			if p.Frame != nil {
				r.Payload = p.Bytes[at:]
			}
			all, frames = append(all, r), append(frames, p.Frame)
		}
		e.WantKey = rng.IntN(20) == 0
	}
	return e.Truth, all, frames
}

func encoders() []Encoder {
	return []Encoder{
		{Codec: VP8, Spatial: 1, Temporal: 3}, {Codec: VP9, Spatial: 3, Temporal: 3, Flexible: true}, {Codec: VP9, Spatial: 2, Temporal: 2},
		{Codec: AV1, Spatial: 3, Temporal: 3, Descriptor: 5}, {Codec: AV1, Spatial: 2, Temporal: 2, Descriptor: 5, KeyOnly: true},
		{Codec: H264, Spatial: 1, Temporal: 1}, {Codec: H265, Spatial: 1, Temporal: 3},
	}
}

func check(truth *Truth, all []Received) (int, error) {
	r := &Receiver{Truth: truth}
	for _, p := range all {
		r.Receive(p)
	}
	return r.Check()
}

func TestWhatAnEncoderMakesIsRight(t *testing.T) {
	for i, e := range encoders() {
		truth, all, _ := received(uint64(i), e, 100)
		if n, err := check(truth, all); err != nil || n != len(truth.Frames) {
			t.Errorf("encoder %d: %d of %d frames: %v", i, n, len(truth.Frames), err)
		}
	}
}

// faults are what the model must find. Each changes a stream and says whether it could.
func faults() map[string]func(e Encoder, all *[]Received, frames []*Frame) bool {
	return map[string]func(e Encoder, all *[]Received, frames []*Frame) bool{
		"a number twice": func(_ Encoder, all *[]Received, _ []*Frame) bool {
			(*all)[30].Seq = (*all)[29].Seq
			return true
		},
		"a timestamp that goes back": func(_ Encoder, all *[]Received, _ []*Frame) bool {
			(*all)[30].Timestamp -= 1_000_000
			return true
		},
		"a marker in the middle": func(_ Encoder, all *[]Received, _ []*Frame) bool {
			for i := range len(*all) - 1 {
				if a, b := &(*all)[i], (*all)[i+1]; len(a.Payload) > 0 && len(b.Payload) > 0 && a.Timestamp == b.Timestamp {
					a.Marker = true
					return true
				}
			}
			return false
		},
		"no marker at the end": func(e Encoder, all *[]Received, _ []*Frame) bool {
			for i := 20; i < len(*all); i++ {
				if (*all)[i].Marker {
					(*all)[i].Marker = false
					return e.Codec != VP8 // whose frames end with it
				}
			}
			return false
		},
		"a reference that was left out": func(_ Encoder, all *[]Received, frames []*Frame) bool {
			for i := 20; i < len(*all); i++ {
				if f := frames[i]; f != nil && f.Temporal == 0 && f.Spatial == 0 && !f.Key {
					*all = slices.Delete(*all, i, i+1)
					return true
				}
			}
			return false
		},
		"another payload": func(_ Encoder, all *[]Received, _ []*Frame) bool {
			for i := 20; i < len(*all); i++ {
				if p := (*all)[i].Payload; len(p) > 20 {
					p[len(p)-1] ^= 1
					return true
				}
			}
			return false
		},
		"a picture id that jumps": func(e Encoder, all *[]Received, frames []*Frame) bool {
			for i := 20; i < len(*all); i++ {
				if f := frames[i]; f != nil && f.Spatial == 0 && e.Codec == VP8 {
					(*all)[i].Payload[3] ^= 0x10
					return true
				}
			}
			return false
		},
		"another frame number": func(e Encoder, all *[]Received, frames []*Frame) bool {
			for i := 20; i < len(*all); i++ {
				if f := frames[i]; f != nil && e.Descriptor != 0 {
					for j := i; j < len(*all); j++ {
						if d := (*all)[j].Descriptor; len(d) > 0 {
							binary.BigEndian.PutUint16(d[1:], binary.BigEndian.Uint16(d[1:])+1) // from here on
						}
					}
					return !f.Key
				}
			}
			return false
		},
	}
}

func TestTheModelFindsFaults(t *testing.T) {
	for name, fault := range faults() {
		applied := 0
		for i, e := range encoders() {
			truth, all, frames := received(uint64(i), e, 60)
			if !fault(e, &all, frames) {
				continue
			}
			applied++
			if n, err := check(truth, all); err == nil {
				t.Errorf("encoder %d: %s was not found in %d frames", i, name, n)
			}
		}
		if applied == 0 {
			t.Errorf("%s is not possible", name)
		}
	}
}
