package room

import (
	"fmt"
	"maps"
	"slices"

	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// model is a room as a list of facts, without any index. It answers only: which error, and who sees what afterwards.
type model struct {
	cfg     Config
	members []*modelMember
	tracks  []modelTrack
}

type modelMember struct {
	join      Join
	detached  bool
	attrs     map[string]string
	name      string
	transport int
	revs      []int // used up
	answered  int
	pending   int
	offered   []modelTrack // of the pending offer
	choices   map[PublicationID]bool
}

type modelTrack struct {
	owner   SID
	id      PublicationID
	source  string
	muted   bool
	paused  bool // muted as the offer said
	dropped bool
}

func (m *model) member(sid SID) *modelMember {
	for _, x := range m.members {
		if x.join.SID == sid {
			return x
		}
	}
	return nil
}

func (m *model) track(id PublicationID) *modelTrack {
	for i := range m.tracks {
		if m.tracks[i].id == id {
			return &m.tracks[i]
		}
	}
	return nil
}

func (m *model) drop(sid SID) {
	m.tracks = slices.DeleteFunc(m.tracks, func(t modelTrack) bool {
		if t.owner == sid {
			m.forget(t.id)
		}
		return t.owner == sid
	})
	m.members = slices.DeleteFunc(m.members, func(x *modelMember) bool { return x.join.SID == sid })
}

func (m *model) forget(id PublicationID) {
	for _, x := range m.members {
		delete(x.choices, id)
	}
}

// apply returns the expected error code.
func (m *model) apply(c Command) protocol.Code {
	switch c := c.(type) {
	case Join:
		return m.joins(c)
	case Leave:
		m.drop(c.SID)
		return ""
	case Stop:
		m.members, m.tracks = nil, nil
		return ""
	case Detach:
		if x := m.member(c.SID); x != nil {
			x.detached = true
		}
		return ""
	case Attach:
		if x := m.member(c.SID); x != nil {
			x.detached = false
		}
		return ""
	case Answered:
		m.answers(c)
		return ""
	case Refused:
		if x := m.member(c.By); x != nil && x.transport == c.Transport && x.pending == c.Rev {
			for _, t := range x.offered {
				m.forget(t.id)
			}
			x.pending, x.offered = 0, nil
		}
		return ""
	}
	by := m.member(requester(c))
	if by == nil {
		return protocol.ParticipantNotFound
	}
	return m.asks(by, c)
}

func (m *model) joins(c Join) protocol.Code {
	for _, x := range m.members {
		if x.join.Identity != c.Identity {
			continue
		}
		if m.cfg.Duplicate == Reject && !x.detached {
			return protocol.IdentityTaken
		}
		m.drop(x.join.SID)
		m.add(c)
		return ""
	}
	if len(m.members) >= m.cfg.MaxParticipants {
		return protocol.RoomFull
	}
	m.add(c)
	return ""
}

func (m *model) add(c Join) {
	m.members = append(m.members, &modelMember{join: c, attrs: maps.Clone(c.Attributes), name: c.Name, choices: map[PublicationID]bool{}})
}

func (m *model) asks(by *modelMember, c Command) protocol.Code {
	switch c := c.(type) {
	case Update:
		if !by.join.MayUpdate {
			return protocol.AuthForbidden
		}
		if by.attrs == nil {
			by.attrs = map[string]string{}
		}
		for k, v := range c.Attributes {
			by.attrs[k] = v
			if v == "" {
				delete(by.attrs, k)
			}
		}
		if c.Name != nil {
			by.name = *c.Name
		}
	case Offer:
		return m.offers(by, c)
	case Unpublish:
		for i := range by.offered {
			if by.offered[i].id == c.ID {
				by.offered[i].dropped = true
				return ""
			}
		}
		t := m.track(c.ID)
		if t == nil || t.owner != by.join.SID {
			return protocol.PublicationNotFound
		}
		m.tracks = slices.DeleteFunc(m.tracks, func(t modelTrack) bool { return t.id == c.ID })
		m.forget(c.ID)
	case Mute:
		return m.mutes(by, c)
	case Subscribe:
		t := m.track(c.ID)
		switch {
		case !by.join.Permissions.Subscribe:
			return protocol.AuthForbidden
		case t == nil || t.owner == by.join.SID:
			return protocol.PublicationNotFound
		}
		by.choices[c.ID] = c.Subscribed
	case Kick:
		if !by.join.Permissions.Admin {
			return protocol.AuthForbidden
		}
		for _, x := range m.members {
			if x.join.Identity == c.Identity {
				m.drop(x.join.SID)
				return ""
			}
		}
		return protocol.ParticipantNotFound
	case End:
		if !by.join.Permissions.Admin {
			return protocol.AuthForbidden
		}
		m.members, m.tracks = nil, nil
	}
	return ""
}

func (m *model) mutes(by *modelMember, c Mute) protocol.Code {
	for i := range by.offered {
		if by.offered[i].id == c.ID && !by.offered[i].dropped {
			by.offered[i].muted = c.Muted
			return ""
		}
	}
	t := m.track(c.ID)
	switch {
	case t == nil:
		return protocol.PublicationNotFound
	case t.owner != by.join.SID && (!by.join.Permissions.Admin || !c.Muted):
		return protocol.AuthForbidden
	}
	t.muted = c.Muted
	return ""
}

func (m *model) offers(by *modelMember, c Offer) protocol.Code {
	fresh := c.Transport > by.transport
	switch {
	case c.Transport < by.transport:
		return protocol.MediaBadOffer
	case !fresh && by.pending != 0 && by.pending != c.Rev:
		return protocol.MediaBadOffer
	case !fresh && (by.pending == c.Rev || by.answered == c.Rev):
		return ""
	}
	for _, used := range append(by.revs, by.pending) {
		if c.Rev <= used {
			return protocol.MediaBadOffer
		}
	}
	var begin []modelTrack
	for i, a := range c.Publications {
		for _, b := range c.Publications[:i] {
			if a.ID == b.ID || a.MID == b.MID {
				return protocol.MediaBadOffer
			}
		}
		for _, x := range m.members {
			for _, t := range x.offered {
				if x != by && t.id == PublicationID(a.ID) {
					return protocol.PublicationIDTaken
				}
			}
		}
		t := m.track(PublicationID(a.ID))
		switch {
		case t != nil && t.owner != by.join.SID:
			return protocol.PublicationIDTaken
		case t != nil && !fresh && t.source != a.Source:
			return protocol.MediaBadOffer
		case t != nil && !fresh:
			continue
		case !by.join.Permissions.MayPublish(a.Source):
			return protocol.AuthForbidden
		}
		begin = append(begin, modelTrack{owner: by.join.SID, id: PublicationID(a.ID), source: a.Source, muted: a.Muted, paused: a.Muted})
	}
	total := len(begin)
	for _, t := range m.tracks {
		if t.owner == by.join.SID && !fresh {
			total++
		}
	}
	if total > m.cfg.MaxPublications {
		return protocol.MediaLimit
	}
	if fresh {
		m.refresh(by, c, begin)
	}
	by.pending, by.offered = c.Rev, begin
	return ""
}

func (m *model) refresh(by *modelMember, c Offer, begin []modelTrack) {
	gone := append([]modelTrack{}, by.offered...)
	m.tracks = slices.DeleteFunc(m.tracks, func(t modelTrack) bool {
		if t.owner == by.join.SID {
			gone = append(gone, t)
		}
		return t.owner == by.join.SID
	})
	for _, t := range gone {
		if !slices.ContainsFunc(begin, func(b modelTrack) bool { return b.id == t.id }) {
			m.forget(t.id)
		}
	}
	by.transport = c.Transport
	by.revs = append(by.revs, by.pending)
	by.answered = 0
}

func (m *model) answers(c Answered) {
	x := m.member(c.By)
	if x == nil || x.transport != c.Transport || x.pending != c.Rev {
		return
	}
	for _, t := range x.offered {
		if _, ok := find(c.Published, t.id); ok && !t.dropped {
			m.tracks = append(m.tracks, t)
		} else {
			m.forget(t.id)
		}
	}
	x.revs = append(x.revs, c.Rev)
	x.answered, x.pending, x.offered = c.Rev, 0, nil
}

// sees is the roster that a participant must have: identity, name, attributes and publications of everybody visible.
func (m *model) sees() []string {
	var all []string
	for _, x := range m.members {
		if x.join.Permissions.Hidden {
			continue
		}
		line := fmt.Sprint(x.join.SID, x.join.Identity, x.name, sorted(x.attrs))
		var tracks []string
		for _, t := range m.tracks {
			if t.owner == x.join.SID {
				tracks = append(tracks, fmt.Sprint(t.id, t.source, t.muted))
			}
		}
		slices.Sort(tracks)
		all = append(all, line+fmt.Sprint(tracks))
	}
	slices.Sort(all)
	return all
}

// shown is what the transport of a participant must show.
func (m *model) shown(x *modelMember) []string {
	var all []string
	for _, t := range m.tracks {
		wants := x.join.AutoSubscribe
		if c, ok := x.choices[t.id]; ok {
			wants = c
		}
		if wants && t.owner != x.join.SID && x.join.Permissions.Subscribe && x.transport != 0 {
			all = append(all, string(t.id))
		}
	}
	slices.Sort(all)
	return all
}

func sorted(a map[string]string) string {
	var all []string
	for k, v := range a {
		all = append(all, k+"="+v)
	}
	slices.Sort(all)
	return fmt.Sprint(all)
}
