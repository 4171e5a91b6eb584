// Package rtcp reads and writes RTCP compound packets (RFC 3550 §6) without allocating.
//
// Its nouns: a Packet is one of a compound; its methods read what its type holds. The Append functions write one each. A
// packet of a type that is not known here is skipped, one that lies about its size ends the compound.
package rtcp

import (
	"encoding/binary"
	"errors"
)

// ErrMalformed is what Next returns for bytes that are no RTCP packet.
var ErrMalformed = errors.New("rtcp: not an RTCP packet")

// Type of a packet.
type Type uint8

// The types of RFC 3550 §12.1, RFC 4585 §6.1 and RFC 3611 §2 that are read or written.
const (
	TypeSenderReport   Type = 200
	TypeReceiverReport Type = 201
	TypeDescription    Type = 202
	TypeTransport      Type = 205 // feedback about the transport
	TypePayload        Type = 206 // feedback about what is carried
	TypeExtended       Type = 207
)

// Formats of feedback.
const (
	FormatNACK              = 1  // of TypeTransport, RFC 4585 §6.2.1
	FormatTransportFeedback = 15 // of TypeTransport, draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1
	FormatPLI               = 1  // of TypePayload, RFC 4585 §6.3.1
	FormatFIR               = 4  // of TypePayload, RFC 5104 §4.3.1
	FormatApplication       = 15 // of TypePayload: REMB, draft-alvestrand-rmcat-remb-03
)

const headerSize = 4

// Packet is one packet of a compound. Its bytes belong to the compound.
type Packet struct {
	Type  Type
	Count uint8 // of blocks, or the format of feedback: 5 bits
	body  []byte
}

// Next takes the first packet off b, and returns what follows it.
func Next(b []byte) (p Packet, rest []byte, err error) {
	if len(b) < headerSize || b[0]>>6 != 2 {
		return Packet{}, nil, ErrMalformed
	}
	size := headerSize + 4*int(binary.BigEndian.Uint16(b[2:]))
	if size > len(b) {
		return Packet{}, nil, ErrMalformed
	}
	body := b[headerSize:size]
	if b[0]&0x20 != 0 {
		if len(body) == 0 || int(body[len(body)-1]) > len(body) || body[len(body)-1] == 0 {
			return Packet{}, nil, ErrMalformed
		}
		body = body[:len(body)-int(body[len(body)-1])]
	}
	return Packet{Type: Type(b[1]), Count: b[0] & 0x1f, body: body}, b[size:], nil
}

// Sender is the SSRC of who made the packet, 0 for none.
func (p Packet) Sender() uint32 { return p.word(0) }

// Media is the SSRC that feedback is about.
func (p Packet) Media() uint32 { return p.word(4) }

// word reads 32 bits, 0 where there are none.
func (p Packet) word(at int) uint32 {
	if at+4 > len(p.body) {
		return 0
	}
	return binary.BigEndian.Uint32(p.body[at:])
}

// begin appends a header whose length is filled in by end.
func begin(dst []byte, count uint8, t Type, sender uint32) []byte {
	dst = append(dst, 0x80|count, byte(t), 0, 0)
	return binary.BigEndian.AppendUint32(dst, sender)
}

// end pads the packet that starts at start to whole words and fills in its length.
func end(dst []byte, start int) []byte {
	if pad := (4 - (len(dst)-start)%4) % 4; pad > 0 {
		for range pad - 1 {
			dst = append(dst, 0)
		}
		dst = append(dst, byte(pad))
		dst[start] |= 0x20
	}
	binary.BigEndian.PutUint16(dst[start+2:], uint16((len(dst)-start)/4-1))
	return dst
}
