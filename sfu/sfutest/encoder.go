// Package sfutest models the two ends of the media plane for tests: an Encoder makes packets as a publisher does, and knows
// what every frame refers to; a Receiver looks at what a subscriber was sent.
//
// Both are written from the RFCs (6184, 7741, 7798, 9628) and the AV1 RTP specification. They share no code with what they
// test, and nothing but tests uses them.
package sfutest

import (
	"encoding/binary"
	"math/rand/v2"
)

// Codec of an encoder.
type Codec int

// The codecs that are modelled.
const (
	VP8 Codec = iota
	VP9
	AV1
	H264
	H265
)

// Frame is one picture of one layer, as it was encoded.
type Frame struct {
	Source            int
	ID                uint32 // unique within the Truth
	Spatial, Temporal int
	Key               bool
	Closed            bool // nothing from now on refers to frames above the lowest temporal layer from before its group
	Last              bool // of its picture
	Refs              []uint32
	Body              []byte
	Damaged           bool // packets of it were lost or delayed before they could be forwarded

	Group int // number of its picture in the Truth: frames of one picture have the same

	index   int    // of its picture at its source
	number  uint16 // of its descriptor
	picture uint16
	tl0     uint8
	first   bool // T2 comes twice in a group of four
}

// Truth is what all encoders of a test have made.
type Truth struct {
	Frames   []*Frame
	pictures int
}

// Packet is an RTP packet and what it is of.
type Packet struct {
	Bytes     []byte
	Frame     *Frame // nil for padding
	Structure bool   // it brings the structure of dependency descriptors
}

// Encoder is one source. Its fields are set before the first picture.
type Encoder struct {
	Codec      Codec
	Source     int
	Spatial    int  // layers
	Temporal   int  // layers: 1, 2 or 3
	KeyOnly    bool // layers refer to each other in key pictures only (k-SVC)
	Flexible   bool // VP9: pictures say what they refer to
	LongID     bool // picture ids have 15 bits
	Descriptor uint8
	Ticks      uint32 // between pictures
	Size       int    // of a frame at least, in bytes
	WantKey    bool

	Rand  *rand.Rand
	Truth *Truth

	Seq       uint16
	Timestamp uint32

	picture  uint16
	pictures int
	tl0      uint8
	keys     uint8
	number   uint16 // of the next frame's descriptor
	offset   uint8  // of templates
	at       int    // in the group
	closed   bool
	layers   int // since the last key picture
	newest   map[[2]int]*Frame
	begun    bool
}

// Picture encodes the next picture and returns its packets, now and then followed by padding.
func (e *Encoder) Picture() []Packet {
	if !e.begun {
		e.begun, e.WantKey = true, true
		e.picture, e.tl0, e.number, e.offset = uint16(e.Rand.Uint32()), uint8(e.Rand.Uint32()), uint16(e.Rand.Uint32()), uint8(e.Rand.IntN(64))
	}
	frames := e.encode()
	var all []Packet
	for _, f := range frames {
		all = append(all, e.packetize(f)...)
	}
	for e.Rand.IntN(10) == 0 {
		all = append(all, Packet{Bytes: e.rtp(nil, nil, false, 20)})
	}
	e.Timestamp += e.Ticks
	e.picture++
	e.pictures++
	e.WantKey = false
	return all
}

// pattern of temporal layers.
func (e *Encoder) pattern() []int {
	return [][]int{{0}, {0, 1}, {0, 2, 1, 2}}[e.Temporal-1]
}

// encode makes the frames of a picture.
func (e *Encoder) encode() []*Frame {
	key := e.WantKey
	if key {
		e.at, e.newest, e.layers = 0, map[[2]int]*Frame{}, 1+e.Rand.IntN(e.Spatial)
		e.keys++
		if e.Rand.IntN(3) > 0 {
			e.layers = e.Spatial
		}
	}
	t := e.pattern()[e.at%len(e.pattern())]
	if t == 0 {
		e.tl0++
		e.closed = key || e.Rand.IntN(2) == 0
	}
	first := e.at%len(e.pattern()) == 1
	e.at++
	var frames []*Frame
	e.Truth.pictures++
	for s := range e.layers {
		f := &Frame{
			Source: e.Source, ID: uint32(len(e.Truth.Frames)), Spatial: s, Temporal: t, Key: key, Closed: e.closed, first: first, Group: e.Truth.pictures, index: e.pictures,
			number: e.number, picture: e.pictureID(), tl0: e.tl0, Last: s == e.layers-1,
		}
		e.number++
		e.refer(f, frames)
		e.Truth.Frames = append(e.Truth.Frames, f)
		f.Body = e.body(f)
		frames = append(frames, f)
	}
	for _, f := range frames {
		e.newest[[2]int{f.Spatial, f.Temporal}] = f
	}
	return frames
}

func (e *Encoder) pictureID() uint16 {
	if e.LongID {
		return e.picture & 0x7fff
	}
	return e.picture & 0x7f
}

// refer decides what f refers to: the newest frame of the lowest temporal layer, the one between, and when its group is open
// also the newest of its own.
func (e *Encoder) refer(f *Frame, below []*Frame) {
	if f.Spatial > 0 && (f.Key || !e.KeyOnly) {
		f.Refs = append(f.Refs, below[f.Spatial-1].ID)
	}
	if f.Key {
		return
	}
	newest := func(t int) {
		if r := e.newest[[2]int{f.Spatial, t}]; r != nil {
			f.Refs = append(f.Refs, r.ID)
		}
	}
	if f.Temporal == 2 && !f.first {
		newest(1)
	} else {
		newest(0)
	}
	if f.Temporal > 0 && !f.Closed {
		newest(f.Temporal)
	}
}

// sync says that f refers to the lowest temporal layer only.
func (e *Encoder) sync(f *Frame) bool {
	for _, id := range f.Refs {
		if r := e.Truth.Frames[id]; r.Temporal > 0 && r.Spatial == f.Spatial {
			return false
		}
	}
	return true
}

// body is what a decoder is given: a byte that begins the slice or the VP8 frame, and what tells the frame again.
func (e *Encoder) body(f *Frame) []byte {
	b := make([]byte, max(9, e.Size)+e.Rand.IntN(60))
	for i := range b {
		b[i] = byte(e.Rand.Uint32())
	}
	b[0] = 0x80
	if e.Codec == VP8 && !f.Key {
		b[0] |= 1 // inverse key frame flag, RFC 7741 §4.3
	}
	binary.BigEndian.PutUint32(b[1:], f.ID)
	return b
}

// rtp makes the next packet.
func (e *Encoder) rtp(payload, descriptor []byte, marker bool, padding int) []byte {
	b := make([]byte, 12, 12+len(payload)+len(descriptor)+padding+16)
	b[0], b[1] = 0x80, 100
	if marker {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], e.Seq)
	binary.BigEndian.PutUint32(b[4:], e.Timestamp)
	e.Seq++
	if len(descriptor) > 0 {
		b[0] |= 0x10
		words := (2 + len(descriptor) + 3) / 4
		b = append(b, 0x10, 0x00, 0, byte(words), e.Descriptor, byte(len(descriptor)))
		b = append(b, descriptor...)
		b = append(b, make([]byte, 4*words-2-len(descriptor))...)
	}
	b = append(b, payload...)
	if padding > 0 {
		b[0] |= 0x20
		b = append(b, make([]byte, padding)...)
		b[len(b)-1] = byte(padding)
	}
	return b
}
