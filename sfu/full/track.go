package full

import (
	"errors"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"github.com/turnout-rtc/turnout/sfu/link"
	"github.com/turnout-rtc/turnout/sfu/receive"
	"github.com/turnout-rtc/turnout/sfu/report"
)

// Track is one incoming stream.
type Track struct {
	// Set at construction, never changed.
	stream   link.Stream
	peer     *Peer
	remote   *webrtc.TrackRemote
	receiver *webrtc.RTPReceiver
}

func newTrack(p *Peer, t *webrtc.TrackRemote, r *webrtc.RTPReceiver) *Track {
	s := link.Stream{RID: t.RID(), Video: t.Kind() == webrtc.RTPCodecTypeVideo}
	if tr := r.RTPTransceiver(); tr != nil {
		s.MID = tr.Mid()
	}
	for _, e := range r.GetParameters().HeaderExtensions {
		switch e.URI {
		case sdp.AudioLevelURI:
			s.AudioLevelID = uint8(e.ID)
		case descriptorURI:
			s.DescriptorID = uint8(e.ID)
		}
	}
	return &Track{stream: s, peer: p, remote: t, receiver: r}
}

// Stream says what the track is.
func (t *Track) Stream() link.Stream { return t.stream }

// Start reads the track until it ends. Reports are of use for layers only: their timestamps have to be compared.
func (t *Track) Start(s link.Sink) {
	t.peer.start(func() { t.read(s) })
	if t.stream.RID != "" {
		t.peer.start(func() { t.readReports(s) })
	}
}

func (t *Track) readReports(s link.Sink) {
	for {
		packets, _, err := t.receiver.ReadSimulcastRTCP(t.stream.RID)
		if err != nil {
			return
		}
		for _, p := range packets {
			if r, ok := p.(*rtcp.SenderReport); ok {
				s.SenderReport(report.NTP(r.NTPTime), r.RTPTime)
			}
		}
	}
}

func (t *Track) read(s link.Sink) {
	buf := make([]byte, link.MTU)
	one := make([][]byte, 1)
	for {
		n, _, err := t.remote.Read(buf)
		switch {
		case errors.Is(err, webrtc.ErrCodecNotFound):
			// The packet goes on, and is counted where it is dropped for its payload type.
		case err != nil:
			s.Ended()
			return
		}
		one[0] = buf[:n]
		s.Packets(time.Now(), one, nil)
	}
}

// Codec of a payload type, the zero Codec if it was not negotiated.
func (t *Track) Codec(payloadType uint8) link.Codec {
	for _, c := range t.receiver.GetParameters().Codecs {
		if uint8(c.PayloadType) == payloadType {
			return link.Codec{Mime: c.MimeType, Fmtp: c.SDPFmtpLine, ClockRate: c.ClockRate}
		}
	}
	return link.Codec{}
}

// RequestKeyFrame sends a picture loss indication (RFC 4585 §6.3.1).
func (t *Track) RequestKeyFrame() error {
	return t.peer.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(t.remote.SSRC())}})
}

// RequestAgain sends a generic NACK (RFC 4585 §6.2.1).
func (t *Track) RequestAgain(lost []receive.Pair, _ *link.Outlet) error {
	pairs := make([]rtcp.NackPair, 0, len(lost))
	for _, l := range lost {
		pairs = append(pairs, rtcp.NackPair{PacketID: l.ID, LostPackets: rtcp.PacketBitmap(l.Mask)})
	}
	return t.peer.pc.WriteRTCP([]rtcp.Packet{&rtcp.TransportLayerNack{MediaSSRC: uint32(t.remote.SSRC()), Nacks: pairs}})
}
