package ws

import "encoding/binary"

// Frame is one message as it is on the wire: whole and not masked, as a server sends it (RFC 6455 §5.2). It can be shared by
// many Conns, so nobody may change it.
type Frame []byte

// The opcodes (RFC 6455 §5.2), with the bit that says that a frame is a whole message.
const (
	opText   = 0x80 | 1
	opBinary = 0x80 | 2
	opPing   = 0x80 | 9
	opPong   = 0x80 | 10
)

// maxHeader is the size of the largest header: opcode, and a length of 64 bits behind a mark.
const maxHeader = 10

// Binary makes the frame of a binary message, whose parts follow each other.
func Binary(parts ...[]byte) Frame {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	f := appendHeader(make([]byte, 0, maxHeader+size), opBinary, size)
	for _, p := range parts {
		f = append(f, p...)
	}
	return f
}

// The marks in a header's second byte: the length follows in 16, or in 64 bits.
const (
	length16 = 126
	length64 = 127
)

func appendHeader(b []byte, op byte, size int) []byte {
	switch {
	case size < length16:
		return append(b, op, byte(size))
	case size < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, op, length16), uint16(size))
	default:
		return binary.BigEndian.AppendUint64(append(b, op, length64), uint64(size))
	}
}

func appendFrame(b []byte, op byte, payload []byte) []byte {
	return append(appendHeader(b, op, len(payload)), payload...)
}

// Payload is the message that the frame holds.
func (f Frame) Payload() []byte {
	switch f[1] {
	case length16:
		return f[4:]
	case length64:
		return f[maxHeader:]
	default:
		return f[2:]
	}
}

// frameLen is the size of the frame that b begins with, one that appendHeader has begun.
func frameLen(b []byte) int {
	switch b[1] {
	case length16:
		return 4 + int(binary.BigEndian.Uint16(b[2:]))
	case length64:
		return maxHeader + int(binary.BigEndian.Uint64(b[2:]))
	default:
		return 2 + int(b[1])
	}
}
