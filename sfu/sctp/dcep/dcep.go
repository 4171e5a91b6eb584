// Package dcep is the wire of data channels: the messages that open one (RFC 8832), and the payload protocol ids that say what a
// message is (RFC 8831 §8). It keeps no state.
package dcep

import (
	"encoding/binary"
	"errors"
	"time"
)

// Payload protocol ids.
const (
	Control     uint32 = 50 // a message of this package
	String      uint32 = 51
	Binary      uint32 = 53
	StringEmpty uint32 = 56 // SCTP has no empty messages: one byte is sent, which means nothing
	BinaryEmpty uint32 = 57
)

// Types of messages (RFC 8832 §8.2.1).
const (
	typeAck  = 2
	typeOpen = 3
)

// header is the fixed part of an Open.
const header = 12

// Errors of ParseOpen.
var (
	ErrNotOpen = errors.New("dcep: not a DATA_CHANNEL_OPEN: the first message of a channel is one")
	ErrShort   = errors.New("dcep: the DATA_CHANNEL_OPEN is shorter than it says")
	ErrLong    = errors.New("dcep: the label or protocol is too long: use a shorter one")
	ErrType    = errors.New("dcep: the channel type is none of RFC 8832")
)

// Kind is how reliable a channel is, as the one who opens it wants both directions to be.
type Kind struct {
	Unordered      bool
	Limited        bool // MaxRetransmits counts
	MaxRetransmits uint32
	Lifetime       time.Duration // 0: no limit
}

// Channel types (RFC 8832 §5.1): the low bits, and one for the order.
const (
	reliable    = 0
	retransmits = 1
	timed       = 2
	unordered   = 0x80
)

// Open is a DATA_CHANNEL_OPEN.
type Open struct {
	Kind
	Priority uint16
	Label    string
	Protocol string
}

// ParseOpen reads a DATA_CHANNEL_OPEN whose label and protocol are not longer than limit bytes.
func ParseOpen(b []byte, limit int) (Open, error) {
	if len(b) == 0 || b[0] != typeOpen {
		return Open{}, ErrNotOpen
	}
	if len(b) < header {
		return Open{}, ErrShort
	}
	label, protocol := int(binary.BigEndian.Uint16(b[8:])), int(binary.BigEndian.Uint16(b[10:]))
	if label > limit || protocol > limit {
		return Open{}, ErrLong
	}
	rest := b[header:]
	if len(rest) < label+protocol {
		return Open{}, ErrShort
	}
	o := Open{
		Kind:     Kind{Unordered: b[1]&unordered != 0},
		Priority: binary.BigEndian.Uint16(b[2:]),
		Label:    string(rest[:label]),
		Protocol: string(rest[label : label+protocol]),
	}
	value := binary.BigEndian.Uint32(b[4:])
	switch b[1] &^ unordered {
	case reliable:
	case retransmits:
		o.Limited, o.MaxRetransmits = true, value
	case timed:
		o.Lifetime = max(time.Duration(value)*time.Millisecond, time.Nanosecond) // none at all is a limit, too
	default:
		return Open{}, ErrType
	}
	return o, nil
}

// AppendOpen appends a DATA_CHANNEL_OPEN. Label and Protocol are not longer than 65535 bytes.
func AppendOpen(b []byte, o Open) []byte {
	kind, value := byte(reliable), uint32(0)
	switch {
	case o.Limited:
		kind, value = retransmits, o.MaxRetransmits
	case o.Lifetime > 0:
		kind, value = timed, uint32(o.Lifetime/time.Millisecond)
	}
	if o.Unordered {
		kind |= unordered
	}
	b = append(b, typeOpen, kind)
	b = binary.BigEndian.AppendUint16(b, o.Priority)
	b = binary.BigEndian.AppendUint32(b, value)
	b = binary.BigEndian.AppendUint16(b, uint16(len(o.Label)))
	b = binary.BigEndian.AppendUint16(b, uint16(len(o.Protocol)))
	b = append(b, o.Label...)
	return append(b, o.Protocol...)
}

// AppendAck appends a DATA_CHANNEL_ACK.
func AppendAck(b []byte) []byte { return append(b, typeAck) }

// IsAck says whether a message of Control is a DATA_CHANNEL_ACK.
func IsAck(b []byte) bool { return len(b) > 0 && b[0] == typeAck }
