package forward

import (
	"time"

	"github.com/turnout-rtc/turnout/sfu/codec"
	"github.com/turnout-rtc/turnout/sfu/packet"
)

// Limits of retransmission: what is asked for more often is most likely lost for another reason, and answering a flood
// would make it worse.
const (
	maxResends     = 3
	resendInterval = 40 * time.Millisecond // requests within about a round trip mean the same loss
	historySize    = 512                   // packets: 1 s of video at 500 packets a second; a power of two
)

// Sent remembers one packet as it was sent. There are many of them: it has 40 bytes.
type Sent struct {
	format      *Format
	n           uint64 // the packet's number at its source
	timestamp   uint32
	counters    codec.Counters
	seq         uint16
	hasCounters bool
	empty       bool // sent without its payload

	resends uint8
	last    uint32 // ms since the begin of the History
}

// Packet appends the packet that s was made of to dst, as it came from its publisher, if it is still there.
func (s *Sent) Packet(dst []byte) ([]byte, bool) {
	if s.format.Ring == nil {
		return dst, false
	}
	return s.format.Ring.Get(s.n, dst)
}

// rebuild makes the packet that s stands for out of p, the packet it was made of.
func (s *Sent) rebuild(p *packet.Packet, scratch []byte) Out {
	out := Out{
		Marker:      p.Marker,
		PayloadType: s.format.PayloadType,
		Seq:         s.seq,
		Timestamp:   s.timestamp,
		Payload:     p.Payload,
		Descriptor:  p.Extension(s.format.DescriptorID),
		Extensions:  s.format.Extensions.read(p),
	}
	if s.empty {
		out.Marker, out.Payload = false, nil
	} else if s.hasCounters {
		out.Payload = s.appendPayload(scratch, p)[len(scratch):]
	}
	return out
}

// appendPayload appends the payload of p to dst, with the counters it is sent with.
func (s *Sent) appendPayload(dst []byte, p *packet.Packet) []byte {
	if s.empty {
		return dst
	}
	if s.hasCounters {
		if pic, ok := s.format.Codec.ReadPicture(p.Payload); ok {
			return codec.AppendPicture(dst, p.Payload, &pic, s.counters)
		}
	}
	return append(dst, p.Payload...)
}

// Retransmission makes the RTX packet (RFC 4588 §4) number seq for s out of p, the packet it was made of. Its payload is
// appended to scratch.
func (s *Sent) Retransmission(p *packet.Packet, seq uint16, scratch []byte) Out {
	body := append(scratch, byte(s.seq>>8), byte(s.seq)) //nolint:gocritic // the original sequence number goes first
	body = s.appendPayload(body, p)
	return Out{
		Marker:      p.Marker,
		PayloadType: s.format.RTXPayloadType,
		Seq:         seq,
		Timestamp:   s.timestamp,
		Payload:     body[len(scratch):],
		Descriptor:  p.Extension(s.format.DescriptorID),
		Extensions:  s.format.Extensions.read(p),
	}
}

// History holds the newest packets of one outgoing stream by sequence number. The zero value is ready; memory is taken with
// the first packet.
type History struct {
	entries []Sent
	begin   time.Time
}

// Add remembers s, sent now.
func (h *History) Add(now time.Time, s Sent) {
	if h.entries == nil {
		h.entries, h.begin = make([]Sent, historySize), now
	}
	s.resends, s.last = 0, h.since(now)
	h.entries[s.seq%historySize] = s
}

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
)

// Resend looks up what the receiver asks for by its sequence number, and counts it as sent again now.
func (h *History) Resend(now time.Time, seq uint16) (Sent, Refusal) {
	if h.entries == nil {
		return Sent{}, Unknown
	}
	e := &h.entries[seq%historySize]
	switch {
	case e.format == nil || e.seq != seq:
		return Sent{}, Unknown
	case e.format.RTXPayloadType == 0:
		return Sent{}, NoRTX
	case e.resends >= maxResends:
		return Sent{}, TooOften
	case h.since(now)-e.last < uint32(resendInterval.Milliseconds()):
		return Sent{}, TooSoon
	}
	e.resends++
	e.last = h.since(now)
	return *e, Granted
}
