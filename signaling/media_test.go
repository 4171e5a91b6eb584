package signaling_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/turnout-rtc/turnout/signaling"
	"github.com/turnout-rtc/turnout/signaling/auth"
	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// offer is what a client offers first: an audio slot (mid 0), a video slot (1), a camera (2), a microphone (3), data (4).
func offer(t *testing.T, rev int, publications ...protocol.Announcement) protocol.Offer {
	t.Helper()
	sdp, err := os.ReadFile("testdata/offer.sdp")
	if err != nil {
		t.Fatal(err)
	}
	return protocol.Offer{Transport: 1, Rev: rev, SDP: strings.ReplaceAll(string(sdp), "\n", "\r\n"), Publications: publications}
}

func camera(id string) protocol.Announcement {
	return protocol.Announcement{MID: "2", ID: id, Source: protocol.Camera}
}

func microphone(id string) protocol.Announcement {
	return protocol.Announcement{MID: "3", ID: id, Source: protocol.Microphone}
}

func (c *client) publish(publications ...protocol.Announcement) protocol.Answer {
	c.t.Helper()
	id := c.ask(offer(c.t, 1, publications...))
	a, r := await[protocol.Answer](c)
	if r.Re != id || a.Rev != 1 || a.Transport != 1 || a.SDP == "" {
		c.t.Fatalf("answer %+v replies to %d, not %d", a, r.Re, id)
	}
	return a
}

// showing waits for a map that shows exactly these publications.
func (c *client) showing(ids ...string) protocol.SlotMap {
	c.t.Helper()
	for {
		m, _ := await[protocol.SlotMap](c)
		var shown []string
		for _, s := range m.Slots {
			shown = append(shown, s.Publication)
		}
		slices.Sort(shown)
		if slices.Equal(shown, ids) {
			return m
		}
	}
}

func TestPublicationsAreAnnouncedAndShownOnSlots(t *testing.T) {
	h := open(t)
	ada, bob := h.join(token(t, "ada")), h.join(token(t, "bob"))
	if answer := bob.publish(); len(answer.Slots) != 2 || answer.Slots[0].Kind != protocol.Audio || answer.Slots[1].MID != "1" {
		t.Fatalf("bob's slots: %+v", answer.Slots)
	}
	ada.publish(camera("TR_cam"), microphone("TR_mic"))
	for _, id := range []string{"TR_cam", "TR_mic"} {
		p, _ := await[protocol.Published](bob)
		if p.Participant != ada.self.Self.SID || p.Publication.ID != id || (p.Publication.Kind == protocol.Video) != (id == "TR_cam") {
			t.Errorf("bob was told %+v", p)
		}
	}
	if p, _ := await[protocol.Published](ada); p.Publication.ID != "TR_cam" {
		t.Errorf("ada was told %+v of herself", p)
	}
	bob.showing("TR_cam", "TR_mic")
	bob.ask(protocol.Subscribe{ID: "TR_cam", Subscribed: false})
	bob.showing("TR_mic")
	bob.ask(protocol.Subscribe{ID: "TR_cam", Subscribed: true})
	bob.showing("TR_cam", "TR_mic")

	eve := h.join(token(t, "eve"))
	if p := eve.self.Participants[0].Publications; len(p) != 2 {
		t.Errorf("who comes later is told of %+v", p)
	}
	id := eve.ask(protocol.Unpublish{ID: "TR_cam"})
	eve.wantError(id, protocol.PublicationNotFound)
	ada.ask(protocol.Unpublish{ID: "TR_cam"})
	if u, _ := await[protocol.Unpublished](bob); u.ID != "TR_cam" {
		t.Errorf("bob was told %+v", u)
	}
	bob.showing("TR_mic")
	ada.ask(protocol.Leave{})
	bob.showing()
}

func TestASlotMapRisesFromTransportToTransport(t *testing.T) {
	h := open(t)
	ada, bob := h.join(token(t, "ada")), h.join(token(t, "bob"))
	bob.publish()
	ada.publish(camera("TR_cam"))
	before := bob.showing("TR_cam")
	again := offer(t, 2)
	again.Transport = 2
	bob.ask(again)
	if a, _ := await[protocol.Answer](bob); a.Transport != 2 || a.Rev != 2 {
		t.Fatalf("answered %+v", a)
	}
	if after := bob.showing("TR_cam"); after.Version <= before.Version {
		t.Errorf("version %d follows %d", after.Version, before.Version)
	}
	moved := offer(t, 2, camera("TR_cam"))
	moved.Transport = 2
	ada.ask(moved)
	if u, _ := await[protocol.Unpublished](bob); u.ID != "TR_cam" {
		t.Errorf("bob was told %+v", u)
	}
	if p, _ := await[protocol.Published](bob); p.Publication.ID != "TR_cam" {
		t.Errorf("bob was told %+v", p)
	}
	bob.showing("TR_cam")
}

func TestMutingIsSaidToAll(t *testing.T) {
	h := open(t)
	ada, bob := h.join(token(t, "ada", admin)), h.join(token(t, "bob"))
	bob.publish(camera("TR_cam"))
	await[protocol.Published](ada)
	for _, step := range []struct {
		by    *client
		muted bool
		code  protocol.Code
	}{
		{bob, true, ""}, {bob, false, ""}, {ada, true, ""}, {ada, false, protocol.AuthForbidden}, {bob, false, ""},
	} {
		id := step.by.ask(protocol.Mute{ID: "TR_cam", Muted: step.muted})
		if step.code != "" {
			step.by.wantError(id, step.code)
			continue
		}
		for _, c := range []*client{ada, bob} {
			if u, _ := await[protocol.PublicationUpdated](c); u.Publication.Muted != step.muted || u.Participant != bob.self.Self.SID {
				t.Errorf("was told %+v", u)
			}
		}
	}
}

