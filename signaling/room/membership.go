package room

import (
	"maps"
	"slices"
	"time"

	"github.com/turnout-rtc/turnout/signaling/protocol"
)

func (s *State) join(now time.Time, c Join) ([]Effect, error) {
	old := s.byIdentity[c.Identity]
	if old != nil && s.cfg.Duplicate == Reject && !old.detached {
		return nil, &protocol.Error{Code: protocol.IdentityTaken, Message: "this identity is in the room already", Hint: "leave there first, or join as somebody else", Retryable: true}
	}
	if old == nil && len(s.members) >= s.cfg.MaxParticipants {
		return nil, &protocol.Error{Code: protocol.RoomFull, Message: "the room is full", Hint: "try again when somebody has left", Retryable: true}
	}
	var out []Effect
	if old != nil {
		out = s.part(old, protocol.Disconnect{Reason: protocol.DuplicateIdentity, Message: "you joined again elsewhere"})
	}
	m := &member{
		sid: c.SID, may: c.Permissions, mayUpdate: c.MayUpdate, autoSubscribe: c.AutoSubscribe, choices: map[PublicationID]bool{},
		seen: protocol.Participant{SID: string(c.SID), Identity: c.Identity, Name: c.Name, Metadata: c.Metadata, Attributes: maps.Clone(c.Attributes), JoinedAt: now.UnixMilli()},
	}
	out = append(out, Welcome{SID: m.sid, Self: m.participant(), Permissions: m.may, Others: s.visible()})
	s.members = append(s.members, m)
	s.bySID[m.sid] = m
	s.byIdentity[c.Identity] = m
	if !m.may.Hidden {
		out = append(out, Broadcast{Except: m.sid, Message: protocol.ParticipantJoined{Participant: m.participant()}})
	}
	return out, nil
}

// visible lists the participants that may be seen.
func (s *State) visible() []protocol.Participant {
	var all []protocol.Participant
	for _, m := range s.members {
		if !m.may.Hidden {
			all = append(all, m.participant())
		}
	}
	return all
}

func (s *State) leave(sid SID, say protocol.Disconnect) []Effect {
	m := s.bySID[sid]
	if m == nil {
		return nil
	}
	out := s.part(m, say)
	if len(s.members) == 0 {
		out = append(out, Empty{})
	}
	return out
}

// part removes m and tells it and the others.
func (s *State) part(m *member, say protocol.Disconnect) []Effect {
	s.remove(m)
	out := []Effect{Close{SID: m.sid, Say: say}}
	if !m.may.Hidden {
		out = append(out, Broadcast{Message: protocol.ParticipantLeft{SID: string(m.sid), Identity: m.seen.Identity, Reason: asSeen(say.Reason)}})
	}
	return out
}

// asSeen is the reason that others are told: that a participant was slow or sent too much is between it and the server.
func asSeen(r protocol.Reason) protocol.Reason {
	switch r {
	case protocol.SlowReader, protocol.Flood, protocol.ServerShutdown:
		return protocol.ConnectionLost
	default:
		return r
	}
}

// retryable says whether joining again may help.
func retryable(r protocol.Reason) bool {
	return r == protocol.SlowReader || r == protocol.ServerShutdown || r == protocol.ConnectionLost
}

func (s *State) detach(sid SID, detached bool) {
	if m := s.bySID[sid]; m != nil {
		m.detached = detached
	}
}

func (s *State) update(m *member, c Update) ([]Effect, error) {
	if !m.mayUpdate {
		return nil, refuse(protocol.AuthForbidden, "your token does not allow you to change your name, metadata or attributes", "use a token with canUpdateOwnMetadata")
	}
	merged := maps.Clone(m.seen.Attributes)
	if merged == nil {
		merged = protocol.Attributes{}
	}
	for k, v := range c.Attributes {
		if merged[k] = v; v == "" {
			delete(merged, k)
		}
	}
	if !merged.Fit() {
		return nil, refuse(protocol.Malformed, "with these your attributes are more than 64, or together more than 16 KiB", "remove some by setting them to \"\"")
	}
	m.seen.Attributes = merged
	if c.Name != nil {
		m.seen.Name = *c.Name
	}
	if c.Metadata != nil {
		m.seen.Metadata = *c.Metadata
	}
	message := protocol.ParticipantUpdated{Participant: m.participant()}
	if m.may.Hidden {
		return []Effect{Send{To: m.sid, Message: message}}, nil
	}
	return []Effect{Broadcast{Message: message}}, nil
}

func (s *State) kick(by *member, c Kick) ([]Effect, error) {
	if !by.may.Admin {
		return nil, refuse(protocol.AuthForbidden, "only an admin may remove participants", "use a token with roomAdmin")
	}
	m := s.byIdentity[c.Identity]
	if m == nil {
		return nil, refuse(protocol.ParticipantNotFound, "nobody of this identity is in the room", "it may have left")
	}
	return s.leave(m.sid, protocol.Disconnect{Reason: protocol.Kicked, Message: explain("you were removed by a moderator", c.Reason)}), nil
}

func (s *State) end(by *member, c End) ([]Effect, error) {
	if !by.may.Admin {
		return nil, refuse(protocol.AuthForbidden, "only an admin may end the room", "use a token with roomAdmin")
	}
	return s.over(protocol.Disconnect{Reason: protocol.RoomEnded, Message: explain("the room was ended by a moderator", c.Reason)}), nil
}

// over removes everybody. Nobody is told that the others leave.
func (s *State) over(say protocol.Disconnect) []Effect {
	var out []Effect
	for _, m := range slices.Clone(s.members) {
		s.remove(m)
		out = append(out, Close{SID: m.sid, Say: say})
	}
	return append(out, Ended{})
}

func explain(message, reason string) string {
	if reason == "" {
		return message
	}
	return message + ": " + reason
}
