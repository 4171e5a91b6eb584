package rtcp

import (
	"encoding/binary"
	"math/bits"

	"github.com/turnout-rtc/turnout/sfu/receive"
)

// feedbackSize is what stands in front of every feedback: who says it, about what.
const feedbackSize = 8

// Is says whether the packet is feedback of a format.
func (p Packet) Is(t Type, format uint8) bool {
	return p.Type == t && p.Count == format && len(p.body) >= feedbackSize
}

// NACK reads the pair number i of a generic NACK. ok is false beyond the last one.
func (p Packet) NACK(i int) (pair receive.Pair, ok bool) {
	at := feedbackSize + 4*i
	if at+4 > len(p.body) {
		return receive.Pair{}, false
	}
	w := p.word(at)
	return receive.Pair{ID: uint16(w >> 16), Mask: uint16(w)}, true
}

// FIR reads the entry number i of a full intra request: the stream that is meant, and a number that is the same in a repeat.
func (p Packet) FIR(i int) (ssrc uint32, number uint8, ok bool) {
	at := feedbackSize + 8*i
	if at+8 > len(p.body) {
		return 0, 0, false
	}
	return p.word(at), p.body[at+4], true
}

// remb marks application feedback as a receiver's estimate of the bandwidth.
const remb = "REMB"

// REMB reads a receiver's estimate of the bandwidth, in bits per second.
func (p Packet) REMB() (rate uint64, ok bool) {
	const size = feedbackSize + 8
	if !p.Is(TypePayload, FormatApplication) || len(p.body) < size || string(p.body[8:12]) != remb {
		return 0, false
	}
	w := p.word(12)
	exponent, mantissa := w>>18&0x3f, uint64(w&0x3ffff)
	if bits.Len64(mantissa)+int(exponent) > 63 {
		return 1<<63 - 1, true // more than can be: no limit
	}
	return mantissa << exponent, true
}

// AppendNACK appends a generic NACK.
func AppendNACK(dst []byte, sender, media uint32, lost []receive.Pair) []byte {
	start := len(dst)
	dst = appendFeedback(dst, TypeTransport, FormatNACK, sender, media)
	for _, l := range lost {
		dst = binary.BigEndian.AppendUint16(dst, l.ID)
		dst = binary.BigEndian.AppendUint16(dst, l.Mask)
	}
	return end(dst, start)
}

// AppendPLI appends a picture loss indication.
func AppendPLI(dst []byte, sender, media uint32) []byte {
	return end(appendFeedback(dst, TypePayload, FormatPLI, sender, media), len(dst))
}

// AppendFIR appends a full intra request. The number rises with every new request.
func AppendFIR(dst []byte, sender, media uint32, number uint8) []byte {
	start := len(dst)
	dst = appendFeedback(dst, TypePayload, FormatFIR, sender, 0) // §4.3.1.2: the media is in the entries
	dst = binary.BigEndian.AppendUint32(dst, media)
	return end(append(dst, number, 0, 0, 0), start)
}

// AppendREMB appends an estimate of the bandwidth for all of media together, in bits per second.
func AppendREMB(dst []byte, sender uint32, rate uint64, media []uint32) []byte {
	media = media[:min(len(media), 255)]
	exponent := max(bits.Len64(rate)-18, 0)
	start := len(dst)
	dst = appendFeedback(dst, TypePayload, FormatApplication, sender, 0)
	dst = append(dst, remb...)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(media))<<24|uint32(exponent)<<18|uint32(rate>>exponent))
	for _, ssrc := range media {
		dst = binary.BigEndian.AppendUint32(dst, ssrc)
	}
	return end(dst, start)
}

func appendFeedback(dst []byte, t Type, format uint8, sender, media uint32) []byte {
	return binary.BigEndian.AppendUint32(begin(dst, format, t, sender), media)
}
