package forward

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/turnout-rtc/turnout/sfu/codec"
	"github.com/turnout-rtc/turnout/sfu/sfutest"
)

// av1 makes packets of an encoder with descriptors, each a picture of its own.
func av1(pictures int) (all []sfutest.Packet) {
	rng := rand.New(rand.NewPCG(1, 1))
	e := &sfutest.Encoder{Codec: sfutest.AV1, Spatial: 1, Temporal: 2, Descriptor: descriptorID, Rand: rng, Truth: &sfutest.Truth{}, Ticks: 3000, Seq: 100}
	for range pictures {
		for _, p := range e.Picture() {
			if p.Frame != nil {
				all = append(all, p)
			}
		}
		e.WantKey = rng.IntN(5) == 0
	}
	return all
}

func TestNothingIsReadWithoutItsStructure(t *testing.T) {
	r := NewReader(&Format{Codec: codec.AV1, DescriptorID: descriptorID})
	for i, p := range av1(10)[1:] { // the first brings the structure
		in := In{N: uint64(i + 1), Newer: true}
		if err := in.Parse(p.Bytes); err != nil {
			t.Fatal(err)
		}
		if r.Read(&in); p.Structure {
			return
		}
		if in.Structure != nil || in.Key {
			t.Fatalf("packet %d: %+v", i, in)
		}
	}
	t.Fatal("there is no second structure")
}

func TestLatePacketsAreReadWithTheStructureOfTheirTime(t *testing.T) {
	r := NewReader(&Format{Codec: codec.AV1, DescriptorID: descriptorID})
	var late In
	var before *codec.Structure
	for i, p := range av1(100) {
		in := In{N: uint64(i + 1), Newer: true}
		if err := in.Parse(p.Bytes); err != nil {
			t.Fatal(err)
		}
		if r.Read(&in); in.Structure == nil || in.Key != (p.Structure && in.Descriptor.Start) {
			t.Fatalf("packet %d: %+v", i, in)
		}
		if p.Structure && late.N > 0 && late.Descriptor.Structure == nil {
			late.Newer = false
			if r.Read(&late); late.Structure != before {
				t.Fatalf("packet %d was read with another structure", late.N)
			}
		}
		late, before = in, in.Structure
	}
}

// FuzzReader has anything at all read and forwarded. Nothing may panic, and no number may be used twice.
func FuzzReader(f *testing.F) {
	var seed []byte
	for _, p := range av1(3) {
		seed = append(seed, byte(len(p.Bytes)))
		seed = append(seed, p.Bytes...)
	}
	for c := range uint8(9) {
		f.Add(seed, c)
	}
	f.Fuzz(func(t *testing.T, data []byte, c uint8) {
		kind := codec.Codec(c % 9)
		reader, rewriter := NewReader(&Format{Codec: kind, DescriptorID: descriptorID}), NewRewriter(1, 1)
		rewriter.Switch(Format{Source: 1, Codec: kind, ClockRate: 90000, PayloadType: 96, REDPayloadType: c & 0x10, DescriptorID: descriptorID})
		used := map[uint16]bool{}
		var highest uint64
		for i := 0; len(data) > 0; i++ {
			size := min(int(data[0]), len(data)-1)
			b := data[1 : 1+size]
			data = data[1+size:]
			var in In
			if in.Parse(b) != nil {
				continue
			}
			in.N = 1<<16 + uint64(i) - uint64(b[2]%4) // now and then late
			if in.Newer = in.N > highest; !in.Newer {
				continue
			}
			highest = in.N
			if i%5 == 4 {
				rewriter.SetTarget(codec.Layer{Spatial: b[3] % 3, Temporal: b[3] >> 4 % 3})
			}
			reader.Read(&in)
			sent, out, v := rewriter.Forward(start, 1, &in, nil)
			if v != Send {
				continue
			}
			if used[out.Seq] {
				t.Fatalf("%d is used twice", out.Seq)
			}
			used[out.Seq] = true
			if rtx := sent.Retransmission(&in.Packet, 1, nil); binary.BigEndian.Uint16(rtx.Payload) != out.Seq {
				t.Fatalf("%d is sent again as % x", out.Seq, rtx.Payload)
			}
		}
	})
}

func TestForwardingLayersAllocatesNothing(t *testing.T) {
	for name, e := range kinds() {
		w, s := show(t, 1, e)
		w.run(s, 3)
		var packets []sfutest.Packet
		for range 60 {
			for _, p := range s.Picture() {
				if !p.Structure {
					packets = append(packets, p)
				}
			}
		}
		w.rewriter.SetTarget(codec.Layer{Spatial: 1, Temporal: 1})
		w.scratch = make([]byte, 0, 1500)
		at := 0
		next := func() {
			if at == len(packets) {
				return
			}
			in := &w.in
			if err := in.Parse(packets[at].Bytes); err != nil {
				t.Fatal(err)
			}
			at++
			in.N = s.unwrap.Unwrap(in.Seq)
			in.Newer, s.highest = in.N > s.highest, max(s.highest, in.N)
			s.reader.Read(in)
			sent, _, v := w.rewriter.Forward(w.now, s.format.Source, in, w.scratch)
			if v == Send {
				w.history.Add(w.now, sent)
			}
		}
		for range 40 { // the target is reached
			next()
		}
		if n := testing.AllocsPerRun(min(100, len(packets)-50), next); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkForwardLayers(b *testing.B) {
	for name, e := range kinds() {
		b.Run(name, func(b *testing.B) {
			w, s := show(&testing.T{}, 1, e)
			w.rewriter.SetTarget(codec.Layer{Spatial: 1, Temporal: 1})
			var packets []sfutest.Packet
			for range 200 {
				packets = append(packets, s.Picture()...)
			}
			scratch, at := make([]byte, 0, 1500), 0
			b.ReportAllocs()
			for b.Loop() {
				in := &w.in
				_ = in.Parse(packets[at%len(packets)].Bytes)
				at++
				in.N, in.Newer = uint64(1<<16+at), true
				s.reader.Read(in)
				sent, _, _ := w.rewriter.Forward(w.now, s.format.Source, in, scratch)
				w.history.Add(w.now, sent)
			}
		})
	}
}
