// Package codec reads the few bits of an RTP payload that forwarding needs: where a key frame begins, which layer a frame is
// of, and the picture ids that must stay continuous when a stream switches to another source.
//
// Its nouns: a Frame is one picture of one layer. A Picture is the payload descriptor's count of pictures. A Descriptor is the
// dependency descriptor of a packet, read with the Structure of its stream. Redundancy is an RED payload.
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
	H265
	RED // RFC 2198, of Opus
)

// Video says whether it is a codec of video.
func (c Codec) Video() bool {
	switch c {
	case VP8, VP9, H264, AV1, H265:
		return true
	case Unknown, Opus, RED:
	}
	return false
}

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
	case "video/h265":
		return H265
	case "audio/red":
		return RED
	}
	return Unknown
}

// KeyFrame says whether a decoder can start with this packet: every packet of audio, and the first one of a key frame.
func (c Codec) KeyFrame(payload []byte) bool {
	switch c {
	case Opus, RED:
		return true
	case VP8:
		return vp8KeyFrame(payload)
	case VP9:
		return vp9KeyFrame(payload)
	case H264:
		return h264KeyFrame(payload)
	case H265:
		return h265KeyFrame(payload)
	case AV1:
		// N, the first bit of a new coded video sequence: AV1 RTP payload §4.4.
		return len(payload) > 1 && payload[0]&0x08 != 0
	case Unknown:
	}
	return false
}
