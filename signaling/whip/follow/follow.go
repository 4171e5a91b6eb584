// Package follow decides what a player of WHEP receives: of one participant, at most one audio and one video publication, the
// best there is at any time.
//
// A View is fed what the room says and answers with the choices to be made in the room. It is pure.
package follow

import (
	"slices"

	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// Wish is what is to be played.
type Wish struct {
	Identity     string
	Screen       bool // the screen and its sound, and nothing else
	Audio, Video bool // what the player can take
}

// View is one player's. The zero value is not usable.
type View struct {
	wish   Wish
	sid    string // of the participant; "" while it is not there
	there  []protocol.Publication
	chosen map[protocol.Kind]string // publication id by kind
}

// New makes a view of a room that has just been joined. choices are the first to be made.
func New(w Wish, joined protocol.Joined) (v *View, choices []protocol.Subscribe) {
	v = &View{wish: w, chosen: map[protocol.Kind]string{}}
	for _, p := range joined.Participants {
		v.arrive(p)
	}
	return v, v.choose()
}

// There says whether the participant is in the room.
func (v *View) There() bool { return v.sid != "" }

// Hear takes a message of the room and returns the choices that follow from it.
func (v *View) Hear(m protocol.ServerMessage) []protocol.Subscribe {
	switch m := m.(type) {
	case protocol.ParticipantJoined:
		v.arrive(m.Participant)
	case protocol.ParticipantLeft:
		if m.SID == v.sid {
			v.sid, v.there = "", nil
		}
	case protocol.Published:
		if m.Participant == v.sid {
			v.there = append(v.there, m.Publication)
		}
	case protocol.Unpublished:
		if m.Participant == v.sid {
			v.there = slices.DeleteFunc(v.there, func(p protocol.Publication) bool { return p.ID == m.ID })
		}
	}
	return v.choose()
}

func (v *View) arrive(p protocol.Participant) {
	if p.Identity == v.wish.Identity {
		v.sid, v.there = p.SID, slices.Clone(p.Publications)
	}
}

// choose compares what is best now with what was chosen before. What is not there any more needs no choice: the room has
// forgotten it.
func (v *View) choose() []protocol.Subscribe {
	var choices []protocol.Subscribe
	for _, kind := range []protocol.Kind{protocol.Audio, protocol.Video} {
		was, best := v.chosen[kind], v.best(kind)
		if was == best {
			continue
		}
		if v.has(was) { // first: it frees the slot
			choices = append(choices, protocol.Subscribe{ID: was, Subscribed: false})
		}
		if v.chosen[kind] = best; best != "" {
			choices = append(choices, protocol.Subscribe{ID: best, Subscribed: true})
		}
	}
	return choices
}

func (v *View) has(id string) bool {
	return slices.ContainsFunc(v.there, func(p protocol.Publication) bool { return p.ID == id })
}

// best is the publication of a kind to be played, "" for none. Of equals it is the oldest.
func (v *View) best(kind protocol.Kind) string {
	if kind == protocol.Audio && !v.wish.Audio || kind == protocol.Video && !v.wish.Video {
		return ""
	}
	id, rank := "", 0
	for _, p := range v.there {
		if r := v.rank(p); p.Kind == kind && r > rank {
			id, rank = p.ID, r
		}
	}
	return id
}

// rank is 0 for what is not to be played.
func (v *View) rank(p protocol.Publication) int {
	screen := p.Source == protocol.Screen || p.Source == protocol.ScreenAudio
	switch {
	case v.wish.Screen && !screen:
		return 0
	case screen:
		return 1
	case p.Source == protocol.Camera || p.Source == protocol.Microphone:
		return 3
	default: // of a source with a name of the application's
		return 2
	}
}
