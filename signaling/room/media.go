package room

import (
	"fmt"
	"slices"

	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// This file makes all effects that concern media: a topology other than "everything through the SFU" changes it alone.

// replaceTransport ends what was on the old transport; what m receives moves to the new one.
func (s *State) replaceTransport(m *member, c Offer) []Effect {
	out := []Effect{ReplaceTransport{SID: m.sid, Transport: c.Transport}}
	again := map[PublicationID]bool{}
	for _, a := range c.Publications {
		again[PublicationID(a.ID)] = true
	}
	for _, a := range m.media.announced {
		if !again[a.id] {
			s.forgetChoices(a.id)
		}
	}
	m.media.used = max(m.media.used, m.media.pending)
	m.media.answered = 0
	s.release(m)
	for _, p := range slices.Clone(m.published) {
		s.forget(p, again[PublicationID(p.seen.ID)])
		out = append(out, Broadcast{Message: protocol.Unpublished{Participant: string(m.sid), ID: p.seen.ID}})
	}
	m.media.transport = c.Transport
	for _, owner := range s.members {
		for _, p := range owner.published {
			if m.receives(p) {
				out = append(out, Show{To: m.sid, ID: PublicationID(p.seen.ID)})
			}
		}
	}
	return out
}

func (s *State) negotiate(by *member, c Offer) Effect {
	n := Negotiate{SID: by.sid, Transport: c.Transport, Rev: c.Rev}
	for _, a := range c.Publications {
		paused := a.Muted
		if p := s.publications[PublicationID(a.ID)]; p != nil {
			paused = p.seen.Muted
		}
		n.Publications = append(n.Publications, Announcement{MID: a.MID, ID: PublicationID(a.ID), Paused: paused})
	}
	return n
}

// publish begins a publication and shows it to all who want it.
func (s *State) publish(a *announced, kind protocol.Kind) []Effect {
	p := &publication{owner: a.owner, seen: protocol.Publication{ID: string(a.id), Kind: kind, Source: a.source, Muted: a.muted}}
	s.publications[a.id] = p
	a.owner.published = append(a.owner.published, p)
	var out []Effect
	if a.muted != a.offered {
		out = append(out, Pause{ID: a.id, Paused: a.muted})
	}
	out = append(out, Broadcast{Message: protocol.Published{Participant: string(a.owner.sid), Publication: p.seen}})
	for _, m := range s.members {
		if m.receives(p) && m.media.transport != 0 {
			out = append(out, Show{To: m.sid, ID: a.id})
		}
	}
	return out
}

// receives says whether p is to be shown to m.
func (m *member) receives(p *publication) bool {
	if p.owner == m || !m.may.Subscribe {
		return false
	}
	if chosen, ok := m.choices[PublicationID(p.seen.ID)]; ok {
		return chosen
	}
	return m.autoSubscribe
}

func (s *State) unpublish(by *member, c Unpublish) ([]Effect, error) {
	if a := s.announced[c.ID]; a != nil && a.owner == by {
		a.dropped = true
		return nil, nil
	}
	p := s.publications[c.ID]
	if p == nil || p.owner != by {
		return nil, notFound(c.ID, "it may have ended")
	}
	s.forget(p, false)
	return []Effect{Drop{ID: c.ID}, Broadcast{Message: protocol.Unpublished{Participant: string(by.sid), ID: p.seen.ID}}}, nil
}

func (s *State) mute(by *member, c Mute) ([]Effect, error) {
	if a := s.announced[c.ID]; a != nil && a.owner == by && !a.dropped {
		a.muted = c.Muted
		return nil, nil
	}
	p := s.publications[c.ID]
	switch {
	case p == nil:
		return nil, notFound(c.ID, "it may have ended")
	case p.owner != by && !by.may.Admin:
		return nil, refuse(protocol.AuthForbidden, "only an admin may mute others", "use a token with roomAdmin")
	case p.owner != by && !c.Muted:
		return nil, refuse(protocol.AuthForbidden, "nobody may unmute others", "ask them to unmute themselves")
	case p.seen.Muted == c.Muted:
		return nil, nil
	}
	p.seen.Muted = c.Muted
	return []Effect{
		Pause{ID: c.ID, Paused: c.Muted},
		Broadcast{Message: protocol.PublicationUpdated{Participant: string(p.owner.sid), Publication: p.seen}},
	}, nil
}

func (s *State) subscribe(by *member, c Subscribe) ([]Effect, error) {
	p := s.publications[c.ID]
	switch {
	case !by.may.Subscribe:
		return nil, refuse(protocol.AuthForbidden, "your token does not allow you to receive media", "use a token with canSubscribe")
	case p == nil:
		return nil, notFound(c.ID, "it may have ended; wait for published")
	case p.owner == by:
		return nil, notFound(c.ID, "it is your own")
	}
	before := by.receives(p)
	by.choices[c.ID] = c.Subscribed
	switch {
	case before == c.Subscribed || by.media.transport == 0:
		return nil, nil
	case c.Subscribed:
		return []Effect{Show{To: by.sid, ID: c.ID}}, nil
	default:
		return []Effect{Hide{To: by.sid, ID: c.ID}}, nil
	}
}

func notFound(id PublicationID, hint string) error {
	return refuse(protocol.PublicationNotFound, fmt.Sprintf("no publication %s in this room that you could do this with", id), hint)
}
