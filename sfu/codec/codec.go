// Package codec reads the few bits of an RTP payload that forwarding needs: where a key frame begins, and the picture ids
// that must stay continuous when a stream switches to another source.
//
// It decodes no picture. Every function takes bytes from the network: whatever they are, it returns.
package codec

import "strings"

// Codec of a stream.
type Codec uint8

// The codecs that are forwarded. Unknown ones are not.
const (
	Unknown Codec = iota
	Opus
	VP8
	VP9
	H264
	AV1
)

// FromMime finds the codec of a media type such as "video/VP8", in any case.
func FromMime(mime string) Codec {
	switch strings.ToLower(mime) {
	case "audio/opus":
		return Opus
	case "video/vp8":
		return VP8
	case "video/vp9":
		return VP9
	case "video/h264":
		return H264
	case "video/av1":
		return AV1
	}
	return Unknown
}

// KeyFrame says whether a decoder can start with this packet: every packet of audio, and the first one of a key frame.
func (c Codec) KeyFrame(payload []byte) bool {
	switch c {
	case Opus:
		return true
	case VP8:
		return vp8KeyFrame(payload)
	case VP9:
		return vp9KeyFrame(payload)
	case H264:
		return h264KeyFrame(payload)
	case AV1:
		// N, the first bit of a new coded video sequence: AV1 RTP payload §4.4.
		return len(payload) > 1 && payload[0]&0x08 != 0
	case Unknown:
	}
	return false
}

// Types of H.264 NAL units, RFC 6184 §5.2.
const (
	nalIDR   = 5
	nalSPS   = 7
	nalSTAPA = 24
	nalFUA   = 28
)

// h264KeyFrame finds a parameter set or the first slice of an IDR picture. Encoders repeat the parameter sets in front of
// every IDR picture, so the first of the two is where a decoder starts.
func h264KeyFrame(b []byte) bool {
	if len(b) < 2 {
		return false
	}
	switch b[0] & 0x1f {
	case nalSPS, nalIDR:
		return true
	case nalFUA: // header: start bit, end bit, reserved bit, type
		return b[1]&0x80 != 0 && b[1]&0x1f == nalIDR
	case nalSTAPA:
		for b = b[1:]; len(b) > 2; {
			size := int(b[0])<<8 | int(b[1])
			if t := b[2] & 0x1f; t == nalSPS || t == nalIDR {
				return true
			}
			if 2+size >= len(b) {
				return false
			}
			b = b[2+size:]
		}
	}
	return false
}
