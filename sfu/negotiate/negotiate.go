// Package negotiate reads a client's SDP offer and decides whether it can be answered, before anything is changed by it.
//
// Its nouns: a Section is an m-line of the offer, with the Role it plays here. A Plan is all sections of an accepted offer.
// State is what earlier offers of the same transport have fixed. A Refusal says what is wrong and how to mend it.
//
// The package is pure: the same offer and state give the same plan.
package negotiate

import (
	"fmt"
	"strings"

	"github.com/pion/sdp/v3"
)

// Role of a section, seen from the server.
type Role uint8

// The roles.
const (
	Idle        Role = iota // answered, carries nothing: inactive, or sendonly without an announcement
	Slot                    // recvonly: we send on it
	Publication             // the client sends a publication on it
	Data                    // data channels
	Rejected                // port 0: gone for good
)

// Kind of a section, the media field of its m-line.
type Kind string

// The kinds that can be answered.
const (
	Audio       Kind = "audio"
	Video       Kind = "video"
	Application Kind = "application"
)

// Section is one m-line of an offer.
type Section struct {
	MID  string
	Kind Kind
	Role Role
	New  bool   // a slot or a publication that the state does not have
	ID   string // of the publication
}

// Announcement says which m-line carries which publication.
type Announcement struct{ MID, ID string }

// Limits of an offer.
type Limits struct {
	Bytes        int
	Slots        int
	Publications int
}

// Plan is an offer that can be answered.
type Plan struct {
	SDP        string   // the offer without its candidates
	Candidates []string // its candidates, without "a="
	Sections   []Section
}

// State is what earlier offers have fixed. The zero value is that of a new transport.
type State struct {
	Sections     []Section         // of the last accepted offer, in the order of its m-lines
	Publications map[string]string // id by mid, of those that live
}

// Refusal is why an offer is not accepted.
type Refusal struct {
	Limit   bool // it asks for too much; otherwise it cannot be used
	Message string
}

func (r *Refusal) Error() string { return r.Message }

func bad(format string, args ...any) *Refusal {
	return &Refusal{Message: fmt.Sprintf(format, args...)}
}

func limit(format string, args ...any) *Refusal {
	return &Refusal{Limit: true, Message: fmt.Sprintf(format, args...)}
}

// Check decides on an offer.
func Check(offer string, named []Announcement, state State, lim Limits) (Plan, *Refusal) {
	if len(offer) > lim.Bytes {
		return Plan{}, limit("the offer has %d bytes, at most %d are accepted: offer fewer m-lines, or set codec preferences", len(offer), lim.Bytes)
	}
	var p Plan
	p.SDP, p.Candidates = takeCandidates(offer)
	var desc sdp.SessionDescription
	if err := desc.UnmarshalString(p.SDP); err != nil {
		return Plan{}, bad("the offer is no SDP: %v", err)
	}
	// Rejected m-lines stay in an offer for ever, so their number counts too, but with room.
	if most := 2*(lim.Slots+lim.Publications) + 1; len(desc.MediaDescriptions) > most {
		return Plan{}, limit("the offer has %d m-lines, at most %d are accepted", len(desc.MediaDescriptions), most)
	}
	if r := transport(&desc); r != nil {
		return Plan{}, r
	}
	ids, r := announced(named)
	if r != nil {
		return Plan{}, r
	}
	for mid, id := range state.Publications {
		for other, again := range ids {
			if id == again && mid != other {
				return Plan{}, bad("the publication %q is on the mid %q already", id, mid)
			}
		}
	}
	p.Sections, r = sections(&desc, ids, state)
	if r != nil {
		return Plan{}, r
	}
	if r := count(p.Sections, state, lim); r != nil {
		return Plan{}, r
	}
	return p, nil
}

// takeCandidates separates the candidates from the rest. They are given to ICE one by one, so that one that cannot be read
// does not spoil the offer.
func takeCandidates(offer string) (rest string, candidates []string) {
	if !strings.Contains(offer, "a=candidate:") {
		return offer, nil
	}
	var b strings.Builder
	b.Grow(len(offer))
	for line := range strings.Lines(offer) {
		if c, ok := strings.CutPrefix(line, "a="); ok && strings.HasPrefix(c, "candidate:") {
			if len(candidates) < maxCandidates {
				candidates = append(candidates, strings.TrimSpace(c))
			}
			continue
		}
		b.WriteString(line)
	}
	return b.String(), candidates
}

const maxCandidates = 64 // in one offer; a browser with many interfaces has about twenty

