package signaling_test

import (
	"testing"

	"github.com/turnout-rtc/turnout/signaling/protocol"
)

func TestTwoParticipantsSeeEachOther(t *testing.T) {
	h := open(t)
	ada := h.join(token(t, "ada"))
	bob := h.join(token(t, "bob"))
	if p := bob.self.Participants; len(p) != 1 || p[0].Identity != "ada" || p[0].Name != "ADA" {
		t.Fatalf("bob was told of %+v", p)
	}
	joined, _ := await[protocol.ParticipantJoined](ada)
	if joined.Participant.SID != bob.self.Self.SID {
		t.Errorf("ada was told of %+v", joined)
	}
	name := "Robert"
	id := bob.ask(protocol.Update{Name: &name, Attributes: map[string]string{"hand": "up"}})
	if _, r := await[protocol.OK](bob); r.Re != id {
		t.Errorf("ok replies to %d, not %d", r.Re, id)
	}
	updated, _ := await[protocol.ParticipantUpdated](ada)
	if p := updated.Participant; p.Name != name || p.Attributes["hand"] != "up" {
		t.Errorf("ada was told %+v", p)
	}
	if _, r := await[protocol.ParticipantUpdated](bob); r.N == 0 {
		t.Error("bob did not hear of it himself")
	}
	id = bob.ask(protocol.Leave{})
	if d, r := await[protocol.Disconnect](bob); d.Reason != protocol.Left || r.Re != id {
		t.Errorf("got %+v as a reply to %d", d, r.Re)
	}
	bob.wantClose(protocol.CloseNormal)
	left, _ := await[protocol.ParticipantLeft](ada)
	if left.SID != bob.self.Self.SID || left.Reason != protocol.Left {
		t.Errorf("ada was told %+v", left)
	}
	eventually(t, "one participant", func() bool { return h.server.Stats().Participants == 1 && h.server.Stats().WebSockets == 1 })
}
