package full

import (
	"fmt"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// descriptorURI is the AV1 dependency descriptor (AV1 RTP payload, appendix A).
const descriptorURI = "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"

// newMedia lists the codecs and header extensions. Payload types are those of the client's offer; the ones given here only
// keep them apart.
func newMedia() (*webrtc.MediaEngine, error) {
	m := &webrtc.MediaEngine{}
	opus := webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2, SDPFmtpLine: "minptime=10;useinbandfec=1",
	}
	if err := m.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: opus, PayloadType: 111}, webrtc.RTPCodecTypeAudio); err != nil {
		return nil, err
	}
	type format struct{ mime, fmtp string }
	formats := []format{
		{webrtc.MimeTypeVP8, ""},
		{webrtc.MimeTypeVP9, "profile-id=0"},
		{webrtc.MimeTypeVP9, "profile-id=2"},
		{webrtc.MimeTypeAV1, ""},
	}
	// The profiles browsers offer: constrained baseline, baseline, main, high.
	for _, profile := range []string{"42e01f", "42001f", "4d001f", "64001f"} {
		for mode := 1; mode >= 0; mode-- {
			formats = append(formats, format{webrtc.MimeTypeH264, fmt.Sprintf(
				"level-asymmetry-allowed=1;packetization-mode=%d;profile-level-id=%s", mode, profile)})
		}
	}
	const first = 35 // to 58: dynamic, and clear of RTCP (RFC 5761 §4)
	for i, f := range formats {
		if err := registerVideo(m, f.mime, f.fmtp, webrtc.PayloadType(first+2*i)); err != nil { //nolint:gosec // 12 formats
			return nil, err
		}
	}
	return m, registerExtensions(m)
}

// registerVideo adds a codec and its retransmissions.
func registerVideo(m *webrtc.MediaEngine, mime, fmtp string, pt webrtc.PayloadType) error {
	c := webrtc.RTPCodecCapability{
		MimeType: mime, ClockRate: 90000, SDPFmtpLine: fmtp,
		RTCPFeedback: []webrtc.RTCPFeedback{{Type: "nack"}, {Type: "nack", Parameter: "pli"}, {Type: "ccm", Parameter: "fir"}},
	}
	if err := m.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: c, PayloadType: pt}, webrtc.RTPCodecTypeVideo); err != nil {
		return err
	}
	rtx := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeRTX, ClockRate: 90000, SDPFmtpLine: fmt.Sprintf("apt=%d", pt)}
	return m.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: rtx, PayloadType: pt + 1}, webrtc.RTPCodecTypeVideo)
}

func registerExtensions(m *webrtc.MediaEngine) error {
	const audio, video = webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo
	for _, e := range []struct {
		uri   string
		kinds []webrtc.RTPCodecType
	}{
		{sdp.SDESMidURI, []webrtc.RTPCodecType{audio, video}}, // on slots too: Firefox needs it
		{sdp.SDESRTPStreamIDURI, []webrtc.RTPCodecType{video}},
		{sdp.SDESRepairRTPStreamIDURI, []webrtc.RTPCodecType{video}},
		{sdp.AudioLevelURI, []webrtc.RTPCodecType{audio}},
		{sdp.ABSSendTimeURI, []webrtc.RTPCodecType{audio, video}},
		{descriptorURI, []webrtc.RTPCodecType{video}},
	} {
		for _, kind := range e.kinds {
			if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: e.uri}, kind); err != nil {
				return err
			}
		}
	}
	return nil
}

// newInterceptors lists by name what pion does to packets. NACKs are not among it: the responder would keep a copy of every
// packet for every subscriber, and answer with the wrong payload type after a change of codec; the generator does not see what
// comes back by RTX, and asks on.
func newInterceptors(m *webrtc.MediaEngine, logs logFactory) (*interceptor.Registry, error) {
	r := &interceptor.Registry{}
	received, err := report.NewReceiverInterceptor(report.WithReceiverLoggerFactory(logs))
	if err != nil {
		return nil, err
	}
	r.Add(received)
	sent, err := report.NewSenderInterceptor(report.WithSenderLoggerFactory(logs))
	if err != nil {
		return nil, err
	}
	r.Add(mediaOnly{sent})
	if err := webrtc.ConfigureTWCCSenderWithOptions(m, r, twcc.WithLoggerFactory(logs)); err != nil {
		return nil, err
	}
	numbers, err := twcc.NewHeaderExtensionInterceptor()
	if err != nil {
		return nil, err
	}
	r.Add(numbers)
	return r, nil
}

// mediaOnly keeps retransmissions out of sender reports: they have another SSRC, and timestamps of the past.
type mediaOnly struct{ interceptor.Factory }

func (f mediaOnly) NewInterceptor(id string) (interceptor.Interceptor, error) {
	i, err := f.Factory.NewInterceptor(id)
	return mediaOnlyInterceptor{i}, err
}

type mediaOnlyInterceptor struct{ interceptor.Interceptor }

func (i mediaOnlyInterceptor) BindLocalStream(info *interceptor.StreamInfo, next interceptor.RTPWriter) interceptor.RTPWriter {
	media := i.Interceptor.BindLocalStream(info, next)
	return interceptor.RTPWriterFunc(func(h *rtp.Header, payload []byte, a interceptor.Attributes) (int, error) {
		if h.SSRC == info.SSRC {
			return media.Write(h, payload, a)
		}
		return next.Write(h, payload, a)
	})
}
