package native

import (
	"strings"

	"github.com/turnout-rtc/turnout/sfu/link"
	"github.com/turnout-rtc/turnout/sfu/lite/answer"
	"github.com/turnout-rtc/turnout/sfu/packet"
)

// maxStreams is how many SSRCs of one peer are told apart: 16 publications of 3 layers, with retransmissions, twice over.
const maxStreams = 192

// streams finds out which incoming stream a packet belongs to. Order: a known SSRC, then the header extensions MID with
// repaired RID or RID, then a=ssrc of the offer, then MID alone, then the payload type. Simulcast is never told apart by
// a=ssrc: some browsers send both, and mean the extensions.
type streams struct {
	peer      *Peer          // set at construction
	media     []answer.Media // publications of the description
	mid       uint8          // header extensions, 0 for none
	rid       uint8
	repaired  uint8
	transport uint8
	estimates bool // a publication is to be told the bandwidth, having no transport-wide feedback
	known     map[uint32]stream
	tracks    []*Track
	replaced  []*Track // whose sinks are to be told
}

// stream is what an SSRC carries.
type stream struct {
	track    *Track // nil while its m-line is inactive
	rtx      bool
	mid, rid string // no mid: another SSRC has taken its place
}

// describe takes over what was agreed on, and returns the tracks that are gone. Which SSRC was which stream is remembered while
// an m-line is inactive: when it goes on, browsers no longer send what tells layers apart.
func (s *streams) describe(d *answer.Description) []*Track {
	s.media, s.estimates = s.media[:0], false
	for _, m := range d.Media {
		if m.Role == answer.Publication {
			s.media = append(s.media, m)
			s.extensions(&m)
		}
	}
	var gone, stay []*Track
	for _, t := range s.tracks {
		if m := s.find(t.stream.MID); m != nil {
			t.codecs = m.Codecs
			stay = append(stay, t)
		} else {
			gone = append(gone, t)
		}
	}
	s.tracks = stay
	for ssrc, known := range s.known {
		if _, there := d.Find(known.mid); !there || known.mid == "" {
			delete(s.known, ssrc)
		} else if s.find(known.mid) == nil {
			known.track = nil
			s.known[ssrc] = known
		}
	}
	return gone
}

func (s *streams) extensions(m *answer.Media) {
	counted := false
	for _, e := range m.Extensions {
		switch e.URI {
		case answer.ExtMID:
			s.mid = e.ID
		case answer.ExtRID:
			s.rid = e.ID
		case answer.ExtRepairedRID:
			s.repaired = e.ID
		case answer.ExtTransportCC:
			s.transport, counted = e.ID, true
		}
	}
	s.estimates = s.estimates || !(counted && agreed(m.Codecs, "transport-cc")) && agreed(m.Codecs, "goog-remb")
}

func (s *streams) find(mid string) *answer.Media {
	for i := range s.media {
		if s.media[i].MID == mid {
			return &s.media[i]
		}
	}
	return nil
}

// of returns the stream of p, and whether its track is new. track is nil when nobody knows.
func (s *streams) of(p *packet.Packet) (found stream, isNew bool) {
	known, ok := s.known[p.SSRC]
	switch {
	case ok && known.track == nil && known.mid != "":
		found, isNew = s.again(known, p.SSRC)
	case ok:
		return known, false
	case len(s.known) >= maxStreams:
		return stream{}, false
	default:
		found, isNew = s.identify(p)
	}
	if found.track != nil {
		if s.known == nil {
			s.known = make(map[uint32]stream)
		}
		found.mid, found.rid = found.track.stream.MID, found.track.stream.RID
		s.known[p.SSRC] = found
	}
	return found, isNew
}

// again finds the stream of an SSRC whose m-line was inactive.
func (s *streams) again(known stream, ssrc uint32) (stream, bool) {
	m := s.find(known.mid)
	switch {
	case m == nil:
		return stream{}, false
	case known.rtx:
		return stream{track: s.track(known.mid, known.rid), rtx: true}, false
	}
	return s.open(m, known.rid, ssrc)
}

