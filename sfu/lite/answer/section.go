package answer

import (
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
)

// section is one m-line of an offer.
type section struct {
	mid     string
	kind    Kind
	proto   string
	formats []string
	refused bool

	sends, receives bool // the client
	codecs          []Codec
	extensions      []Extension // direction as the client offers it
	rids            []string
	sources         []Source
	data            *Data

	muxed, reducedSize, xr, mixed bool
}

func parseSection(m *sdp.MediaDescription, session []sdp.Attribute, l Limits) (section, error) {
	at := attributes{m.Attributes, session}
	s := section{kind: kindOf(m.MediaName.Media), proto: strings.Join(m.MediaName.Protos, "/"), formats: m.MediaName.Formats}
	s.mid, _ = at.get("mid")
	_, bundleOnly := at.get("bundle-only")
	s.refused = m.MediaName.Port.Value == 0 && !bundleOnly || len(s.formats) == 0
	if s.refused {
		return s, nil
	}
	_, s.mixed = at.get("extmap-allow-mixed")
	media := attributes{media: m.Attributes}
	_, s.muxed = media.get("rtcp-mux")
	_, s.reducedSize = media.get("rtcp-rsize")
	if xr, ok := media.get("rtcp-xr"); ok {
		s.xr = slices.Contains(strings.Fields(xr), "rcvr-rtt=all")
	}
	switch s.kind {
	case Audio, Video:
		if !strings.HasSuffix(s.proto, "RTP/SAVPF") || !strings.Contains(s.proto, "TLS") {
			s.refused = true
			return s, nil
		}
		if !s.muxed {
			return s, fail(Bundle, "m-line %q has no rtcp-mux: use rtcpMuxPolicy require", s.mid)
		}
		s.direction(at)
		s.codecs = parseCodecs(s.formats, m.Attributes)
		s.extensions = parseExtensions(m.Attributes)
		return s, s.streams(m.Attributes, l)
	case Application:
		return s, s.channels(at)
	default:
		s.refused = true
		return s, nil
	}
}

// kindOf is a constant where there is one: a part of the text would keep all of it alive.
func kindOf(s string) Kind {
	for _, k := range []Kind{Audio, Video, Application} {
		if s == string(k) {
			return k
		}
	}
	return Kind(s)
}

func (s *section) direction(at attributes) {
	for _, list := range [][]sdp.Attribute{at.media, at.session} {
		for _, a := range list {
			switch a.Key {
			case "sendrecv", "sendonly", "recvonly", "inactive":
				s.sends = a.Key == "sendrecv" || a.Key == "sendonly"
				s.receives = a.Key == "sendrecv" || a.Key == "recvonly"
				return
			}
		}
	}
	s.sends, s.receives = true, true // RFC 8866 §6.7
}

// channels reads an SCTP m-line in the form of RFC 8841, or in the one of its drafts ("DTLS/SCTP 5000"), which aiortc uses.
func (s *section) channels(at attributes) error {
	d := &Data{MID: s.mid, legacy: s.proto == "DTLS/SCTP", MaxMessageSize: 65536}
	port, ok := s.formats[0], true
	if !d.legacy {
		if !strings.HasSuffix(s.proto, "/DTLS/SCTP") || s.formats[0] != "webrtc-datachannel" {
			s.refused = true
			return nil
		}
		port, ok = at.get("sctp-port")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if !ok || err != nil || n == 0 {
		return fail(Syntax, "m-line %q has no usable SCTP port", s.mid)
	}
	d.Port = uint16(n)
	if v, ok := at.get("max-message-size"); ok {
		size, err := strconv.ParseUint(v, 10, 64)
		if err != nil {
			return fail(Syntax, "max-message-size %q of m-line %q is not a number", v, s.mid)
		}
		d.MaxMessageSize = uint32(min(size, 1<<32-1))
	}
	s.data = d
	return nil
}

// streams reads which SSRCs and layers the client means to send.
func (s *section) streams(list []sdp.Attribute, l Limits) error {
	var layers []string // of a=rid
	var simulcast string
	for _, a := range list {
		f := strings.Fields(a.Value)
		switch {
		case a.Key == "ssrc" && len(f) > 0:
			s.addSource(f[0], "")
		case a.Key == "ssrc-group" && len(f) == 3 && f[0] == "FID":
			s.addSource(f[1], f[2])
		case a.Key == "rid" && len(f) >= 2 && f[1] == "send":
			if !validToken(f[0]) {
				return fail(Syntax, "rid %q of m-line %q is malformed", f[0], s.mid)
			}
			layers = append(layers, f[0])
		case a.Key == "simulcast":
			simulcast = a.Value
		}
		if len(s.sources) > l.Sources || len(layers) > 2*l.Layers {
			return fail(Limit, "m-line %q announces too many SSRCs or rids: %d and %d are allowed", s.mid, l.Sources, l.Layers)
		}
	}
	for _, rid := range simulcastList(simulcast) {
		if slices.Contains(layers, rid) && !slices.Contains(s.rids, rid) {
			s.rids = append(s.rids, rid)
		}
	}
	if len(s.rids) > l.Layers {
		return fail(Limit, "m-line %q has %d simulcast layers, %d are allowed", s.mid, len(s.rids), l.Layers)
	}
	return nil
}

// simulcastList is the first choice of each layer that is sent (RFC 8853 §5.1); "~" marks one that starts paused.
func simulcastList(value string) (rids []string) {
	f := strings.Fields(value)
	for i := 0; i+1 < len(f); i += 2 {
		if f[i] != "send" {
			continue
		}
		for _, choice := range strings.Split(f[i+1], ";") {
			first, _, _ := strings.Cut(choice, ",")
			rids = append(rids, strings.TrimPrefix(first, "~"))
		}
	}
	return rids
}

// addSource notes an SSRC, and rtx as its retransmissions if that is one.
func (s *section) addSource(ssrc, rtx string) {
	n, err := strconv.ParseUint(ssrc, 10, 32)
	if err != nil || n == 0 {
		return
	}
	r, _ := strconv.ParseUint(rtx, 10, 32)
	if r != 0 { // it may have been listed on its own before
		s.sources = slices.DeleteFunc(s.sources, func(x Source) bool { return x.SSRC == uint32(r) && x.RTX == 0 })
	}
	for i := range s.sources {
		switch {
		case s.sources[i].RTX == uint32(n):
			return
		case s.sources[i].SSRC == uint32(n):
			if r != 0 {
				s.sources[i].RTX = uint32(r)
			}
			return
		}
	}
	s.sources = append(s.sources, Source{uint32(n), uint32(r)})
}
