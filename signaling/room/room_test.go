package room

import (
	"reflect"
	"testing"
	"time"

	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// apply carries out a command that must not fail.
func apply(t *testing.T, s *State, c Command) []Effect {
	t.Helper()
	out, err := s.Apply(time.Time{}, c)
	if err != nil {
		t.Fatalf("%#v: %v", c, err)
	}
	return out
}

func has[E Effect](out []Effect) bool {
	for _, e := range out {
		if _, ok := e.(E); ok {
			return true
		}
	}
	return false
}

func testRoom(t *testing.T, identities ...string) *State {
	t.Helper()
	s := New(Config{MaxParticipants: 5, MaxPublications: 3})
	for _, id := range identities {
		apply(t, s, Join{SID: SID(id), Identity: id, Permissions: protocol.Permissions{Publish: true, Subscribe: true}, AutoSubscribe: true})
	}
	return s
}

func TestARevOfAnOldTransportIsNotAnsweredAgain(t *testing.T) {
	s := testRoom(t, "ada")
	apply(t, s, Offer{By: "ada", Transport: 1, Rev: 1})
	apply(t, s, Answered{By: "ada", Transport: 1, Rev: 1})
	if out := apply(t, s, Offer{By: "ada", Transport: 1, Rev: 1}); !has[Negotiate](out) {
		t.Error("the same offer is not answered again")
	}
	apply(t, s, Offer{By: "ada", Transport: 2, Rev: 2})
	apply(t, s, Refused{By: "ada", Transport: 2, Rev: 2})
	if _, err := s.Apply(time.Time{}, Offer{By: "ada", Transport: 2, Rev: 1}); err == nil {
		t.Error("rev 1 was taken on a transport that never answered it")
	}
	apply(t, s, Offer{By: "ada", Transport: 2, Rev: 3})
}

func TestWhoChoseNotToReceiveIsNotShownTheSameAfterAnotherTransport(t *testing.T) {
	s := testRoom(t, "ada", "bob")
	camera := []protocol.Announcement{{MID: "0", ID: "cam", Source: protocol.Camera}}
	publish := func(transport, rev int) []Effect {
		apply(t, s, Offer{By: "ada", Transport: transport, Rev: rev, Publications: camera})
		return apply(t, s, Answered{By: "ada", Transport: transport, Rev: rev, Published: []Track{{ID: "cam", Kind: protocol.Video}}})
	}
	apply(t, s, Offer{By: "bob", Transport: 1, Rev: 1})
	if out := publish(1, 1); !has[Show](out) {
		t.Fatal("bob is not shown what is published")
	}
	apply(t, s, Subscribe{By: "bob", ID: "cam", Subscribed: false})
	if out := publish(2, 2); has[Show](out) {
		t.Error("bob is shown what he does not want")
	}
	apply(t, s, Unpublish{By: "ada", ID: "cam"})
	if out := publish(3, 3); !has[Show](out) {
		t.Error("bob's choice outlived the publication")
	}
}

func TestMutingBeforeTheAnswerCounts(t *testing.T) {
	s := testRoom(t, "ada")
	apply(t, s, Offer{By: "ada", Transport: 1, Rev: 1, Publications: []protocol.Announcement{{MID: "0", ID: "cam", Source: protocol.Camera}}})
	apply(t, s, Mute{By: "ada", ID: "cam", Muted: true})
	out := apply(t, s, Answered{By: "ada", Transport: 1, Rev: 1, Published: []Track{{ID: "cam", Kind: protocol.Video}}})
	if !has[Pause](out) {
		t.Errorf("it is not paused: %#v", out)
	}
}

func TestAnAttributeThatIsTooMuchChangesNothing(t *testing.T) {
	s := testRoom(t, "ada")
	s.members[0].mayUpdate = true
	half := string(make([]byte, protocol.MaxAttributeSum/2))
	apply(t, s, Update{By: "ada", Update: protocol.Update{Attributes: map[string]string{"a": half}}})
	name := "Ada"
	if _, err := s.Apply(time.Time{}, Update{By: "ada", Update: protocol.Update{Name: &name, Attributes: map[string]string{"b": half}}}); err == nil {
		t.Fatal("more than fits was taken")
	}
	if p := s.members[0].participant(); p.Name != "" || len(p.Attributes) != 1 {
		t.Errorf("changed to %q with %d attributes", p.Name, len(p.Attributes))
	}
	apply(t, s, Update{By: "ada", Update: protocol.Update{Attributes: map[string]string{"a": "", "b": half}}})
}

func TestApplyOfTheSameKeepsTheSame(t *testing.T) {
	s := New(Config{MaxParticipants: 5, MaxPublications: 3})
	join := Join{SID: "P", Identity: "ada", Permissions: protocol.Permissions{Subscribe: true}}
	if _, err := s.Apply(time.Time{}, join); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if out, err := s.Apply(time.Time{}, Detach{SID: "P"}); err != nil || len(out) != 0 {
			t.Errorf("%v, %v", out, err)
		}
	}
	first, _ := s.Apply(time.Time{}, Leave{SID: "P", Reason: protocol.Left})
	second, err := s.Apply(time.Time{}, Leave{SID: "P", Reason: protocol.Left})
	if err != nil || len(second) != 0 || !reflect.DeepEqual(first[len(first)-1], Effect(Empty{})) {
		t.Errorf("%v, then %v, %v", first, second, err)
	}
}