func TestABadOfferIsRefusedAndChangesNothing(t *testing.T) {
	h := open(t, func(c *signaling.Config) { c.MaxPublications = 1 })
	ada, bob := h.join(token(t, "ada", func(x *auth.Token) { x.Grants.Sources = []string{protocol.Camera} })), h.join(token(t, "bob"))
	bob.publish(camera("TR_bob"))
	garbage := offer(t, 1)
	garbage.SDP = "v=0\r\n"
	for _, c := range []struct {
		offer protocol.Offer
		code  protocol.Code
	}{
		{offer(t, 1, microphone("TR_mic")), protocol.AuthForbidden},
		{offer(t, 1, camera("TR_bob")), protocol.PublicationIDTaken},
		{offer(t, 1, camera("TR_1"), protocol.Announcement{MID: "3", ID: "TR_2", Source: protocol.Camera}), protocol.MediaLimit},
		{garbage, protocol.MediaBadOffer},
	} {
		id := ada.ask(c.offer)
		ada.wantError(id, c.code)
	}
	ada.ask(offer(t, 2, camera("TR_ada")))
	if a, _ := await[protocol.Answer](ada); a.Rev != 2 {
		t.Errorf("answered %+v", a)
	}
	if p, _ := await[protocol.Published](bob); p.Publication.ID != "TR_bob" {
		t.Errorf("bob was told %+v", p)
	}
	if p, _ := await[protocol.Published](bob); p.Publication.ID != "TR_ada" {
		t.Errorf("bob was told %+v", p)
	}
}

func TestTheSameRevGetsTheSameAnswer(t *testing.T) {
	h := open(t)
	ada := h.join(token(t, "ada"))
	first := ada.publish(camera("TR_cam"))
	id := ada.ask(offer(t, 1, camera("TR_cam")))
	again, r := await[protocol.Answer](ada)
	if r.Re != id || again.SDP != first.SDP {
		t.Errorf("another answer, to %d", r.Re)
	}
	id = ada.ask(offer(t, 1, camera("TR_cam")))
	await[protocol.Answer](ada)
	ada.ask(protocol.Mute{ID: "TR_cam", Muted: true})
	if _, r := await[protocol.OK](ada); r.Re != id+1 {
		t.Errorf("ok replies to %d", r.Re)
	}
}

func TestKickAndEndAreForAdmins(t *testing.T) {
	h := open(t)
	ada, bob, eve := h.join(token(t, "ada", admin)), h.join(token(t, "bob")), h.join(token(t, "eve"))
	bob.wantError(bob.ask(protocol.Kick{Identity: "eve"}), protocol.AuthForbidden)
	bob.wantError(bob.ask(protocol.EndRoom{}), protocol.AuthForbidden)
	ada.wantError(ada.ask(protocol.Kick{Identity: "nobody"}), protocol.ParticipantNotFound)
	ada.ask(protocol.Kick{Identity: "eve", Reason: "spam"})
	if d, _ := await[protocol.Disconnect](eve); d.Reason != protocol.Kicked || d.Retryable {
		t.Errorf("eve was told %+v", d)
	}
	eve.wantClose(protocol.CloseKicked)
	if l, _ := await[protocol.ParticipantLeft](bob); l.Reason != protocol.Kicked || l.Identity != "eve" {
		t.Errorf("bob was told %+v", l)
	}
	id := ada.ask(protocol.EndRoom{Reason: "over"})
	for {
		if _, r := await[protocol.OK](ada); r.Re == id {
			break
		}
	}
	for _, c := range []*client{ada, bob} {
		if d, _ := await[protocol.Disconnect](c); d.Reason != protocol.RoomEnded {
			t.Errorf("was told %+v", d)
		}
		c.wantClose(protocol.CloseRoomEnded)
	}
	eventually(t, "no room is left", func() bool { return h.server.Stats().Rooms == 0 })
	if again := h.join(token(t, "bob")); len(again.self.Participants) != 0 {
		t.Errorf("the next room is not empty: %+v", again.self.Participants)
	}
}

func TestHiddenParticipantsAreSeenByNobody(t *testing.T) {
	h := open(t)
	ada := h.join(token(t, "ada"))
	spy := h.join(token(t, "spy", func(x *auth.Token) { x.Grants.Hidden = true }))
	bob := h.join(token(t, "bob"))
	if len(spy.self.Participants) != 1 || len(bob.self.Participants) != 1 {
		t.Errorf("the spy sees %+v, bob sees %+v", spy.self.Participants, bob.self.Participants)
	}
	if j, _ := await[protocol.ParticipantJoined](ada); j.Participant.Identity != "bob" {
		t.Errorf("ada was told %+v", j)
	}
	spy.wantError(spy.ask(offer(t, 1, camera("TR_spy"))), protocol.AuthForbidden)
	spy.ask(protocol.Leave{})
	spy.wantClose(protocol.CloseNormal)
	bob.ask(protocol.Leave{})
	if l, _ := await[protocol.ParticipantLeft](ada); l.Identity != "bob" {
		t.Errorf("ada was told %+v", l)
	}
}
