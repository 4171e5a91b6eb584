// Package forward decides, packet by packet, what one slot sends.
//
// A slot shows one source after another, but its receiver sees a single RTP stream that never breaks: one SSRC, sequence
// numbers without a hole of our making, timestamps, picture ids and frame numbers that go on. A Reader reads a source's
// packets once for all slots. A Choice puts the layers of a simulcast publication into order. A Rewriter is one slot's stream:
// it switches between sources, leaves out the layers above its target, and does the arithmetic. A History remembers which
// packet of which source each sent one was, so that it can be sent again.
//
// The package does no I/O, starts no goroutine and never reads the clock.
package forward

import (
	"time"

	"github.com/turnout-rtc/turnout/sfu/codec"
	"github.com/turnout-rtc/turnout/sfu/packet"
	"github.com/turnout-rtc/turnout/sfu/report"
)

// SourceID names a layer of a publication, unique within an engine. 0 is none.
type SourceID uint64

// Format says how packets of a source look and how the slot's receiver wants them.
type Format struct {
	Source         SourceID
	Group          SourceID // layers of one publication have the same; 0 for none
	Codec          codec.Codec
	ClockRate      uint32 // Hz
	PayloadType    uint8  // the receiver's; of the blocks, when Codec is RED
	REDPayloadType uint8  // the receiver's for RED, 0 when it gets the primary blocks alone
	RTXPayloadType uint8  // the receiver's, 0 when it wants no retransmissions
	DescriptorID   uint8  // AV1 dependency descriptor in the source's packets, 0 for none
	Extensions     ExtensionIDs

	Ring *packet.Ring // where the source's packets are found again, nil for nowhere
}

// In is a packet as it came from its publisher, after duplicates were removed. A Reader fills in Key and what is below.
type In struct {
	packet.Packet
	N        uint64       // unwrapped sequence number
	Newer    bool         // than every packet of this source before
	Clock    report.Clock // what the sender reports of the source say about its timestamps
	Captured report.NTP   // when, by that clock; 0 for unknown

	Key        bool // a decoder can start here
	HasPicture bool
	Extensions Extensions
	Frame      codec.Frame
	Picture    codec.Picture    // if HasPicture
	Descriptor codec.Descriptor // if Structure is not nil
	Structure  *codec.Structure // that Descriptor was read with
}

// Out is a packet to be sent. Its slices belong to the In or to the scratch it was made with.
type Out struct {
	Marker      bool
	PayloadType uint8
	Seq         uint16
	Timestamp   uint32
	Payload     []byte
	Captured    report.NTP // see In
	Begins      bool       // the first packet of a source: what was told of the times of the one before does not hold for it
	Descriptor  []byte     // data of the header extension, nil for none
	Extensions  Extensions
}

// ScratchSize is how many bytes of scratch a packet can need beyond its own size: 1 for a picture id, 2 for RTX, 5 for the
// active decode targets.
const ScratchSize = 8

// Verdict of a Rewriter on a packet.
type Verdict uint8

// What becomes of a packet.
const (
	Send       Verdict = iota
	NotShown           // its source is not the one shown
	NoKey              // the source waits for a key frame
	Late               // from before the switch, or older than what is remembered
	Padding            // nothing but padding, or nothing that can be read: left out, and the numbers close up
	AboveLayer         // of a layer above the target: likewise
)

// Rewriter is the outgoing RTP stream of one slot. It is made by NewRewriter and has one owner.
type Rewriter struct {
	target codec.Layer
	cur    *stream // what is sent now, nil for nothing
	next   *Format // what waits for a key frame, nil for nothing

	refused int // key frames of next that did not fit

	started bool
	n       uint64 // highest sequence number sent, unwrapped
	carried uint64 // likewise, of a packet with a payload
	marker  bool   // of that packet
	ts      uint32 // highest timestamp sent
	tsAt    time.Time

	delayed bool // the receiver was told a playout delay, which stays until it is told another

	counters codec.Counters // last ones sent; the picture id with 15 bits
	frame    uint16         // highest frame number of a descriptor sent
	template uint8          // template id behind those of the structure sent last
}

// NewRewriter makes a stream that starts with the given sequence number and timestamp, which should be random (RFC 3550
// §5.1). It sends all layers.
func NewRewriter(seq uint16, timestamp uint32) *Rewriter {
	return &Rewriter{target: codec.Layer{Spatial: Top, Temporal: Top}, n: 1<<16 + uint64(seq) - 1, ts: timestamp, marker: true}
}

// SetTarget sets the highest layer within a source that is sent. Less takes effect with the next picture, more as soon as
// decoding allows it: see KeyNeeded.
func (r *Rewriter) SetTarget(highest codec.Layer) { r.target = highest }

// Switch shows another source from its next key frame on; until then the present one goes on. A switch back to the source that
// is shown already ends the waiting.
func (r *Rewriter) Switch(f Format) {
	r.refused = 0
	if r.cur != nil && r.cur.manner.Format == f {
		r.next = nil
		return
	}
	if r.cur != nil && r.cur.manner.Source == f.Source { // it comes in another codec, or is wanted as another payload type
		if !f.Codec.Video() && r.cur.manner.ClockRate == f.ClockRate {
			r.cur.manner, r.next = &manner{Format: f}, nil // encoders turn redundancy on and off between two packets
			return
		}
		r.cur = nil
	}
	r.next = &f
}

