package rtcp

import (
	"encoding/binary"
	"time"
)

// Units of transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1).
const (
	deltaUnit     = 250 * time.Microsecond
	referenceUnit = 64 * time.Millisecond
)

// Symbols of a packet's status, §3.1.1.
const (
	symbolSmallDelta = 1 // 0 to 63.75 ms, one byte
	symbolLargeDelta = 2 // two bytes, with a sign
)

// TransportFeedback tells which packets of a transport arrived, and when.
type TransportFeedback struct {
	First     uint16        // number of the first packet it is about
	Count     int           // of packets
	Number    uint8         // of the feedback
	Reference time.Duration // by the receiver's clock, modulo 2^24 × 64 ms

	chunks []byte // and the deltas behind them
}

// TransportFeedback reads feedback of that format.
func (p Packet) TransportFeedback() (f TransportFeedback, ok bool) {
	const size = feedbackSize + 8
	if !p.Is(TypeTransport, FormatTransportFeedback) || len(p.body) < size {
		return f, false
	}
	w := p.word(feedbackSize + 4)
	return TransportFeedback{
		First:     binary.BigEndian.Uint16(p.body[feedbackSize:]),
		Count:     int(binary.BigEndian.Uint16(p.body[feedbackSize+2:])),
		Number:    uint8(w),
		Reference: time.Duration(w>>8) * referenceUnit,
		chunks:    p.body[size:],
	}, true
}

// Arrival is the fate of one packet.
type Arrival struct {
	Number   uint16
	Received bool
	At       time.Duration // from Reference's zero; nothing for what was not received
}

// Each calls yield for every packet in order, until it returns false. It returns false when the feedback does not hold what it
// says; what was yielded before may be believed.
func (f TransportFeedback) Each(yield func(Arrival) bool) bool {
	deltas, ok := f.deltas()
	if !ok {
		return false
	}
	a := Arrival{Number: f.First, At: f.Reference}
	for left, chunks := f.Count, f.chunks; left > 0; chunks = chunks[2:] {
		c := chunk(binary.BigEndian.Uint16(chunks))
		for i := range min(c.len(), left) {
			symbol := c.symbol(i)
			a.Received = symbol == symbolSmallDelta || symbol == symbolLargeDelta
			switch {
			case symbol == symbolSmallDelta && len(deltas) >= 1:
				a.At += time.Duration(deltas[0]) * deltaUnit
				deltas = deltas[1:]
			case symbol == symbolLargeDelta && len(deltas) >= 2:
				a.At += time.Duration(int16(binary.BigEndian.Uint16(deltas))) * deltaUnit
				deltas = deltas[2:]
			case a.Received:
				return false
			}
			if !yield(a) {
				return true
			}
			a.Number++
		}
		left -= c.len()
	}
	return true
}

// deltas begin behind the chunks, whose number only their contents tell.
func (f TransportFeedback) deltas() ([]byte, bool) {
	b := f.chunks
	for left := f.Count; left > 0; b = b[2:] {
		if len(b) < 2 {
			return nil, false
		}
		n := chunk(binary.BigEndian.Uint16(b)).len()
		if n == 0 {
			return nil, false
		}
		left -= n
	}
	return b, true
}

// chunk is a run of one symbol, or a vector of 14 symbols of one bit, or of 7 of two (§3.1.2 to §3.1.4).
type chunk uint16

func (c chunk) len() int {
	switch {
	case c>>15 == 0:
		return int(c & 0x1fff)
	case c>>14 == 0b10:
		return 14
	}
	return 7
}

func (c chunk) symbol(i int) uint8 {
	switch {
	case c>>15 == 0:
		return uint8(c >> 13 & 3)
	case c>>14 == 0b10:
		return uint8(c >> (13 - i) & 1)
	}
	return uint8(c >> (12 - 2*i) & 3)
}

// BeginTransportFeedback appends the head of feedback; its body follows, and then FinishTransportFeedback of what began at
// len(dst).
func BeginTransportFeedback(dst []byte, sender, media uint32) []byte {
	return appendFeedback(dst, TypeTransport, FormatTransportFeedback, sender, media)
}

// FinishTransportFeedback pads the feedback that began at start, and fills in its length.
func FinishTransportFeedback(dst []byte, start int) []byte { return end(dst, start) }