// sections gives every m-line its role.
func sections(desc *sdp.SessionDescription, ids map[string]string, state State) ([]Section, *Refusal) {
	seen := make(map[string]bool, len(desc.MediaDescriptions))
	all := make([]Section, 0, len(desc.MediaDescriptions))
	data := false
	for i, m := range desc.MediaDescriptions {
		s, r := section(desc, m, ids, state)
		if r != nil {
			return nil, r
		}
		if seen[s.MID] {
			return nil, bad("two m-lines have the mid %q", s.MID)
		}
		seen[s.MID] = true
		if s.Kind == Application {
			if data && s.Role == Data {
				return nil, bad("the offer has two m-lines for data channels, one is enough for all of them")
			}
			data = data || s.Role == Data
		}
		if r := follows(i, s, state); r != nil {
			return nil, r
		}
		all = append(all, s)
	}
	if len(all) < len(state.Sections) {
		return nil, bad("the offer has %d m-lines, the one before had %d: m-lines are never removed, only stopped", len(all), len(state.Sections))
	}
	for mid := range ids {
		if !seen[mid] {
			return nil, bad("publications names the mid %q, which the offer does not have", mid)
		}
	}
	return all, nil
}

// section reads one m-line on its own.
func section(desc *sdp.SessionDescription, m *sdp.MediaDescription, ids map[string]string, state State) (Section, *Refusal) {
	mid, _ := m.Attribute(sdp.AttrKeyMID)
	s := Section{MID: mid, Kind: Kind(m.MediaName.Media)}
	if !token(mid) {
		return s, bad("an m-line has the mid %q, it must be 1 to %d visible characters", mid, maxMID)
	}
	if s.Kind != Audio && s.Kind != Video && s.Kind != Application {
		return s, bad("the m-line %q is of kind %q, only audio, video and application are accepted", mid, m.MediaName.Media)
	}
	if r := formats(mid, m); r != nil {
		return s, r
	}
	_, bundleOnly := m.Attribute("bundle-only")
	id, named := ids[mid]
	switch {
	case m.MediaName.Port.Value == 0 && !bundleOnly:
		s.Role = Rejected
		if named {
			return s, bad("publications names the mid %q, which the offer rejects", mid)
		}
		return s, nil
	case s.Kind == Application:
		s.Role = Data
		if named {
			return s, bad("publications names the mid %q, which is for data channels", mid)
		}
		return s, nil
	}
	return direct(s, direction(desc, m), id, state)
}

// direct gives s its role by its direction.
func direct(s Section, direction, id string, state State) (Section, *Refusal) {
	live := state.Publications[s.MID]
	if id != "" && live != "" && id != live {
		return s, bad("the mid %q carries the publication %q already: unpublish it first", s.MID, live)
	}
	switch direction {
	case "recvonly":
		s.Role = Slot
		if id != "" && id != live {
			return s, bad("publications names the mid %q, which is recvonly", s.MID)
		}
	case "inactive":
		s.Role = Idle
		if id != "" && id != live {
			return s, bad("publications names the mid %q, which is inactive", s.MID)
		}
	default: // sendonly, sendrecv: we only receive
		if id != "" {
			s.Role, s.ID, s.New = Publication, id, live == ""
		}
	}
	return s, nil
}

// follows checks s against the same m-line of the offer before (RFC 9429 §5.2.2).
func follows(i int, s Section, state State) *Refusal {
	if i >= len(state.Sections) {
		return nil
	}
	was := state.Sections[i]
	switch {
	case was.Role == Rejected:
		return nil // may be recycled, RFC 9429 §5.2.2
	case was.MID != s.MID:
		return bad("the m-line number %d had the mid %q and now has %q: m-lines keep their place", i+1, was.MID, s.MID)
	case was.Kind != s.Kind:
		return bad("the m-line %q was %s and now is %s", s.MID, was.Kind, s.Kind)
	case was.Role == Slot && s.Role != Slot && s.Role != Rejected:
		return bad("the m-line %q is a slot and must stay recvonly: leave it, or stop its transceiver", s.MID)
	case was.Role != Slot && s.Role == Slot:
		return bad("the m-line %q was not a slot and cannot become one: add a transceiver", s.MID)
	}
	return nil
}

// count marks new slots and checks the limits.
func count(all []Section, state State, lim Limits) *Refusal {
	slots, publications := 0, len(state.Publications)
	known := make(map[string]bool, len(state.Sections))
	for _, s := range state.Sections {
		known[s.MID] = s.Role == Slot
	}
	for i := range all {
		switch s := &all[i]; s.Role {
		case Slot:
			slots++
			s.New = !known[s.MID]
		case Publication:
			if s.New {
				publications++
			}
		case Idle, Data, Rejected:
		}
	}
	if slots > lim.Slots {
		return limit("the offer has %d slots, at most %d are accepted", slots, lim.Slots)
	}
	if publications > lim.Publications {
		return limit("%d tracks are published, at most %d are accepted: unpublish one first", publications, lim.Publications)
	}
	return nil
}
