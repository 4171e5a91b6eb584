// Package demux tells from the first bytes of a datagram or a stream for whom it is, so that STUN, TURN and media share
// one UDP port (RFC 7983), and TURN and HTTP share one TCP port. It keeps nothing.
package demux

import "encoding/binary"

// Kind is for whom bytes are.
type Kind uint8

// Kinds.
const (
	Unknown Kind = iota // for nobody; drop it
	ICE                 // a STUN message of an ICE agent: a connectivity check or an answer to one
	TURN                // a STUN message to the TURN server, a STUN Binding without an ICE user, or ChannelData
	DTLS
	SRTP // SRTP or SRTCP
	TLS  // streams only: a TLS handshake
	HTTP // streams only: whatever is nothing of the others
)

var names = [...]string{"unknown", "ice", "turn", "dtls", "srtp", "tls", "http"}

func (k Kind) String() string { return names[k] }

const (
	stunHeader   = 20
	magic        = 0x2112A442
	attrUsername = 0x0006
	attrPriority = 0x0024 // an ICE check has it (RFC 8445 §7.1.1)
)

// Datagram classifies a datagram by its first byte (RFC 7983 §7), and STUN by whom it speaks to.
func Datagram(b []byte) Kind {
	if len(b) < 4 {
		return Unknown
	}
	switch first := b[0]; {
	case first <= 3:
		return message(b)
	case first >= 20 && first <= 63:
		return DTLS
	case first >= 64 && first <= 127: // RFC 5766, which most clients follow, has channels up to 0x7FFF; RFC 8656 up to 0x4FFF
		return TURN
	case first >= 128 && first <= 191:
		return SRTP
	}
	return Unknown
}

// message classifies STUN. Only Binding is spoken by ICE. A Binding request that names a user is a connectivity check; an
// answer to a Binding request answers one of ours. What TURN clients send is never an answer.
func message(b []byte) Kind {
	if len(b) < stunHeader || binary.BigEndian.Uint32(b[4:]) != magic ||
		int(binary.BigEndian.Uint16(b[2:])) != len(b)-stunHeader {
		return Unknown
	}
	kind := binary.BigEndian.Uint16(b)
	const (
		binding = 0x0001
		class   = 0x0110
	)
	switch {
	case kind&^class != binding:
		return TURN
	case kind == binding && !has(b, attrUsername, attrPriority):
		return TURN
	}
	return ICE
}

func has(b []byte, kinds ...uint16) bool {
	for rest := b[stunHeader:]; len(rest) >= 4; {
		for _, k := range kinds {
			if binary.BigEndian.Uint16(rest) == k {
				return true
			}
		}
		n := int(binary.BigEndian.Uint16(rest[2:]))
		rest = rest[min(4+(n+3)&^3, len(rest)):]
	}
	return false
}

// StreamBytes are how many bytes Stream needs at most to decide.
const StreamBytes = 10

// Stream classifies a stream by its first bytes, in the clear or inside TLS. With fewer than StreamBytes it may not know yet
// (more is true): ask again with what else has come.
//
// TLS starts with 22. TURN starts with a STUN message, whose magic cookie is at byte 4; ICE-TCP puts a length of two bytes
// before it (RFC 4571). ChannelData never comes first. Everything else is taken for HTTP, which can say no itself.
func Stream(b []byte) (k Kind, more bool) {
	switch {
	case len(b) == 0:
		return Unknown, true
	case b[0] == 22:
		return TLS, false
	case b[0] > 3:
		return HTTP, false
	case len(b) < StreamBytes:
		return Unknown, true
	case binary.BigEndian.Uint32(b[4:]) == magic:
		return TURN, false
	case binary.BigEndian.Uint32(b[6:]) == magic:
		return ICE, false
	}
	return Unknown, false
}
