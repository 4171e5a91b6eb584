package forward

import (
	"time"

	"github.com/turnout-rtc/turnout/sfu/codec"
	"github.com/turnout-rtc/turnout/sfu/packet"
)

// Limits of retransmission: what is asked for more often is most likely lost for another reason, and answering a flood
// would make it worse.
const (
	maxResends = 3
	defaultRTT = 70 * time.Millisecond
	maxPause   = 100 * time.Millisecond

	leastHistory = 32 // packets; a power of two, like the next
	mostHistory  = 512
	keptFor      = 1000 // ms that a packet is to be remembered, as far as there is room
)

// Sent remembers one packet as it was sent. There are many of them: it has 32 bytes.
type Sent struct {
	manner    *manner
	n         uint64 // the packet's number at its source
	timestamp uint32
	last      uint32 // ms since the begin of the History
	counters  codec.Counters
	seq       uint16
	traits    traits
	resends   uint8
}

// traits of a packet that was sent.
type traits uint8

const (
	marked  traits = 1 << iota
	key            // a decoder can start at it
	counted        // it has counters
	empty          // it was sent without its payload
)

// is says whether s has a trait.
func (s *Sent) is(t traits) bool { return s.traits&t != 0 }

// when is t if it is so, else none.
func (t traits) when(so bool) traits {
	if so {
		return t
	}
	return 0
}

// Key says whether a decoder can start at the packet.
func (s *Sent) Key() bool { return s.is(key) }

// Packet appends the packet that s was made of to dst, as it came from its publisher, if it is still there.
func (s *Sent) Packet(dst []byte) ([]byte, bool) {
	if s.manner.Ring == nil {
		return dst, false
	}
	return s.manner.Ring.Get(s.n, dst)
}

// live makes the packet that s stands for out of in, the packet it was made of, age ticks after its source began.
func (s *Sent) live(in *In, scratch []byte, age uint32) Out {
	out := Out{Marker: s.is(marked), PayloadType: s.manner.PayloadType, Seq: s.seq, Timestamp: s.timestamp, Captured: in.Captured}
	if s.is(empty) {
		out.Marker = false
		return out
	}
	out.Extensions = in.Extensions
	out.Payload = in.Payload
	switch at := len(scratch); {
	case s.is(counted):
		scratch = codec.AppendPicture(scratch, in.Payload, &in.Picture, s.counters)
		out.Payload = scratch[at:]
	case s.manner.Codec == codec.RED:
		scratch = s.redundancy(&out, in.Payload, scratch, age)
	}
	if raw := in.Extension(s.manner.DescriptorID); len(raw) > 0 {
		at := len(scratch)
		out.Descriptor = s.appendDescriptor(scratch, raw, &in.Descriptor, in.Structure)[at:]
	}
	return out
}

// redundancy makes an RED payload fit the receiver: with its payload types and without what was before the source began, or
// the primary block alone.
func (s *Sent) redundancy(out *Out, payload, scratch []byte, age uint32) []byte {
	red, ok := codec.ReadRED(payload)
	switch at := len(scratch); {
	case !ok: // it came late, so its number was reserved
		out.Payload = nil
	case s.manner.REDPayloadType == 0:
		out.Payload = red.Primary(payload)
	default:
		out.PayloadType = s.manner.REDPayloadType
		scratch = codec.AppendRED(scratch, payload, &red, s.manner.PayloadType, age)
		out.Payload = scratch[at:]
	}
	return scratch
}

// appendDescriptor appends raw to dst as it is sent, read as d with structure, or not read if that is nil.
func (s *Sent) appendDescriptor(dst, raw []byte, d *codec.Descriptor, structure *codec.Structure) []byte {
	if structure == nil {
		return codec.AppendUnread(dst, raw, s.manner.shift)
	}
	return codec.AppendDescriptor(dst, raw, d, structure, s.manner.shift)
}

