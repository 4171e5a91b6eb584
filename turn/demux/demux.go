// Package demux tells from the first bytes of a stream for whom it is, so that TLS, TURN, ICE and HTTP share one TCP port. It
// keeps nothing. Whose a datagram is, sfu/demux says.
package demux

import "encoding/binary"

// Kind is for whom a stream is.
type Kind uint8

// Kinds.
const (
	Unknown Kind = iota // for nobody, or not known yet
	ICE                 // ICE over TCP (RFC 6544)
	TURN
	TLS  // a TLS handshake
	HTTP // whatever is nothing of the others
)

// magic is the cookie of STUN (RFC 8489 §5).
const magic = 0x2112A442

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
