// Package demux says what a datagram is and whose it is.
//
// Its nouns: the Kind of a datagram by its first bytes (RFC 7983, RFC 5761), the Binding request of a STUN message, and the
// Table that knows which owner a ufrag belongs to and which paths an owner's authenticated requests came from.
//
// It does no I/O, takes no lock and never reads the clock. It authenticates nothing: whoever calls Table.Bind has done so.
package demux

// Kind of a datagram.
type Kind uint8

// The kinds that share one port (RFC 7983 §7).
const (
	Unknown Kind = iota // ZRTP, QUIC and noise
	STUN
	DTLS
	RTP
	RTCP
	Channel // ChannelData of TURN (RFC 8656 §12.4)
)

// String is the name for counters.
func (k Kind) String() string {
	switch k {
	case STUN:
		return "stun"
	case DTLS:
		return "dtls"
	case RTP:
		return "rtp"
	case RTCP:
		return "rtcp"
	case Channel:
		return "channel"
	default:
		return "unknown"
	}
}

// Classify looks at the first two bytes. What is too short for the header of its kind is Unknown.
func Classify(b []byte) Kind {
	const (
		dtlsRecordHeader = 13 // RFC 6347 §4.1
		rtpHeader        = 12 // RFC 3550 §5.1
		rtcpHeader       = 8  // RFC 3550 §6.4.2, an empty receiver report
		channelHeader    = 4  // RFC 8656 §12.4
	)
	switch {
	case len(b) >= channelHeader && b[0] >= 0x40 && b[0] <= 0x7F: // RFC 5766 §11, which clients follow still; RFC 8656: to 0x4F
		return Channel
	case len(b) < rtcpHeader:
		return Unknown
	case b[0] < 4 && len(b) >= stunHeader:
		return STUN
	case b[0] >= 20 && b[0] < 64 && len(b) >= dtlsRecordHeader:
		return DTLS
	case b[0] < 128 || b[0] >= 192:
		return Unknown
	case b[1] >= 192 && b[1] < 224: // RFC 5761 §4
		return RTCP
	case len(b) >= rtpHeader:
		return RTP
	}
	return Unknown
}