// Hold sends nothing of the present source any more, but still waits for the key frame of the next: what is too much for the
// receiver's connection must end at once.
func (r *Rewriter) Hold() { r.cur = nil }

// Stop shows nothing any more. A Switch to the same source starts it anew.
func (r *Rewriter) Stop() { r.cur, r.next = nil, nil }

// Shown returns the source that is shown, or is going to be; 0 for none.
func (r *Rewriter) Shown() SourceID {
	switch {
	case r.next != nil:
		return r.next.Source
	case r.cur != nil:
		return r.cur.manner.Source
	}
	return 0
}

// KeyNeeded returns the source whose key frame is waited for: to switch to it, or to reach the target within it. It is 0 for
// none.
func (r *Rewriter) KeyNeeded() SourceID {
	switch {
	case r.next != nil:
		return r.next.Source
	case r.cur != nil && r.cur.keyNeeded(r.target):
		return r.cur.manner.Source
	}
	return 0
}

// Forward turns in, a packet of source, into the packet to send. What has to be changed is changed in a copy appended to
// scratch.
func (r *Rewriter) Forward(now time.Time, source SourceID, in *In, scratch []byte) (Sent, Out, Verdict) {
	if r.next != nil && source == r.next.Source {
		if !in.Key || !in.Newer || !r.begin(now, in) {
			return Sent{}, Out{}, NoKey
		}
	}
	if r.cur == nil || source != r.cur.manner.Source {
		return Sent{}, Out{}, NotShown
	}
	wanted, last := r.cur.wanted(in, r.target)
	if verdict := r.leaveOut(in, wanted); verdict != Send {
		return Sent{}, Out{}, verdict
	}
	r.cur.clock = in.Clock
	n, ok := r.cur.numbers.number(in.N)
	if !ok {
		return Sent{}, Out{}, Late
	}
	s := Sent{
		manner:    r.cur.mannerOf(r, in),
		n:         in.N,
		seq:       uint16(n), //nolint:gosec // modulo 2^16 on purpose
		timestamp: in.Timestamp + r.cur.tsDelta,
		traits:    marked.when(in.Marker || last) | key.when(in.Key) | empty.when(!wanted || len(in.Payload) == 0),
	}
	if wanted {
		r.count(in, &s)
	}
	r.advance(now, n, &s)
	out := s.live(in, scratch, s.timestamp-r.cur.first)
	out.Begins, r.cur.begun = !r.cur.begun, true
	r.delay(&out.Extensions)
	return s, out, Send
}

// delay has the playout delay of one source end with it. Receivers keep the last one that they were told; a source that wants
// one says so with every key frame, and so with its first packet. All packets of the others say that there is none: who has lost
// one is told by the next.
func (r *Rewriter) delay(e *Extensions) {
	switch c := r.cur; {
	case e.there&hasPlayoutDelay != 0:
		c.delays, r.delayed = true, true
	case r.delayed && !c.delays:
		e.playoutDelay, e.there = anyDelay(), e.there|hasPlayoutDelay
	}
}

// advance takes note of a packet that is sent.
func (r *Rewriter) advance(now time.Time, n uint64, s *Sent) {
	if !s.is(empty) && n > r.carried {
		r.carried, r.marker = n, s.is(marked)
	}
	if n <= r.n {
		return
	}
	r.n = n
	if int32(s.timestamp-r.ts) > 0 || !r.started { //nolint:gosec // modulo 2^32 on purpose
		r.ts, r.tsAt, r.started = s.timestamp, now, true
	}
}

// leaveOut says whether in needs no number: padding that is next in line, and what the receiver does not want. What comes late
// cannot be left out, for its number is reserved; it is sent without its payload, so that nobody waits for it.
func (r *Rewriter) leaveOut(in *In, wanted bool) Verdict {
	c := r.cur
	switch {
	case len(in.Payload) == 0:
		if in.N == c.numbers.highest+1 && c.numbers.leaveOut(in.N) {
			return Padding
		}
	case !wanted:
		if r.skipPicture(in); c.numbers.leaveOut(in.N) {
			return AboveLayer
		}
	case c.manner.Codec == codec.RED:
		if _, ok := codec.ReadRED(in.Payload); !ok && c.numbers.leaveOut(in.N) {
			return Padding
		}
	}
	return Send
}

// begin makes next the source that is shown, with in as its first packet, unless it must wait for another key frame.
func (r *Rewriter) begin(now time.Time, in *In) bool {
	ts, ok := r.switchTimestamp(now, in)
	if !ok {
		return false
	}
	n := r.n + 1
	if r.next.Codec.Video() && !r.marker {
		n++ // so that the receiver knows that the last frame is not complete
	}
	r.cur = newStream(r.next, in.N, n)
	r.cur.tsDelta, r.cur.first = ts-in.Timestamp, ts
	r.next, r.refused = nil, 0
	return true
}
