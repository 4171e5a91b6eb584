package answer

import (
	"fmt"
	"slices"
)

// Compute decides on an offer. before is the Description of the last offer of the same transport, nil for the first; it is
// not changed. newSSRC gives random SSRCs. The error is an *Error.
func Compute(o *Offer, before *Description, p Policy, l Limits, newSSRC func() uint32) (*Description, error) {
	p, l = p.withDefaults(), l.withDefaults()
	d := &Description{ICE: o.ICE, Fingerprints: slices.Clone(o.Fingerprints), slots: map[Kind]int{}}
	d.Active = o.setup == passive
	if before != nil {
		if err := o.follows(before); err != nil {
			return nil, err
		}
		d.Active = before.Active
		for k, n := range before.slots {
			d.slots[k] = n
		}
	}
	used, slots := ssrcsOf(before), 0
	fresh := func() uint32 {
		for {
			if s := newSSRC(); s != 0 && !used[s] {
				used[s] = true
				return s
			}
		}
	}
	for i := range o.sections {
		m := o.sections[i].decide(p)
		if m.Role == Channels {
			if d.Data != nil {
				m.Role = Refused // one association per transport, RFC 8831 §6
			} else {
				data := *o.sections[i].data
				d.Data = &data
			}
		}
		was, _ := before.Find(m.MID)
		if was != nil && was.Out != nil && m.Role != Refused {
			m.Out = was.Out // for good, also while the m-line is inactive
		}
		if m.Role == Slot {
			if slots++; slots > l.Slots {
				return nil, fail(Limit, "the offer has more than %d slots: reuse transceivers", l.Slots)
			}
			m.openSlot(d, fresh)
		}
		m.Extensions = d.unambiguous(m.Extensions)
		d.Media = append(d.Media, m)
	}
	if !slices.ContainsFunc(d.Media, func(m Media) bool { return m.Role != Refused }) {
		return nil, fail(Nothing, "none of the offered codecs is supported: audio %v, video %v", p.Audio, p.Video)
	}
	d.compact()
	return d, nil
}

// decide is the answer to one m-line, without a slot's SSRC.
func (s *section) decide(p Policy) Media {
	m := Media{MID: s.mid, Kind: s.kind, Role: Refused, proto: s.proto, reducedSize: s.reducedSize, mixed: s.mixed, xr: s.xr}
	if len(s.formats) > 0 {
		m.refusedFmt = s.formats[0]
	}
	if s.refused {
		return m
	}
	if s.data != nil {
		m.Role = Channels
		return m
	}
	names := p.Audio
	if s.kind == Video {
		names = p.Video
	}
	m.Codecs = acceptCodecs(s.codecs, names, p.Feedback)
	if len(m.Codecs) == 0 {
		return m
	}
	m.Extensions = acceptExtensions(s.extensions, p.Extensions, s.mixed)
	switch {
	case s.sends:
		m.Role, m.RIDs = Publication, slices.Clone(s.rids)
		m.Extensions = slices.DeleteFunc(m.Extensions, func(e Extension) bool { return slices.Contains(p.SlotsOnly, e.URI) })
		if len(s.rids) == 0 {
			m.Sources = s.sources
		}
	case s.receives:
		m.Role = Slot
	default:
		m.Role = Inactive
	}
	return m
}

// openSlot gives m an SSRC and a name if it has none, and an SSRC for retransmissions if it has none and needs one now.
func (m *Media) openSlot(d *Description, newSSRC func() uint32) {
	var out Out
	if m.Out != nil {
		out = *m.Out
	} else {
		k := d.slots[m.Kind]
		d.slots[m.Kind] = k + 1
		out = Out{Source: Source{SSRC: newSSRC()}, Name: fmt.Sprintf("%c%d", m.Kind[0], k), Stream: fmt.Sprintf("s%d", k)}
	}
	if out.RTX == 0 && slices.ContainsFunc(m.Codecs, func(c Codec) bool { return c.RTX != 0 }) {
		out.RTX = newSSRC()
	}
	m.Out = &out
}

// follows checks that an offer continues a session (RFC 3264 §8, RFC 9429 §5.2.2).
func (o *Offer) follows(before *Description) error {
	if !slices.ContainsFunc(o.Fingerprints, func(f Fingerprint) bool { return slices.Contains(before.Fingerprints, f) }) {
		return fail(NewSession, "the offer has another certificate: it is another RTCPeerConnection and needs a new transport")
	}
	if (o.setup == passive) != before.Active && o.setup != actpass {
		return fail(Setup, "the offer says a=setup:%s, which is not the role of before: offer actpass", o.setup)
	}
	if len(o.sections) < len(before.Media) {
		return fail(Order, "the offer has %d m-lines, the last one had %d: m-lines are never taken out", len(o.sections), len(before.Media))
	}
	for i := range before.Media {
		was, s := &before.Media[i], &o.sections[i]
		if was.Role != Refused && !s.refused && (was.MID != s.mid || was.Kind != s.kind) {
			return fail(Order, "m-line %d was mid %q and is now %q: stop a transceiver before its m-line is reused", i, was.MID, s.mid)
		}
	}
	return nil
}

func ssrcsOf(d *Description) map[uint32]bool {
	used := map[uint32]bool{0: true}
	if d != nil {
		for _, m := range d.Media {
			if m.Out != nil {
				used[m.Out.SSRC], used[m.Out.RTX] = true, true
			}
		}
	}
	return used
}
