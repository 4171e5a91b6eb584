package follow

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/turnout-rtc/turnout/signaling/protocol"
)

func pub(id string, kind protocol.Kind, source string) protocol.Publication {
	return protocol.Publication{ID: id, Kind: kind, Source: source}
}

func both(identity string) Wish { return Wish{Identity: identity, Audio: true, Video: true} }

func want(t *testing.T, what string, got []protocol.Subscribe, choices ...string) {
	t.Helper()
	var told []string
	for _, c := range got {
		told = append(told, map[bool]string{true: "+", false: "-"}[c.Subscribed]+c.ID)
	}
	if !slices.Equal(told, choices) {
		t.Errorf("%s: %v, not %v", what, told, choices)
	}
}

func TestTheCameraComesBeforeTheScreen(t *testing.T) {
	ada := protocol.Participant{SID: "PA_1", Identity: "ada", Publications: []protocol.Publication{pub("s", "video", "screen"), pub("m", "audio", "microphone")}}
	v, choices := New(both("ada"), protocol.Joined{Participants: []protocol.Participant{{SID: "PA_0", Identity: "bob"}, ada}})
	want(t, "at first", choices, "+m", "+s")
	want(t, "the camera begins", v.Hear(protocol.Published{Participant: "PA_1", Publication: pub("c", "video", "camera")}), "-s", "+c")
	want(t, "a second one", v.Hear(protocol.Published{Participant: "PA_1", Publication: pub("c2", "video", "camera")}))
	want(t, "somebody else's", v.Hear(protocol.Published{Participant: "PA_0", Publication: pub("x", "video", "camera")}))
	want(t, "the camera ends", v.Hear(protocol.Unpublished{Participant: "PA_1", ID: "c"}), "+c2")
	want(t, "both have ended", v.Hear(protocol.Unpublished{Participant: "PA_1", ID: "c2"}), "+s")
	want(t, "she leaves", v.Hear(protocol.ParticipantLeft{SID: "PA_1"}))
	if v.There() {
		t.Error("she is there")
	}
	ada.SID, ada.Publications = "PA_2", nil
	want(t, "she is back", v.Hear(protocol.ParticipantJoined{Participant: ada}))
	want(t, "and publishes", v.Hear(protocol.Published{Participant: "PA_2", Publication: pub("c3", "video", "camera")}), "+c3")
}

func TestOnlyWhatIsWishedForIsPlayed(t *testing.T) {
	all := []protocol.Publication{
		pub("c", "video", "camera"), pub("m", "audio", "microphone"), pub("s", "video", "screen"), pub("sa", "audio", "screenAudio"), pub("o", "video", "slides"),
	}
	joined := protocol.Joined{Participants: []protocol.Participant{{SID: "PA_1", Identity: "ada", Publications: all}}}
	_, choices := New(Wish{Identity: "ada", Screen: true, Audio: true, Video: true}, joined)
	want(t, "the screen", choices, "+sa", "+s")
	_, choices = New(Wish{Identity: "ada", Video: true}, joined)
	want(t, "without sound", choices, "+c")
	joined.Participants[0].Publications = all[2:]
	_, choices = New(both("ada"), joined)
	want(t, "another source before the screen", choices, "+sa", "+o")
}

// TestChoicesAddUp compares what has been chosen, whatever happens, with what is best of what is there.
func TestChoicesAddUp(t *testing.T) {
	sources := []string{"camera", "microphone", "screen", "screenAudio", "other"}
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		w := Wish{Identity: "ada", Screen: r.IntN(4) == 0, Audio: r.IntN(4) > 0, Video: r.IntN(4) > 0}
		v, _ := New(w, protocol.Joined{})
		there, sid, n := []protocol.Publication{}, "", 0
		subscribed := map[string]bool{}
		for range 60 {
			var m protocol.ServerMessage
			switch n++; {
			case sid == "":
				sid, there = fmt.Sprint("PA_", n), nil
				m = protocol.ParticipantJoined{Participant: protocol.Participant{SID: sid, Identity: "ada"}}
			case r.IntN(12) == 0:
				m, sid, there = protocol.ParticipantLeft{SID: sid}, "", nil
			case len(there) > 0 && r.IntN(2) == 0:
				i := r.IntN(len(there))
				m, there = protocol.Unpublished{Participant: sid, ID: there[i].ID}, slices.Delete(slices.Clone(there), i, i+1)
			default:
				kind := protocol.Kind([]string{"audio", "video"}[r.IntN(2)])
				p := pub(fmt.Sprint("TR_", n), kind, sources[r.IntN(len(sources))])
				m, there = protocol.Published{Participant: sid, Publication: p}, append(there, p)
			}
			choices := v.Hear(m)
			for id := range subscribed { // the room forgets choices of what has ended
				if !slices.ContainsFunc(there, func(p protocol.Publication) bool { return p.ID == id }) {
					delete(subscribed, id)
				}
			}
			for _, c := range choices {
				if c.Subscribed {
					subscribed[c.ID] = true
				} else {
					delete(subscribed, c.ID)
				}
			}
			if want := naive(w, there); fmt.Sprint(subscribed) != fmt.Sprint(want) {
				t.Fatalf("seed %d, after %+v: %v is chosen, not %v of %+v", seed, m, subscribed, want, there)
			}
		}
	}
}

// naive finds the best by looking for each source in order.
func naive(w Wish, there []protocol.Publication) map[string]bool {
	chosen := map[string]bool{}
	for kind, wished := range map[protocol.Kind]bool{"audio": w.Audio, "video": w.Video} {
		tiers := [][]string{{"camera", "microphone"}, {"other"}, {"screen", "screenAudio"}}
		if w.Screen {
			tiers = tiers[2:]
		}
		if !wished {
			continue
		}
	search:
		for _, tier := range tiers {
			for _, p := range there {
				if p.Kind == kind && slices.Contains(tier, p.Source) {
					chosen[p.ID] = true
					break search
				}
			}
		}
	}
	return chosen
}
