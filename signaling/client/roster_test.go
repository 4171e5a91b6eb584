package client

import (
	"slices"
	"testing"

	"github.com/turnout-rtc/turnout/signaling/protocol"
)

func person(sid string, publications ...string) protocol.Participant {
	p := protocol.Participant{SID: sid, Identity: "id-" + sid}
	for _, id := range publications {
		p.Publications = append(p.Publications, protocol.Publication{ID: id, Kind: protocol.Audio})
	}
	return p
}

func TestRosterFollowsTheRoom(t *testing.T) {
	r := newRoster(protocol.Joined{Self: person("me"), Participants: []protocol.Participant{person("a", "a1")}})
	before := r.list()
	steps := []struct {
		message protocol.ServerMessage
		event   Event
	}{
		{protocol.ParticipantJoined{Participant: person("b")}, ParticipantJoined{}},
		{protocol.Published{Participant: "b", Publication: protocol.Publication{ID: "b1"}}, Published{}},
		{protocol.Published{Participant: "me", Publication: protocol.Publication{ID: "m1"}}, nil},
		{protocol.PublicationUpdated{Participant: "a", Publication: protocol.Publication{ID: "a1", Muted: true}}, PublicationUpdated{}},
		{protocol.Unpublished{Participant: "a", ID: "a1"}, Unpublished{}},
		{protocol.Unpublished{Participant: "a", ID: "a1"}, nil},
		{protocol.Published{Participant: "nobody", Publication: protocol.Publication{ID: "x"}}, nil},
		{protocol.ParticipantLeft{SID: "a", Reason: protocol.Kicked}, ParticipantLeft{}},
		{protocol.ParticipantLeft{SID: "a"}, nil},
		{protocol.Pong{}, nil},
	}
	for i, s := range steps {
		events := r.apply(s.message)
		if (s.event == nil) != (len(events) == 0) {
			t.Errorf("step %d, %T: events %v", i, s.message, events)
		}
	}
	var who []string
	for _, p := range r.list() {
		who = append(who, p.SID)
	}
	if !slices.Equal(who, []string{"me", "b"}) {
		t.Errorf("in the room: %v", who)
	}
	if len(before[1].Publications) != 1 || before[1].Publications[0].Muted {
		t.Errorf("a list handed out earlier has changed: %+v", before[1])
	}
	if owner, _, ok := r.find("b1"); !ok || owner.SID != "b" {
		t.Errorf("b1 belongs to %q, %v", owner.SID, ok)
	}
}
