package full

import (
	"fmt"
	"strings"
	"sync"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"github.com/turnout-rtc/turnout/sfu/forward"
	"github.com/turnout-rtc/turnout/sfu/link"
)

// Sender is one slot's outgoing stream. It has one SSRC for ever, and one more for retransmissions.
type Sender struct {
	// Set at construction, never changed.
	peer    *Peer
	slot    link.Slot
	headers sync.Pool // of *rtp.Header

	// Set by bindTo, before the sender is handed out.
	sender *webrtc.RTPSender
	mid    []byte
	codecs []webrtc.RTPCodecParameters

	// Set by Bind, which pion calls before bindTo.
	context      webrtc.TrackLocalContext
	out          webrtc.TrackLocalWriter
	midID        uint8
	audioLevelID uint8
	descriptorID uint8
}

func newSender(p *Peer, slot link.Slot) *Sender {
	return &Sender{peer: p, slot: slot, headers: sync.Pool{New: func() any { return new(rtp.Header) }}}
}

// bindTo takes what was negotiated. The codecs of the context are only the first one; the real ones are the transceiver's.
func (s *Sender) bindTo(sender *webrtc.RTPSender, mid string) {
	s.sender, s.mid = sender, []byte(mid)
	s.codecs = sender.GetParameters().Codecs
}

// ID of the track, part of webrtc.TrackLocal like the methods down to Unbind.
func (s *Sender) ID() string { return s.slot.ID }

// RID is empty: slots are not simulcast.
func (s *Sender) RID() string { return "" }

// StreamID makes every slot a MediaStream of its own.
func (s *Sender) StreamID() string { return s.slot.ID }

// Kind of the slot.
func (s *Sender) Kind() webrtc.RTPCodecType {
	if s.slot.Video {
		return webrtc.RTPCodecTypeVideo
	}
	return webrtc.RTPCodecTypeAudio
}

// Bind takes the stream to write to.
func (s *Sender) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	codecs := c.CodecParameters()
	if len(codecs) == 0 {
		return webrtc.RTPCodecParameters{}, fmt.Errorf("slot %s: no codec in common", s.slot.ID)
	}
	s.context, s.out = c, c.WriteStream()
	for _, e := range c.HeaderExtensions() {
		switch e.URI {
		case sdp.SDESMidURI:
			s.midID = uint8(e.ID) //nolint:gosec // 1 to 255, RFC 8285 §4
		case sdp.AudioLevelURI:
			s.audioLevelID = uint8(e.ID) //nolint:gosec // likewise
		case descriptorURI:
			s.descriptorID = uint8(e.ID) //nolint:gosec // likewise
		}
	}
	return codecs[0], nil
}

// Unbind does nothing: a closed stream refuses what is written to it.
func (s *Sender) Unbind(webrtc.TrackLocalContext) error { return nil }

// PayloadTypes returns the receiver's payload types for a source's codec and its retransmissions, 0 where it has none.
func (s *Sender) PayloadTypes(c link.Codec) (media, rtx uint8, ok bool) {
	best := -1
	for i, have := range s.codecs {
		if !link.SameStream(link.Codec{Mime: have.MimeType, Fmtp: have.SDPFmtpLine}, c) {
			continue
		}
		if best < 0 || link.SameParameters(have.SDPFmtpLine, c.Fmtp) {
			best = i
		}
	}
	if best < 0 {
		return 0, 0, false
	}
	media = uint8(s.codecs[best].PayloadType)
	for _, have := range s.codecs {
		if strings.EqualFold(have.MimeType, webrtc.MimeTypeRTX) && link.Parameter(have.SDPFmtpLine, "apt") == fmt.Sprint(media) {
			rtx = uint8(have.PayloadType)
		}
	}
	return media, rtx, true
}

// Send sends a packet on the slot's stream.
func (s *Sender) Send(o *forward.Out, _ *link.Outlet) error {
	if s.out == nil {
		return link.ErrNotSending
	}
	return s.write(uint32(s.context.SSRC()), o)
}

// SendRTX sends a packet on the slot's stream of retransmissions.
func (s *Sender) SendRTX(o *forward.Out, _ *link.Outlet) error {
	if s.out == nil || s.context.SSRCRetransmission() == 0 {
		return link.ErrNotSending
	}
	return s.write(uint32(s.context.SSRCRetransmission()), o)
}

func (s *Sender) write(ssrc uint32, o *forward.Out) error {
	h, _ := s.headers.Get().(*rtp.Header)
	defer s.headers.Put(h)
	*h = rtp.Header{
		Version: 2, Marker: o.Marker, PayloadType: o.PayloadType, SequenceNumber: o.Seq, Timestamp: o.Timestamp, SSRC: ssrc,
		Extensions: h.Extensions[:0],
	}
	extend(h, s.midID, s.mid)
	extend(h, s.audioLevelID, o.AudioLevel)
	extend(h, s.descriptorID, o.Descriptor)
	_, err := s.out.WriteRTP(h, o.Payload)
	return err
}

// extend adds a header extension that both ends have. The data comes from a packet that was parsed: its size fits.
func extend(h *rtp.Header, id uint8, data []byte) {
	if id != 0 && len(data) > 0 {
		_ = h.SetExtension(id, data)
	}
}

// Listen reads feedback until the peer is closed.
func (s *Sender) Listen(f link.Feedback) { s.peer.start(func() { s.readFeedback(f) }) }

func (s *Sender) readFeedback(f link.Feedback) {
	for {
		packets, _, err := s.sender.ReadRTCP()
		if err != nil {
			return
		}
		for _, p := range packets {
			switch p := p.(type) {
			case *rtcp.TransportLayerNack:
				for _, pair := range p.Nacks {
					pair.Range(func(seq uint16) bool { f.Nacked(seq, nil); return true })
				}
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				f.PictureLost()
			}
		}
	}
}
