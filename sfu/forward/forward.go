// Package forward decides, packet by packet, what one slot sends.
//
// A slot shows one source after another, but its receiver sees a single RTP stream that never breaks: one SSRC, sequence
// numbers without a hole of our making, timestamps and picture ids that go on. A Rewriter does that arithmetic. A History
// remembers which packet of which source each sent one was, so that it can be sent again.
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
	PayloadType    uint8  // the receiver's
	RTXPayloadType uint8  // the receiver's, 0 when it wants no retransmissions
	DescriptorID   uint8  // AV1 dependency descriptor in the source's packets, 0 for none
	Extensions     ExtensionIDs

	Ring *packet.Ring // where the source's packets are found again, nil for nowhere
}

// In is a packet as it came from its publisher, after duplicates were removed.
type In struct {
	packet.Packet
	N     uint64 // unwrapped sequence number
	Key   bool   // a decoder can start here
	Newer bool   // than every packet of this source before

	Clock    report.Clock // what the sender reports of the source say about its timestamps
	Captured report.NTP   // when, by that clock; 0 for unknown

	Skip    bool  // its layer is not wanted: it is left out, and the numbers close up
	Spatial uint8 // its spatial layer
}

// Out is a packet to be sent. Its slices belong to the In or to the scratch it was made with.
type Out struct {
	Marker      bool
	PayloadType uint8
	Seq         uint16
	Timestamp   uint32
	Payload     []byte
	Captured    report.NTP // see In
	Descriptor  []byte     // data of the header extension, nil for none
	Extensions  Extensions
}

// Verdict of a Rewriter on a packet.
type Verdict uint8

// What becomes of a packet.
const (
	Send     Verdict = iota
	NotShown         // its source is not the one shown
	NoKey            // the source waits for a key frame
	Late             // from before the switch, or older than what is remembered
	Padding          // nothing but padding, or Skip: left out, and the numbers close up
)

// Rewriter is the outgoing RTP stream of one slot. It is made by NewRewriter and has one owner.
type Rewriter struct {
	cur  *stream // what is sent now, nil for nothing
	next *Format // what waits for a key frame, nil for nothing

	refused int // key frames of next that did not fit

	started bool
	n       uint64 // highest sequence number sent, unwrapped
	ts      uint32 // highest timestamp sent
	tsAt    time.Time

	counters codec.Counters // last ones sent; the picture id with 15 bits
}

// NewRewriter makes a stream that starts with the given sequence number and timestamp, which should be random (RFC 3550
// §5.1).
func NewRewriter(seq uint16, timestamp uint32) *Rewriter {
	return &Rewriter{n: 1<<16 + uint64(seq) - 1, ts: timestamp}
}

// Switch shows another source from its next key frame on; until then the present one goes on. A switch to the source that is
// shown already starts it anew, after a pause of its publisher's.
func (r *Rewriter) Switch(f Format) {
	if r.cur != nil && r.cur.Source == f.Source {
		r.cur = nil
	}
	r.next = &f
}

// Stop shows nothing any more.
func (r *Rewriter) Stop() { r.cur, r.next = nil, nil }

// Waiting returns the source whose key frame is waited for, 0 for none.
func (r *Rewriter) Waiting() SourceID {
	if r.next == nil {
		return 0
	}
	return r.next.Source
}

// Forward turns in, a packet of source, into the packet to send. What has to be changed in the payload is changed in a copy
// appended to scratch.
func (r *Rewriter) Forward(now time.Time, source SourceID, in *In, scratch []byte) (Sent, Out, Verdict) {
	if r.next != nil && source == r.next.Source {
		if !in.Key || !in.Newer || !r.begin(now, in) {
			return Sent{}, Out{}, NoKey
		}
	}
	if r.cur == nil || source != r.cur.Source {
		return Sent{}, Out{}, NotShown
	}
	if r.leaveOut(in) {
		return Sent{}, Out{}, Padding
	}
	r.cur.clock = in.Clock
	n, ok := r.cur.numbers.number(in.N)
	if !ok {
		return Sent{}, Out{}, Late
	}
	s := Sent{
		format:    r.cur.Format,
		n:         in.N,
		seq:       uint16(n), //nolint:gosec // modulo 2^16 on purpose
		timestamp: in.Timestamp + r.cur.tsDelta,
		empty:     in.Skip,
	}
	if n > r.n {
		r.n = n
		if int32(s.timestamp-r.ts) > 0 || !r.started { //nolint:gosec // modulo 2^32 on purpose
			r.ts, r.tsAt, r.started = s.timestamp, now, true
		}
	}
	if !s.empty {
		r.count(in, &s)
	}
	out := s.rebuild(&in.Packet, scratch)
	out.Captured = in.Captured
	return s, out, Send
}

// leaveOut says whether in needs no number: padding that is next in line, and what the receiver does not want. What comes late
// cannot be left out, for its number is reserved; it is sent without its payload, so that nobody waits for it.
func (r *Rewriter) leaveOut(in *In) bool {
	switch {
	case in.Skip:
		r.skipPicture(in)
		return r.cur.numbers.leaveOut(in.N)
	case len(in.Payload) == 0:
		return in.N == r.cur.numbers.highest+1 && r.cur.numbers.leaveOut(in.N)
	}
	return false
}

// begin makes next the source that is shown, with in as its first packet, unless it must wait for another key frame.
func (r *Rewriter) begin(now time.Time, in *In) bool {
	ts, ok := r.switchTimestamp(now, in)
	if !ok {
		return false
	}
	r.cur = &stream{Format: r.next, numbers: newRanges(in.N, r.n+1), tsDelta: ts - in.Timestamp}
	r.next, r.refused = nil, 0
	return true
}

// count fills in the picture counters of s.
func (r *Rewriter) count(in *In, s *Sent) {
	p, ok := r.picture(in)
	if !ok {
		return
	}
	c := &r.cur.pictures
	id := c.unwrap(p.ID)
	out, ok := c.ids.number(id)
	if !ok { // of a picture that was left out
		s.empty = true
		return
	}
	s.counters = codec.Counters{
		ID:  uint16(out) & 0x7fff, //nolint:gosec // modulo 2^15 on purpose
		TL0: p.TL0 + c.tl0Delta,
		Key: (p.Key + c.keyDelta) & 0x1f,
	}
	s.hasCounters = true
	c.newest = max(c.newest, id)
	if out > c.sent {
		c.sent, r.counters = out, s.counters
	}
}

// skipPicture has the picture ids close up over a picture of which nothing is sent.
func (r *Rewriter) skipPicture(in *In) {
	p, ok := r.picture(in)
	if !ok || !in.Newer || in.Spatial > 0 || p.Bits == 0 {
		return
	}
	c := &r.cur.pictures
	if id := c.unwrap(p.ID); c.ids.leaveOut(id) {
		c.newest = id
	}
}

// picture reads the counters of in, and begins to count with the first picture.
func (r *Rewriter) picture(in *In) (codec.Picture, bool) {
	p, ok := r.cur.Codec.ReadPicture(in.Payload)
	if !ok || p.Bits == 0 && !p.HasTL0() && !p.HasKey() {
		return p, false
	}
	if c := &r.cur.pictures; !c.counting || p.Bits != c.bits {
		first, sent := pictureStart+uint64(p.ID), pictureStart+uint64(r.counters.ID)
		*c = pictures{
			counting: true, bits: p.Bits, newest: first, ids: newRanges(first, sent+1), sent: sent,
			tl0Delta: r.counters.TL0 + 1 - p.TL0, keyDelta: r.counters.Key + 1 - p.Key,
		}
	}
	return p, true
}
