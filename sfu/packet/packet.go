// Package packet reads RTP packets and remembers the newest of them.
//
// Its nouns: a Packet is a datagram with its header read. An Unwrapper turns 16-bit sequence numbers into 64-bit ones that
// never wrap. A Window tells packets seen before from new ones. A Ring keeps the newest packets of one stream for
// retransmission.
//
// Nothing here starts a goroutine, does I/O or reads the clock.
package packet

import (
	"encoding/binary"
	"errors"
)

// ErrMalformed is what Parse returns for bytes that are no RTP packet.
var ErrMalformed = errors.New("packet: not an RTP packet")

const headerSize = 12 // RFC 3550 §5.1, without CSRCs

// Profiles of header extensions, RFC 8285 §4.2 and §4.3.
const (
	profileOneByte     = 0xBEDE
	profileTwoByte     = 0x1000 // the low 4 bits are "appbits"
	profileTwoByteMask = 0xFFF0
)

// Packet is one RTP packet (RFC 3550 §5.1). Payload and what Extension returns point into the bytes given to Parse.
type Packet struct {
	Marker      bool
	PayloadType uint8
	Seq         uint16
	Timestamp   uint32
	SSRC        uint32
	Payload     []byte // without padding; empty for a packet of nothing but padding

	profile    uint16
	extensions []byte
}

// Parse reads b, which must stay as it is for as long as p is used. It allocates nothing.
func (p *Packet) Parse(b []byte) error {
	if len(b) < headerSize || b[0]>>6 != 2 {
		return ErrMalformed
	}
	end := len(b)
	if b[0]&0x20 != 0 {
		padding := int(b[end-1])
		if padding == 0 || padding > end-headerSize {
			return ErrMalformed
		}
		end -= padding
	}
	at := headerSize + 4*int(b[0]&0x0f)
	*p = Packet{
		Marker:      b[1]&0x80 != 0,
		PayloadType: b[1] & 0x7f,
		Seq:         binary.BigEndian.Uint16(b[2:]),
		Timestamp:   binary.BigEndian.Uint32(b[4:]),
		SSRC:        binary.BigEndian.Uint32(b[8:]),
	}
	if b[0]&0x10 != 0 {
		if at+4 > end {
			return ErrMalformed
		}
		p.profile = binary.BigEndian.Uint16(b[at:])
		size := 4 * int(binary.BigEndian.Uint16(b[at+2:]))
		at += 4
		if at+size > end {
			return ErrMalformed
		}
		p.extensions = b[at : at+size]
		at += size
	}
	if at > end {
		return ErrMalformed
	}
	p.Payload = b[at:end]
	return nil
}

// Extension returns the data of the header extension id, nil when there is none. An id of 0 is never found.
func (p *Packet) Extension(id uint8) []byte {
	switch {
	case id == 0 || len(p.extensions) == 0:
		return nil
	case p.profile == profileOneByte:
		return oneByte(p.extensions, id)
	case p.profile&profileTwoByteMask == profileTwoByte:
		return twoByte(p.extensions, id)
	}
	return nil
}

// oneByte searches elements of RFC 8285 §4.2: 4 bits of id, 4 bits of length less one.
func oneByte(b []byte, id uint8) []byte {
	for len(b) > 0 {
		if b[0] == 0 { // padding
			b = b[1:]
			continue
		}
		found, size := b[0]>>4, int(b[0]&0x0f)+1
		if found == 15 || 1+size > len(b) { // 15 ends the list
			return nil
		}
		if found == id {
			return b[1 : 1+size]
		}
		b = b[1+size:]
	}
	return nil
}

// twoByte searches elements of RFC 8285 §4.3: a byte of id, a byte of length.
func twoByte(b []byte, id uint8) []byte {
	for len(b) > 0 {
		if b[0] == 0 { // padding
			b = b[1:]
			continue
		}
		if len(b) < 2 || 2+int(b[1]) > len(b) {
			return nil
		}
		if b[0] == id {
			return b[2 : 2+int(b[1])]
		}
		b = b[2+int(b[1]):]
	}
	return nil
}
