package answer

// Policy says what is accepted of an offer. The zero value of a field means its default.
type Policy struct {
	Audio      []string // codecs, lower case; retransmissions follow their codec
	Video      []string
	Extensions []string // URIs
	SlotsOnly  []string // those of Extensions that are not accepted of a publication; none by default
	Feedback   []string // values of a=rtcp-fb
}

// Limits of an offer. The zero value of a field means its default.
type Limits struct {
	Bytes   int // of the text; default 1 MiB
	Media   int // m-lines; default 250
	Slots   int // default 100
	Layers  int // rids of one m-line; default 3
	Sources int // SSRCs of one m-line; default 32
}

func (l Limits) withDefaults() Limits {
	set := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	set(&l.Bytes, 1<<20)
	set(&l.Media, 250)
	set(&l.Slots, 100)
	set(&l.Layers, 3)
	set(&l.Sources, 32)
	return l
}

// Header extensions by their URIs.
const (
	ExtMID              = "urn:ietf:params:rtp-hdrext:sdes:mid"
	ExtRID              = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
	ExtRepairedRID      = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
	ExtTransportCC      = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
	ExtAbsSendTime      = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
	ExtAbsCaptureTime   = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"
	ExtPlayoutDelay     = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
	ExtAudioLevel       = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
	ExtVideoOrientation = "urn:3gpp:video-orientation"
	ExtDependency       = "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
)

func (p Policy) withDefaults() Policy {
	set := func(v *[]string, d ...string) {
		if *v == nil {
			*v = d
		}
	}
	set(&p.Audio, "opus", "red")
	set(&p.Video, "vp8", "vp9", "av1", "h264", "h265")
	set(&p.Extensions, ExtMID, ExtRID, ExtRepairedRID, ExtTransportCC, ExtAbsSendTime, ExtAbsCaptureTime, ExtPlayoutDelay,
		ExtAudioLevel, ExtVideoOrientation, ExtDependency)
	set(&p.Feedback, "nack", "nack pli", "ccm fir", "transport-cc", "goog-remb")
	return p
}