// Retransmission makes the RTX packet (RFC 4588 §4) number seq for s out of p, the packet it was made of. Its payload is
// appended to scratch.
func (s *Sent) Retransmission(p *packet.Packet, seq uint16, scratch []byte) Out {
	out := Out{PayloadType: s.manner.RTXPayloadType, Seq: seq, Timestamp: s.timestamp}
	body := append(scratch, byte(s.seq>>8), byte(s.seq)) //nolint:gocritic // the original sequence number goes first
	if s.is(empty) {
		out.Payload = body[len(scratch):]
		return out
	}
	out.Marker = s.is(marked)
	out.Extensions = s.manner.Extensions.read(p)
	if pic, ok := s.manner.Codec.ReadPicture(p.Payload); ok && s.is(counted) {
		body = codec.AppendPicture(body, p.Payload, &pic, s.counters)
	} else {
		body = append(body, p.Payload...)
	}
	out.Payload = body[len(scratch):]
	if raw := p.Extension(s.manner.DescriptorID); len(raw) > 0 {
		structure := s.manner.structure
		d, ok := codec.ReadDescriptor(raw, structure)
		if !ok {
			structure = nil
		}
		out.Descriptor = s.appendDescriptor(body, raw, &d, structure)[len(body):]
	}
	return out
}

// History holds the newest packets of one outgoing stream by sequence number: those of the last second, and 512 at most. The
// zero value is ready; memory is taken with the first packet, and more when a second has more packets.
type History struct {
	// RoundTrip to the receiver; 0 for unknown. Requests within two of them mean the same loss.
	RoundTrip time.Duration

	entries []Sent // a power of two of them
	begin   time.Time
	lost    bool // the receiver waits for a key frame, and has no use for anything before
}

// Add remembers s, sent now.
func (h *History) Add(now time.Time, s Sent) {
	if h.entries == nil {
		h.entries, h.begin = make([]Sent, leastHistory), now
	}
	if s.is(key) {
		h.lost = false
	}
	s.resends, s.last = 0, h.since(now)
	at := h.at(s.seq)
	if at.manner != nil && at.seq != s.seq && s.last-at.last < keptFor && len(h.entries) < mostHistory {
		h.grow()
		at = h.at(s.seq)
	}
	*at = s
}

// at is the place of a sequence number.
func (h *History) at(seq uint16) *Sent { return &h.entries[int(seq)&(len(h.entries)-1)] }

// grow makes room for twice as many.
func (h *History) grow() {
	old := h.entries
	h.entries = make([]Sent, 2*len(old))
	for i := range old {
		if old[i].manner != nil {
			*h.at(old[i].seq) = old[i]
		}
	}
}

// PictureLost is the receiver's wish for a key frame: nothing is sent again until one was sent.
func (h *History) PictureLost() { h.lost = true }

// since the begin, in milliseconds. It wraps after 49 days, and so do differences.
func (h *History) since(now time.Time) uint32 { return uint32(now.Sub(h.begin).Milliseconds()) }

// Refusal of a History to send a packet again.
type Refusal uint8

// Why a packet is not sent again.
const (
	Granted  Refusal = iota
	Unknown          // never sent, or too long ago
	TooSoon          // sent a moment ago
	TooOften         // sent again often enough
	NoRTX            // the receiver has not negotiated RFC 4588 for its codec
	NoUse            // the receiver waits for a key frame
)

// Resend looks up what the receiver asks for by its sequence number, and counts it as sent again now.
func (h *History) Resend(now time.Time, seq uint16) (Sent, Refusal) {
	if h.entries == nil {
		return Sent{}, Unknown
	}
	e := h.at(seq)
	switch {
	case e.manner == nil || e.seq != seq:
		return Sent{}, Unknown
	case e.manner.RTXPayloadType == 0:
		return Sent{}, NoRTX
	case h.lost:
		return Sent{}, NoUse
	case e.resends >= maxResends:
		return Sent{}, TooOften
	case h.since(now)-e.last < h.pause(e):
		return Sent{}, TooSoon
	}
	e.resends++
	e.last = h.since(now)
	return *e, Granted
}

// pause is how many milliseconds must have passed since e was sent. A repetition may have been sent when what it asks for was
// already on its way, so two round trips must pass. The first request may come a little earlier than the average round trip:
// half of one must do.
func (h *History) pause(e *Sent) uint32 {
	d := h.RoundTrip
	if d == 0 {
		d = defaultRTT
	}
	if e.resends == 0 {
		d /= 2
	} else {
		d *= 2
	}
	return uint32(min(d, maxPause).Milliseconds())
}
