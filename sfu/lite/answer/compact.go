package answer

import (
	"reflect"
	"slices"
	"strings"
)

// compact makes a Description cheap to keep for as long as a transport lives: its strings let go of the offer's text, and
// m-lines with the same codecs or extensions share one list. A browser's offer has ten of each.
func (d *Description) compact() {
	known := map[string]string{}
	own := func(s *string) {
		c, ok := known[*s]
		if !ok {
			c = strings.Clone(*s)
			known[c] = c
		}
		*s = c
	}
	ownAll := func(all []string) {
		for i := range all {
			own(&all[i])
		}
	}
	own(&d.ICE.Ufrag)
	own(&d.ICE.Pwd)
	for i := range d.Fingerprints {
		own(&d.Fingerprints[i].Hash)
		own(&d.Fingerprints[i].Value)
	}
	if d.Data != nil {
		own(&d.Data.MID)
	}
	d.Media = slices.Clip(slices.Clone(d.Media))
	for i := range d.Media {
		m := &d.Media[i]
		own(&m.MID)
		own((*string)(&m.Kind))
		own(&m.proto)
		own(&m.refusedFmt)
		ownAll(m.RIDs)
		if m.share(d.Media[:i]) {
			continue
		}
		m.Codecs = slices.Clip(slices.Clone(m.Codecs))
		for j := range m.Codecs {
			c := &m.Codecs[j]
			own(&c.Name)
			own(&c.Params)
			ownAll(c.Feedback)
			if j > 0 && slices.Equal(c.Feedback, m.Codecs[j-1].Feedback) {
				c.Feedback = m.Codecs[j-1].Feedback
			}
		}
		m.Extensions = slices.Clip(slices.Clone(m.Extensions))
		for j := range m.Extensions {
			own(&m.Extensions[j].URI)
			own(&m.Extensions[j].direction)
		}
	}
}

// share takes the lists of an earlier m-line that has the same ones.
func (m *Media) share(earlier []Media) bool {
	for i := range earlier {
		if e := &earlier[i]; reflect.DeepEqual(e.Codecs, m.Codecs) && reflect.DeepEqual(e.Extensions, m.Extensions) {
			m.Codecs, m.Extensions = e.Codecs, e.Extensions
			return true
		}
	}
	return false
}
