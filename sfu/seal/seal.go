// Package seal encrypts SRTP and SRTCP (RFC 3711) that is sent to one peer, and decrypts SRTCP that it sends.
//
// Its nouns: a Sealer encrypts everything that is sent to one peer; GCM is ours, Foreign is pion's, for what only few peers need. A
// Stream is how far one SSRC has come: its sequence numbers have 16 bits, encryption counts on. An Opener decrypts a peer's reports. Who
// uses one of them holds a lock, or is alone: nothing here has one.
package seal

import (
	"errors"

	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

// Extra is how many bytes sealing adds at most: an authentication tag of 16, and 4 for the index of SRTCP.
const Extra = 20

// Errors of a Sealer.
var (
	// ErrExhausted says that so much was encrypted that the keys must not be used any more (RFC 3711 §9.2).
	ErrExhausted = errors.New("seal: the keys are used up, a new connection is needed")
	// ErrBehind says that a packet is from before the begin of its stream: its receiver could not know when it was sent.
	ErrBehind = errors.New("seal: the packet is older than the first one of its stream")
)

// Sealer encrypts what is sent to one peer. There is one in the life of its keys: two would use a nonce twice, which breaks GCM.
type Sealer interface {
	// RTP seals a packet of s, which is the same for all packets of an SSRC. Its header is the first bytes of b, its payload lies
	// elsewhere and is not changed. No sequence number may come twice. The sealed packet is the begin of b, which has room for
	// Extra bytes more than the packet has.
	RTP(s *Stream, b []byte, header int, payload []byte) ([]byte, error)
	// RTCP seals a compound packet into b, which has room for Extra bytes more.
	RTCP(b, plain []byte) ([]byte, error)
}

var (
	_ Sealer = (*GCM)(nil)
	_ Sealer = (*Foreign)(nil)
)

// Stream is how far one SSRC has come. The zero value has sent nothing.
type Stream struct {
	highest uint64 // the number sent last, with those of its 2^16 that are over
	begun   bool
}

// most is the highest number of a stream (RFC 3711 §3.3.1).
const most = 1<<48 - 1

// number continues seq, as the receiver will guess it: what is closest to the highest so far.
func (s *Stream) number(seq uint16) (uint64, error) {
	if !s.begun {
		s.highest, s.begun = uint64(seq), true
		return s.highest, nil
	}
	diff := int64(int16(seq - uint16(s.highest)))
	n := int64(s.highest) + diff
	switch {
	case n < 0:
		return 0, ErrBehind
	case n > most:
		return 0, ErrExhausted
	}
	s.highest = max(s.highest, uint64(n))
	return uint64(n), nil
}

// Foreign seals with a context of pion's.
type Foreign struct {
	Context *srtp.Context

	header rtp.Header // used again for every packet
}

// RTP is part of Sealer. The context knows the streams itself.
func (f *Foreign) RTP(_ *Stream, b []byte, header int, payload []byte) ([]byte, error) {
	n := header + copy(b[header:], payload)
	return f.Context.EncryptRTP(b, b[:n], &f.header)
}

// RTCP is part of Sealer.
func (f *Foreign) RTCP(b, plain []byte) ([]byte, error) { return f.Context.EncryptRTCP(b, plain, nil) }
