package room

import (
	"slices"
	"time"

	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// State is one room. It is owned by whoever calls Apply; calls must not overlap.
type State struct {
	cfg          Config
	members      []*member // in the order in which they joined
	bySID        map[SID]*member
	byIdentity   map[string]*member
	publications map[PublicationID]*publication
	announced    map[PublicationID]*announced // by offers that are not answered yet
}

// member is a participant.
type member struct {
	sid           SID
	seen          protocol.Participant // without its publications
	may           protocol.Permissions
	mayUpdate     bool
	autoSubscribe bool
	detached      bool
	choices       map[PublicationID]bool // what it chose; the rest follows autoSubscribe
	published     []*publication         // in the order in which they began
	media         negotiation
}

// publication is a track offered to the room.
type publication struct {
	owner *member
	seen  protocol.Publication
}

// New makes an empty room.
func New(cfg Config) *State {
	return &State{
		cfg: cfg, bySID: map[SID]*member{}, byIdentity: map[string]*member{},
		publications: map[PublicationID]*publication{}, announced: map[PublicationID]*announced{},
	}
}

// Len is the number of participants.
func (s *State) Len() int { return len(s.members) }

// Apply carries out c. The error is always a *protocol.Error; then there are no effects and nothing has changed.
func (s *State) Apply(now time.Time, c Command) ([]Effect, error) {
	switch c := c.(type) {
	case Join:
		return s.join(now, c)
	case Leave:
		return s.leave(c.SID, protocol.Disconnect{Reason: c.Reason, Message: c.Message, Retryable: retryable(c.Reason)}), nil
	case Detach:
		s.detach(c.SID, true)
		return nil, nil
	case Attach:
		s.detach(c.SID, false)
		return nil, nil
	case Answered:
		return s.answered(c), nil
	case Refused:
		s.refused(c)
		return nil, nil
	case Stop:
		return s.over(protocol.Disconnect{Reason: protocol.ServerShutdown, Message: "the server stops", Retryable: true}), nil
	default:
		return s.request(c)
	}
}

// request carries out what a participant asked for.
func (s *State) request(c Command) ([]Effect, error) {
	by := s.bySID[requester(c)]
	if by == nil {
		return nil, refuse(protocol.ParticipantNotFound, "you are not in this room any more", "join again")
	}
	switch c := c.(type) {
	case Update:
		return s.update(by, c)
	case Offer:
		return s.offer(by, c)
	case Unpublish:
		return s.unpublish(by, c)
	case Mute:
		return s.mute(by, c)
	case Subscribe:
		return s.subscribe(by, c)
	case Kick:
		return s.kick(by, c)
	case End:
		return s.end(by, c)
	default:
		panic("room: unknown command")
	}
}

func requester(c Command) SID {
	switch c := c.(type) {
	case Update:
		return c.By
	case Offer:
		return c.By
	case Unpublish:
		return c.By
	case Mute:
		return c.By
	case Subscribe:
		return c.By
	case Kick:
		return c.By
	case End:
		return c.By
	default:
		return ""
	}
}

// participant is m as others see it. The copy is the receiver's to keep.
func (m *member) participant() protocol.Participant {
	p := m.seen
	p.Publications = make(protocol.List[protocol.Publication], 0, len(m.published))
	for _, pub := range m.published {
		p.Publications = append(p.Publications, pub.seen)
	}
	return p
}

func (s *State) remove(m *member) {
	for _, p := range slices.Clone(m.published) {
		s.forget(p, false)
	}
	s.release(m)
	s.members = slices.DeleteFunc(s.members, func(x *member) bool { return x == m })
	delete(s.bySID, m.sid)
	delete(s.byIdentity, m.seen.Identity)
}

// forget forgets a publication. keepChoices is for one that begins again under the same id on another transport.
func (s *State) forget(p *publication, keepChoices bool) {
	id := PublicationID(p.seen.ID)
	delete(s.publications, id)
	p.owner.published = slices.DeleteFunc(p.owner.published, func(x *publication) bool { return x == p })
	if !keepChoices {
		s.forgetChoices(id)
	}
}

func (s *State) forgetChoices(id PublicationID) {
	for _, m := range s.members {
		delete(m.choices, id)
	}
}
