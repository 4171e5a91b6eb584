package client

import (
	"slices"

	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// roster is who is in the room, oneself included. Messages in, events out.
type roster struct {
	self   string // sid
	people map[string]protocol.Participant
	order  []string // sids, oneself first
}

func newRoster(j protocol.Joined) *roster {
	r := &roster{self: j.Self.SID, people: map[string]protocol.Participant{}}
	for _, p := range append([]protocol.Participant{j.Self}, j.Participants...) {
		r.put(p)
	}
	return r
}

func (r *roster) put(p protocol.Participant) {
	if _, known := r.people[p.SID]; !known {
		r.order = append(r.order, p.SID)
	}
	p.Publications = slices.Clone(p.Publications)
	r.people[p.SID] = p
}

// list is everybody, oneself first, then in the order of joining.
func (r *roster) list() []protocol.Participant {
	people := make([]protocol.Participant, 0, len(r.order))
	for _, sid := range r.order {
		people = append(people, r.people[sid])
	}
	return people
}

// find is a publication of anybody, and whose it is.
func (r *roster) find(id string) (protocol.Participant, protocol.Publication, bool) {
	for _, sid := range r.order {
		p := r.people[sid]
		if i := indexOf(p, id); i >= 0 {
			return p, p.Publications[i], true
		}
	}
	return protocol.Participant{}, protocol.Publication{}, false
}

func indexOf(p protocol.Participant, id string) int {
	return slices.IndexFunc(p.Publications, func(pub protocol.Publication) bool { return pub.ID == id })
}

// apply takes a message of the server's; what is none of the roster's business is ignored.
func (r *roster) apply(m protocol.ServerMessage) []Event {
	switch m := m.(type) {
	case protocol.ParticipantJoined:
		r.put(m.Participant)
		return []Event{ParticipantJoined{r.people[m.Participant.SID]}}
	case protocol.ParticipantUpdated:
		r.put(m.Participant)
		return []Event{ParticipantUpdated{r.people[m.Participant.SID]}}
	case protocol.ParticipantLeft:
		return r.left(m)
	case protocol.Published:
		return r.published(m.Participant, m.Publication)
	case protocol.PublicationUpdated:
		return r.published(m.Participant, m.Publication)
	case protocol.Unpublished:
		return r.unpublished(m)
	}
	return nil
}

func (r *roster) left(m protocol.ParticipantLeft) []Event {
	p, known := r.people[m.SID]
	if !known {
		return nil
	}
	delete(r.people, m.SID)
	r.order = slices.DeleteFunc(r.order, func(sid string) bool { return sid == m.SID })
	return []Event{ParticipantLeft{p, m.Reason}}
}

// published adds a publication or replaces what was known of it.
func (r *roster) published(sid string, pub protocol.Publication) []Event {
	p, known := r.people[sid]
	if !known {
		return nil
	}
	p.Publications = slices.Clone(p.Publications) // others hold the old list
	i := indexOf(p, pub.ID)
	if i >= 0 {
		p.Publications[i] = pub
	} else {
		p.Publications = append(p.Publications, pub)
	}
	r.people[sid] = p
	switch {
	case i >= 0:
		return []Event{PublicationUpdated{p, pub}}
	case sid == r.self:
		return nil // Publish returns it
	}
	return []Event{Published{p, pub}}
}

func (r *roster) unpublished(m protocol.Unpublished) []Event {
	p := r.people[m.Participant]
	i := indexOf(p, m.ID)
	if i < 0 {
		return nil
	}
	pub := p.Publications[i]
	p.Publications = slices.Delete(slices.Clone(p.Publications), i, i+1)
	r.people[m.Participant] = p
	return []Event{Unpublished{p, pub}}
}
