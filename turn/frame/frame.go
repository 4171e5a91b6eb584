// Package frame reads and writes the TURN messages that carry data: ChannelData (RFC 8656 §12.4), Send and Data
// indications (§11), and it finds the borders of messages in a byte stream (§12.5).
// It works in place on the caller's buffers, allocates nothing and keeps nothing.
package frame

import (
	"encoding/binary"
	"errors"
	"net/netip"
)

// Sizes in bytes.
const (
	// Max is the longest message a client may send: what fits an Ethernet frame, with room for odd MTUs.
	Max = 1600
	// ChannelHeader precedes the payload of ChannelData.
	ChannelHeader = 4
	// Headroom is what has to be free before a payload so that PutChannel and PutData can put their headers there.
	Headroom = stunHeader + 4 + 20 + 4
	// Tailroom is what has to be free behind a payload for padding.
	Tailroom = 3

	stunHeader = 20
)

const (
	magic          = 0x2112A442
	sendIndication = 0x0016
	dataIndication = 0x0017

	attrXORPeerAddress = 0x0012
	attrData           = 0x0013
	attrDontFragment   = 0x001A
	// attributes from here on may be ignored when they are not understood (RFC 8489 §14)
	attrOptional = 0x8000
)

// IsChannel says whether b looks like ChannelData: RFC 7983 gives it the first bytes 64 to 79.
func IsChannel(b []byte) bool { return len(b) >= ChannelHeader && b[0]>>6 == 1 }

