package room

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// world is a State, its model, and the clients and transports that its effects make.
type world struct {
	t       *testing.T
	rand    *rand.Rand
	state   *State
	model   *model
	sids    []SID
	clients map[SID]*client
	tracks  map[PublicationID]SID // alive in the media plane, and whose transport carries them
	paused  map[PublicationID]bool
	offers  []Negotiate
}

// client is what one participant has been told, and what its transport shows.
type client struct {
	self   SID
	roster map[string]protocol.Participant
	shown  map[PublicationID]bool
}

func newWorld(t *testing.T, seed uint64, cfg Config) *world {
	return &world{
		t: t, rand: rand.New(rand.NewPCG(seed, 1)), state: New(cfg), model: &model{cfg: cfg},
		clients: map[SID]*client{}, tracks: map[PublicationID]SID{}, paused: map[PublicationID]bool{},
	}
}

func (w *world) step(c Command) protocol.Code {
	w.t.Helper()
	before := w.dump()
	want := w.model.apply(c)
	out, err := w.state.Apply(time.UnixMilli(1795430400000), c)
	var got protocol.Code
	if err != nil {
		var fault *protocol.Error
		if !errors.As(err, &fault) || fault.Message == "" || fault.Hint == "" {
			w.t.Fatalf("%#v: the error says too little: %#v", c, err)
		}
		got = fault.Code
		if len(out) != 0 || w.dump() != before {
			w.t.Fatalf("%#v was refused (%v) and changed something:\n%s\n%s\n%v", c, err, before, w.dump(), out)
		}
	}
	if got != want {
		w.t.Fatalf("%#v: got %q (%v), the model says %q", c, got, err, want)
	}
	w.carryOut(out)
	w.compare(c)
	return got
}

// dump shows all of a State.
func (w *world) dump() string {
	var b []byte
	for _, m := range w.state.members {
		b = fmt.Appendf(b, "%v %v %v %v %v\n", m.participant(), m.detached, m.choices, m.media.pending, []int{m.media.transport, m.media.used, m.media.answered})
		for _, a := range m.media.announced {
			b = fmt.Appendf(b, "  %v %v %v\n", a.id, a.muted, a.dropped)
		}
	}
	return fmt.Sprintf("%s%d %d %d %d", b, len(w.state.announced), len(w.state.publications), len(w.state.bySID), len(w.state.byIdentity))
}

func (w *world) carryOut(out []Effect) {
	for _, e := range out {
		switch e := e.(type) {
		case Welcome:
			c := &client{self: e.SID, roster: map[string]protocol.Participant{}, shown: map[PublicationID]bool{}}
			if !e.Permissions.Hidden {
				c.roster[e.Self.SID] = e.Self
			}
			for _, p := range e.Others {
				c.roster[p.SID] = p
			}
			w.clients[e.SID] = c
		case Broadcast:
			for sid, c := range w.clients {
				if sid != e.Except {
					c.hear(w.t, e.Message)
				}
			}
		case Send:
			if w.clients[e.To] == nil {
				w.t.Fatalf("%#v to nobody", e)
			}
		case Close:
			if w.clients[e.SID] == nil || e.Say.Message == "" && e.Say.Reason != protocol.Left {
				w.t.Fatalf("%#v", e)
			}
			delete(w.clients, e.SID)
			w.dropTransport(e.SID)
		case Empty, Ended:
			if len(w.clients) != 0 {
				w.t.Fatalf("%#v with %d here", e, len(w.clients))
			}
		default:
			w.media(e)
		}
	}
}

func (w *world) media(e Effect) {
	switch e := e.(type) {
	case ReplaceTransport:
		w.dropTransport(e.SID)
		clear(w.clients[e.SID].shown)
	case Negotiate:
		if w.clients[e.SID] == nil {
			w.t.Fatalf("%#v for nobody", e)
		}
		w.offers = append(w.offers, e)
	case Show:
		if w.tracks[e.ID] == "" {
			w.t.Fatalf("%#v of nothing", e)
		}
		w.clients[e.To].shown[e.ID] = true
	case Hide:
		delete(w.clients[e.To].shown, e.ID)
	case Pause:
		if w.tracks[e.ID] == "" {
			w.t.Fatalf("%#v of nothing", e)
		}
		w.paused[e.ID] = e.Paused
	case Drop:
		if w.tracks[e.ID] == "" {
			w.t.Fatalf("%#v of nothing", e)
		}
		w.endTrack(e.ID)
	}
}

