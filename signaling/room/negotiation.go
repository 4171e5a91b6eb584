package room

import (
	"fmt"

	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// negotiation is where a member stands with its offers.
type negotiation struct {
	transport int // 0: none yet
	used      int // the highest rev of this and earlier transports that was answered or given up
	answered  int // rev of this transport's last answer; 0: none
	pending   int // rev of the offer in flight; 0: none
	announced []*announced
}

// announced is a publication of an offer in flight. Its id is reserved.
type announced struct {
	owner   *member
	id      PublicationID
	source  string
	muted   bool
	offered bool // muted as the offer said
	dropped bool // unpublished before it began
}

func (s *State) offer(by *member, c Offer) ([]Effect, error) {
	fresh := c.Transport > by.media.transport
	repeated, err := by.media.order(c, fresh)
	if err != nil {
		return nil, err
	}
	if repeated {
		return []Effect{s.negotiate(by, c)}, nil
	}
	begin, err := s.checkPublications(by, c, fresh)
	if err != nil {
		return nil, err
	}
	var out []Effect
	if fresh {
		out = s.replaceTransport(by, c)
	}
	by.media.pending = c.Rev
	by.media.announced = begin
	for _, a := range begin {
		s.announced[a.id] = a
	}
	return append(out, s.negotiate(by, c)), nil
}

// order checks the numbers of an offer. A repeated one gets the same answer again.
func (n negotiation) order(c Offer, fresh bool) (repeated bool, err error) {
	bad := func(retryable bool, hint, format string, args ...any) error {
		return &protocol.Error{Code: protocol.MediaBadOffer, Message: fmt.Sprintf(format, args...), Hint: hint, Retryable: retryable}
	}
	switch {
	case c.Transport < n.transport:
		return false, bad(false, "count transports up", "transport %d was replaced by transport %d", c.Transport, n.transport)
	case !fresh && n.pending != 0 && c.Rev != n.pending:
		return false, bad(true, "wait for the answer", "offer %d is still being answered", n.pending)
	case !fresh && (c.Rev == n.pending || c.Rev == n.answered):
		return true, nil
	case c.Rev <= max(n.used, n.pending):
		return false, bad(false, "count offers up", "rev %d is not above the last one, %d", c.Rev, max(n.used, n.pending))
	}
	return false, nil
}

// checkPublications returns those that begin with the offer.
func (s *State) checkPublications(by *member, c Offer, fresh bool) ([]*announced, error) {
	var begin []*announced
	ids, mids := map[string]bool{}, map[string]bool{}
	for _, a := range c.Publications {
		if ids[a.ID] || mids[a.MID] {
			return nil, refuse(protocol.MediaBadOffer, fmt.Sprintf("publication %s or its mid %s is named twice", a.ID, a.MID), "name every m-line and every publication once")
		}
		ids[a.ID], mids[a.MID] = true, true
		known, err := s.checkPublication(by, a, fresh)
		if err != nil {
			return nil, err
		}
		if !known {
			begin = append(begin, &announced{owner: by, id: PublicationID(a.ID), source: a.Source, muted: a.Muted, offered: a.Muted})
		}
	}
	total := len(begin)
	if !fresh {
		total += len(by.published)
	}
	if total > s.cfg.MaxPublications {
		return nil, refuse(protocol.MediaLimit, fmt.Sprintf("you would publish %d tracks, %d are allowed", total, s.cfg.MaxPublications), "unpublish some first")
	}
	return begin, nil
}

// checkPublication says whether a is one of by's that goes on.
func (s *State) checkPublication(by *member, a protocol.Announcement, fresh bool) (known bool, err error) {
	id := PublicationID(a.ID)
	if other := s.announced[id]; other != nil && other.owner != by {
		return false, taken(a.ID)
	}
	p := s.publications[id]
	switch {
	case p != nil && p.owner != by:
		return false, taken(a.ID)
	case p != nil && !fresh && p.seen.Source != a.Source:
		return false, refuse(protocol.MediaBadOffer, fmt.Sprintf("publication %s is a %s already", a.ID, p.seen.Source), "give another source another id")
	case p != nil && !fresh:
		return true, nil
	case !by.may.MayPublish(a.Source):
		return false, refuse(protocol.AuthForbidden, fmt.Sprintf("your token does not allow you to publish %s", a.Source), "use a token with canPublish, and canPublishSources with this source")
	}
	return false, nil
}

func taken(id string) error {
	return refuse(protocol.PublicationIDTaken, "publication id "+id+" belongs to somebody else", "make ids at random")
}

func (s *State) answered(c Answered) []Effect {
	by := s.bySID[c.By]
	if by == nil || by.media.transport != c.Transport || by.media.pending != c.Rev {
		return nil // the answer to a repeated offer, or to one that no longer counts
	}
	waiting := by.media.announced
	s.release(by)
	by.media.used, by.media.answered = c.Rev, c.Rev
	var out []Effect
	for _, a := range waiting {
		track, began := find(c.Published, a.id)
		switch {
		case !began:
			s.forgetChoices(a.id)
		case a.dropped:
			s.forgetChoices(a.id)
			out = append(out, Drop{ID: a.id})
		default:
			out = append(out, s.publish(a, track.Kind)...)
		}
	}
	return out
}

func find(tracks []Track, id PublicationID) (Track, bool) {
	for _, t := range tracks {
		if t.ID == id {
			return t, true
		}
	}
	return Track{}, false
}

func (s *State) refused(c Refused) {
	by := s.bySID[c.By]
	if by == nil || by.media.transport != c.Transport || by.media.pending != c.Rev {
		return
	}
	waiting := by.media.announced
	s.release(by)
	for _, a := range waiting {
		s.forgetChoices(a.id)
	}
}

// release frees the ids that m's offer in flight reserved.
func (s *State) release(m *member) {
	for _, a := range m.media.announced {
		delete(s.announced, a.id)
	}
	m.media.announced, m.media.pending = nil, 0
}