// Channel takes ChannelData apart. payload is part of b.
func Channel(b []byte) (number uint16, payload []byte, ok bool) {
	if !IsChannel(b) {
		return 0, nil, false
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	if n > len(b)-ChannelHeader {
		return 0, nil, false
	}
	return binary.BigEndian.Uint16(b), b[ChannelHeader : ChannelHeader+n], true
}

// PutChannel makes ChannelData of the payload buf[at:at+n] and returns the part of buf that is the message.
// Over a stream the message is padded to four bytes (RFC 8656 §12.5), which needs Tailroom.
func PutChannel(buf []byte, at, n int, number uint16, padded bool) []byte {
	start := at - ChannelHeader
	binary.BigEndian.PutUint16(buf[start:], number)
	binary.BigEndian.PutUint16(buf[start+2:], uint16(n)) //nolint:gosec // n is the length of a datagram
	end := at + n
	if padded {
		end = pad(buf, end, n)
	}
	return buf[start:end]
}

// pad clears the bytes behind a payload of n bytes that ends at end, up to the next multiple of four.
func pad(buf []byte, end, n int) int {
	for ; n%4 != 0; n++ {
		buf[end] = 0
		end++
	}
	return end
}

// Send takes a Send indication apart. data is part of b. It is not ok for anything else, and for a Send indication with an
// attribute that must be understood and is not.
func Send(b []byte) (peer netip.AddrPort, data []byte, ok bool) {
	if len(b) < stunHeader || binary.BigEndian.Uint16(b) != sendIndication || binary.BigEndian.Uint32(b[4:]) != magic ||
		int(binary.BigEndian.Uint16(b[2:])) != len(b)-stunHeader {
		return netip.AddrPort{}, nil, false
	}
	found := false
	for rest := b[stunHeader:]; len(rest) > 0; {
		if len(rest) < 4 {
			return netip.AddrPort{}, nil, false
		}
		kind, n := binary.BigEndian.Uint16(rest), int(binary.BigEndian.Uint16(rest[2:]))
		if n > len(rest)-4 {
			return netip.AddrPort{}, nil, false
		}
		value := rest[4 : 4+n]
		switch kind {
		case attrXORPeerAddress:
			if peer, ok = address(value, b); !ok {
				return netip.AddrPort{}, nil, false
			}
		case attrData:
			data, found = value, true
		case attrDontFragment:
		default:
			if kind < attrOptional {
				return netip.AddrPort{}, nil, false
			}
		}
		rest = rest[min(4+(n+3)&^3, len(rest)):]
	}
	return peer, data, found && peer.IsValid()
}

// PeerAddress finds the first XOR-PEER-ADDRESS of a STUN message.
func PeerAddress(b []byte) (netip.AddrPort, bool) {
	v, ok := attribute(b, attrXORPeerAddress)
	if !ok {
		return netip.AddrPort{}, false
	}
	return address(v, b)
}

const attrEvenPort = 0x0018

// EvenPortPair says whether b wants an even port and its neighbour reserved: EVEN-PORT with the R bit (RFC 8656 §18.6).
func EvenPortPair(b []byte) bool {
	v, ok := attribute(b, attrEvenPort)
	return ok && len(v) > 0 && v[0]&0x80 != 0
}

// address decodes an XOR-address (RFC 8489 §14.2); the key is the magic cookie and the transaction id of message.
func address(v, message []byte) (netip.AddrPort, bool) {
	if len(v) < 8 {
		return netip.AddrPort{}, false
	}
	port := binary.BigEndian.Uint16(v[2:]) ^ magic>>16
	key := message[4:stunHeader]
	switch {
	case v[1] == 1 && len(v) == 8:
		var a [4]byte
		xor(a[:], v[4:], key)
		return netip.AddrPortFrom(netip.AddrFrom4(a), port), true
	case v[1] == 2 && len(v) == 20:
		var a [16]byte
		xor(a[:], v[4:], key)
		return netip.AddrPortFrom(netip.AddrFrom16(a).Unmap(), port), true
	}
	return netip.AddrPort{}, false
}

func xor(dst, a, key []byte) {
	for i := range dst {
		dst[i] = a[i] ^ key[i]
	}
}

// PutData makes a Data indication from peer of the payload buf[at:at+n] and returns the part of buf that is the message.
// It needs Headroom before at and Tailroom behind the payload.
func PutData(buf []byte, at, n int, peer netip.AddrPort, transaction [12]byte) []byte {
	family, size := byte(1), 8
	if peer.Addr().Is6() {
		family, size = 2, 20
	}
	start := at - 4 - size - 4 - stunHeader
	end := pad(buf, at+n, n)
	m := buf[start:end]
	binary.BigEndian.PutUint16(m, dataIndication)
	binary.BigEndian.PutUint16(m[2:], uint16(len(m)-stunHeader)) //nolint:gosec // a datagram's length
	binary.BigEndian.PutUint32(m[4:], magic)
	copy(m[8:stunHeader], transaction[:])
	v := m[stunHeader:]
	binary.BigEndian.PutUint16(v, attrXORPeerAddress)
	binary.BigEndian.PutUint16(v[2:], uint16(size)) //nolint:gosec // 8 or 20
	v[4], v[5] = 0, family
	binary.BigEndian.PutUint16(v[6:], peer.Port()^magic>>16)
	if family == 1 {
		a := peer.Addr().As4()
		xor(v[8:12], a[:], m[4:])
	} else {
		a := peer.Addr().As16()
		xor(v[8:24], a[:], m[4:])
	}
	d := v[4+size:]
	binary.BigEndian.PutUint16(d, attrData)
	binary.BigEndian.PutUint16(d[2:], uint16(n)) //nolint:gosec // a datagram's length
	return m
}

// Errors of Length: the stream cannot be read any further.
var (
	ErrNotTURN = errors.New("neither STUN nor ChannelData")
	ErrTooLong = errors.New("message is longer than 1600 bytes")
)

// Length is the length of the message at the start of the stream b, 0 when b is too short to tell.
func Length(b []byte) (int, error) {
	if len(b) < ChannelHeader {
		return 0, nil
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	switch {
	case b[0]>>6 == 0 && n%4 == 0:
		n += stunHeader
	case b[0]>>6 == 1:
		n = ChannelHeader + (n+3)&^3
	default:
		return 0, ErrNotTURN
	}
	if n > Max {
		return 0, ErrTooLong
	}
	if b[0]>>6 == 0 && len(b) >= 8 && binary.BigEndian.Uint32(b[4:]) != magic {
		return 0, ErrNotTURN
	}
	return n, nil
}

const attrChannelNumber = 0x000C

// ChannelNumber is the CHANNEL-NUMBER of a STUN message, 0 when it has none.
func ChannelNumber(b []byte) uint16 {
	if v, ok := attribute(b, attrChannelNumber); ok && len(v) >= 2 {
		return binary.BigEndian.Uint16(v)
	}
	return 0
}

// attribute finds the first attribute of a kind.
func attribute(b []byte, kind uint16) (value []byte, ok bool) {
	if len(b) < stunHeader {
		return nil, false
	}
	for rest := b[stunHeader:]; len(rest) >= 4; {
		n := int(binary.BigEndian.Uint16(rest[2:]))
		if n > len(rest)-4 {
			return nil, false
		}
		if binary.BigEndian.Uint16(rest) == kind {
			return rest[4 : 4+n], true
		}
		rest = rest[min(4+(n+3)&^3, len(rest)):]
	}
	return nil, false
}