func (w *world) dropTransport(sid SID) {
	for id, owner := range maps.Clone(w.tracks) {
		if owner == sid {
			w.endTrack(id)
		}
	}
	w.offers = slices.DeleteFunc(w.offers, func(n Negotiate) bool { return n.SID == sid })
}

func (w *world) endTrack(id PublicationID) {
	delete(w.tracks, id)
	delete(w.paused, id)
	for _, c := range w.clients {
		delete(c.shown, id) // the media plane frees the slots
	}
}

func (c *client) hear(t *testing.T, m protocol.ServerMessage) {
	t.Helper()
	change := func(sid string, f func(*protocol.Participant)) {
		p, ok := c.roster[sid]
		if !ok {
			t.Fatalf("%s hears %#v of somebody it does not know", c.self, m)
		}
		f(&p)
		c.roster[sid] = p
	}
	switch m := m.(type) {
	case protocol.ParticipantJoined:
		if _, ok := c.roster[m.Participant.SID]; ok {
			t.Fatalf("%s joined twice", m.Participant.SID)
		}
		c.roster[m.Participant.SID] = m.Participant
	case protocol.ParticipantUpdated:
		change(m.Participant.SID, func(p *protocol.Participant) { *p = m.Participant })
	case protocol.ParticipantLeft:
		change(m.SID, func(*protocol.Participant) {})
		delete(c.roster, m.SID)
	case protocol.Published:
		change(m.Participant, func(p *protocol.Participant) { p.Publications = append(slices.Clone(p.Publications), m.Publication) })
	case protocol.PublicationUpdated:
		change(m.Participant, func(p *protocol.Participant) {
			p.Publications = slices.Clone(p.Publications)
			i := slices.IndexFunc(p.Publications, func(x protocol.Publication) bool { return x.ID == m.Publication.ID })
			p.Publications[i] = m.Publication
		})
	case protocol.Unpublished:
		change(m.Participant, func(p *protocol.Participant) {
			p.Publications = slices.DeleteFunc(slices.Clone(p.Publications), func(x protocol.Publication) bool { return x.ID == m.ID })
		})
	default:
		t.Fatalf("a broadcast of %#v", m)
	}
}

func (w *world) compare(after Command) {
	w.t.Helper()
	if len(w.clients) != len(w.model.members) || w.state.Len() != len(w.model.members) {
		w.t.Fatalf("after %#v: %d clients, %d in the state, %d in the model", after, len(w.clients), w.state.Len(), len(w.model.members))
	}
	sees := w.model.sees()
	for _, x := range w.model.members {
		c := w.clients[x.join.SID]
		if got := c.sees(); !slices.Equal(got, sees) {
			w.t.Fatalf("after %#v: %s sees\n%q, the model says\n%q", after, c.self, got, sees)
		}
		var shown []string
		for id := range c.shown {
			shown = append(shown, string(id))
		}
		slices.Sort(shown)
		if want := w.model.shown(x); !slices.Equal(shown, want) {
			w.t.Fatalf("after %#v: %s is shown %v, the model says %v", after, c.self, shown, want)
		}
	}
	for _, track := range w.model.tracks {
		if w.paused[track.id] != track.muted {
			w.t.Fatalf("after %#v: %s is paused: %v, muted: %v", after, track.id, w.paused[track.id], track.muted)
		}
	}
	if len(w.tracks) != len(w.model.tracks) {
		w.t.Fatalf("after %#v: %v alive in the media plane, the model says %v", after, w.tracks, w.model.tracks)
	}
}

func (c *client) sees() []string {
	var all []string
	for _, p := range c.roster {
		tracks := []string{}
		for _, t := range p.Publications {
			tracks = append(tracks, fmt.Sprint(t.ID, t.Source, t.Muted))
		}
		slices.Sort(tracks)
		all = append(all, fmt.Sprint(p.SID, p.Identity, p.Name, sorted(p.Attributes))+fmt.Sprint(tracks))
	}
	slices.Sort(all)
	return all
}
