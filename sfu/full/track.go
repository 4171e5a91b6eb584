package full

import (
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"github.com/turnout-rtc/turnout/sfu/receive"
)

// Codec of a stream, as negotiated.
type Codec struct {
	Mime      string
	Fmtp      string
	ClockRate uint32
}

// Track is one incoming stream: a layer, when its m-line is simulcast.
type Track struct {
	MID          string
	RID          string // "" without simulcast
	Video        bool
	AudioLevelID uint8 // header extensions of its packets, 0 for none
	DescriptorID uint8

	peer   *Peer
	remote *webrtc.TrackRemote
}

func newTrack(p *Peer, t *webrtc.TrackRemote, r *webrtc.RTPReceiver) *Track {
	track := &Track{peer: p, RID: t.RID(), Video: t.Kind() == webrtc.RTPCodecTypeVideo, remote: t}
	if tr := r.RTPTransceiver(); tr != nil {
		track.MID = tr.Mid()
	}
	for _, e := range r.GetParameters().HeaderExtensions {
		switch e.URI {
		case sdp.AudioLevelURI:
			track.AudioLevelID = uint8(e.ID) //nolint:gosec // 1 to 255, RFC 8285 §4
		case descriptorURI:
			track.DescriptorID = uint8(e.ID) //nolint:gosec // likewise
		}
	}
	return track
}

// Read reads one RTP packet. What came as a retransmission looks like the original.
func (t *Track) Read(b []byte) (int, error) {
	n, _, err := t.remote.Read(b)
	return n, err
}

// Codec of the packet read last.
func (t *Track) Codec() Codec {
	c := t.remote.Codec()
	return Codec{Mime: c.MimeType, Fmtp: c.SDPFmtpLine, ClockRate: c.ClockRate}
}

// SSRC of the stream.
func (t *Track) SSRC() uint32 { return uint32(t.remote.SSRC()) }

// RequestAgain asks for lost packets of the stream.
func (t *Track) RequestAgain(lost []receive.Pair) error { return t.peer.RequestAgain(t.SSRC(), lost) }