func (s *streams) identify(p *packet.Packet) (stream, bool) {
	m := s.find(string(p.Extension(s.mid)))
	if m != nil {
		if rid := p.Extension(s.repaired); len(rid) > 0 {
			return stream{track: s.track(m.MID, string(rid)), rtx: true}, false
		}
		if rid := p.Extension(s.rid); len(rid) > 0 {
			return s.open(m, string(rid), p.SSRC)
		}
	}
	for i := range s.media {
		announced := &s.media[i]
		for _, source := range announced.Sources {
			switch p.SSRC {
			case source.SSRC:
				return s.open(announced, "", p.SSRC)
			case source.RTX:
				return stream{track: s.track(announced.MID, ""), rtx: true}, false
			}
		}
	}
	if m == nil {
		m = s.byPayloadType(p.PayloadType)
	}
	if m == nil || len(m.RIDs) > 0 {
		return stream{}, false
	}
	if isRTX(m.Codecs, p.PayloadType) {
		return stream{track: s.track(m.MID, ""), rtx: true}, false
	}
	return s.open(m, "", p.SSRC)
}

// byPayloadType finds the publication of a payload type, if there is only one.
func (s *streams) byPayloadType(pt uint8) *answer.Media {
	var found *answer.Media
	for i := range s.media {
		for _, c := range s.media[i].Codecs {
			if c.PT == pt || c.RTX == pt {
				if found != nil && found != &s.media[i] {
					return nil
				}
				found = &s.media[i]
			}
		}
	}
	return found
}

func isRTX(codecs []answer.Codec, pt uint8) bool {
	for _, c := range codecs {
		if c.RTX == pt && pt != 0 {
			return true
		}
	}
	return false
}

func (s *streams) track(mid, rid string) *Track {
	for _, t := range s.tracks {
		if t.stream.MID == mid && t.stream.RID == rid {
			return t
		}
	}
	return nil
}

// open returns the track of a layer, a new one when it is the first. An SSRC that follows another on the same layer takes its
// place: the publisher has begun anew.
func (s *streams) open(m *answer.Media, rid string, ssrc uint32) (stream, bool) {
	if old := s.track(m.MID, rid); old != nil {
		if old.ssrc == ssrc {
			return stream{track: old}, false
		}
		s.drop(old)
	}
	t := &Track{peer: s.peer, codecs: m.Codecs, ssrc: ssrc, stream: link.Stream{MID: m.MID, RID: rid, Video: m.Kind == answer.Video}}
	for _, e := range m.Extensions {
		switch e.URI {
		case answer.ExtDependency:
			t.stream.DescriptorID = e.ID
		default:
			_ = carry(&t.stream.Extensions, e) // all others are read here only
		}
	}
	s.tracks = append(s.tracks, t)
	return stream{track: t}, true
}

// drop forgets a track whose place is taken. Packets of it that still come are dropped.
func (s *streams) drop(old *Track) {
	for i, t := range s.tracks {
		if t == old {
			s.tracks = append(s.tracks[:i], s.tracks[i+1:]...)
			s.replaced = append(s.replaced, old)
			break
		}
	}
	for ssrc, known := range s.known {
		if known.track == old {
			s.known[ssrc] = stream{}
		}
	}
}

// codec of a payload type.
func codecOf(codecs []answer.Codec, video bool, pt uint8) link.Codec {
	for _, c := range codecs {
		if c.PT == pt {
			kind := "audio/"
			if video {
				kind = "video/"
			}
			return link.Codec{Mime: kind + strings.ToUpper(c.Name), Fmtp: c.Params, ClockRate: uint32(c.Clock)}
		}
	}
	return link.Codec{}
}

// mediaType returns the payload type whose retransmissions come as pt.
func mediaType(codecs []answer.Codec, pt uint8) (uint8, bool) {
	for _, c := range codecs {
		if c.RTX == pt && pt != 0 {
			return c.PT, true
		}
	}
	return 0, false
}
