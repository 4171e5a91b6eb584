package room

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// model is a room as a list of facts, without any index. It answers only: which error, and who sees what afterwards.
type model struct {
	cfg     Config
	members []*modelMember
	tracks  []modelTrack
}

type modelMember struct {
	join      Join
	detached  bool
	attrs     map[string]string
	name      string
	transport int
	revs      []int // used up
	answered  int
	pending   int
	offered   []modelTrack // of the pending offer
	choices   map[PublicationID]bool
}

type modelTrack struct {
	owner   SID
	id      PublicationID
	source  string
	muted   bool
	paused  bool // muted as the offer said
	dropped bool
}

func (m *model) member(sid SID) *modelMember {
	for _, x := range m.members {
		if x.join.SID == sid {
			return x
		}
	}
	return nil
}

func (m *model) track(id PublicationID) *modelTrack {
	for i := range m.tracks {
		if m.tracks[i].id == id {
			return &m.tracks[i]
		}
	}
	return nil
}

func (m *model) drop(sid SID) {
	m.tracks = slices.DeleteFunc(m.tracks, func(t modelTrack) bool {
		if t.owner == sid {
			m.forget(t.id)
		}
		return t.owner == sid
	})
	m.members = slices.DeleteFunc(m.members, func(x *modelMember) bool { return x.join.SID == sid })
}

func (m *model) forget(id PublicationID) {
	for _, x := range m.members {
		delete(x.choices, id)
	}
}

// apply returns the expected error code.
func (m *model) apply(c Command) protocol.Code {
	switch c := c.(type) {
	case Join:
		return m.joins(c)
	case Leave:
		m.drop(c.SID)
		return ""
	case Stop:
		m.members, m.tracks = nil, nil
		return ""
	case Detach:
		if x := m.member(c.SID); x != nil {
			x.detached = true
		}
		return ""
	case Attach:
		if x := m.member(c.SID); x != nil {
			x.detached = false
		}
		return ""
	case Answered:
		m.answers(c)
		return ""
	case Refused:
		if x := m.member(c.By); x != nil && x.transport == c.Transport && x.pending == c.Rev {
			for _, t := range x.offered {
				m.forget(t.id)
			}
			x.pending, x.offered = 0, nil
		}
		return ""
	}
	by := m.member(requester(c))
	if by == nil {
		return protocol.ParticipantNotFound
	}
	return m.asks(by, c)
}

func (m *model) joins(c Join) protocol.Code {
	for _, x := range m.members {
		if x.join.Identity != c.Identity {
			continue
		}
		if m.cfg.Duplicate == Reject && !x.detached {
			return protocol.IdentityTaken
		}
		m.drop(x.join.SID)
		m.add(c)
		return ""
	}
	if len(m.members) >= m.cfg.MaxParticipants {
		return protocol.RoomFull
	}
	m.add(c)
	return ""
}

func (m *model) add(c Join) {
	m.members = append(m.members, &modelMember{join: c, attrs: maps.Clone(c.Attributes), name: c.Name, choices: map[PublicationID]bool{}})
}

func (m *model) asks(by *modelMember, c Command) protocol.Code {
	switch c := c.(type) {
	case Update:
		if !by.join.MayUpdate {
			return protocol.AuthForbidden
		}
		if by.attrs == nil {
			by.attrs = map[string]string{}
		}
		for k, v := range c.Attributes {
			by.attrs[k] = v
			if v == "" {
				delete(by.attrs, k)
			}
		}
		if c.Name != nil {
			by.name = *c.Name
		}
	case Offer:
		return m.offers(by, c)
	case Unpublish:
		for i := range by.offered {
			if by.offered[i].id == c.ID {
				by.offered[i].dropped = true
				return ""
			}
		}
		t := m.track(c.ID)
		if t == nil || t.owner != by.join.SID {
			return protocol.PublicationNotFound
		}
		m.tracks = slices.DeleteFunc(m.tracks, func(t modelTrack) bool { return t.id == c.ID })
		m.forget(c.ID)
	case Mute:
		return m.mutes(by, c)
	case Subscribe:
		t := m.track(c.ID)
		switch {
		case !by.join.Permissions.Subscribe:
			return protocol.AuthForbidden
		case t == nil || t.owner == by.join.SID:
			return protocol.PublicationNotFound
		}
		by.choices[c.ID] = c.Subscribed
	case Kick:
		if !by.join.Permissions.Admin {
			return protocol.AuthForbidden
		}
		for _, x := range m.members {
			if x.join.Identity == c.Identity {
				m.drop(x.join.SID)
				return ""
			}
		}
		return protocol.ParticipantNotFound
	case End:
		if !by.join.Permissions.Admin {
			return protocol.AuthForbidden
		}
		m.members, m.tracks = nil, nil
	}
	return ""
}

func (m *model) mutes(by *modelMember, c Mute) protocol.Code {
	for i := range by.offered {
		if by.offered[i].id == c.ID && !by.offered[i].dropped {
			by.offered[i].muted = c.Muted
			return ""
		}
	}
	t := m.track(c.ID)
	switch {
	case t == nil:
		return protocol.PublicationNotFound
	case t.owner != by.join.SID && (!by.join.Permissions.Admin || !c.Muted):
		return protocol.AuthForbidden
	}
	t.muted = c.Muted
	return ""
}

func (m *model) offers(by *modelMember, c Offer) protocol.Code {
	fresh := c.Transport > by.transport
	switch {
	case c.Transport < by.transport:
		return protocol.MediaBadOffer
	case !fresh && by.pending != 0 && by.pending != c.Rev:
		return protocol.MediaBadOffer
	case !fresh && (by.pending == c.Rev || by.answered == c.Rev):
		return ""
	}
	for _, used := range append(by.revs, by.pending) {
		if c.Rev <= used {
			return protocol.MediaBadOffer
		}
	}
	var begin []modelTrack
	for i, a := range c.Publications {
		for _, b := range c.Publications[:i] {
			if a.ID == b.ID || a.MID == b.MID {
				return protocol.MediaBadOffer
			}
		}
		for _, x := range m.members {
			for _, t := range x.offered {
				if x != by && t.id == PublicationID(a.ID) {
					return protocol.PublicationIDTaken
				}
			}
		}
		t := m.track(PublicationID(a.ID))
		switch {
		case t != nil && t.owner != by.join.SID:
			return protocol.PublicationIDTaken
		case t != nil && !fresh && t.source != a.Source:
			return protocol.MediaBadOffer
		case t != nil && !fresh:
			continue
		case !by.join.Permissions.MayPublish(a.Source):
			return protocol.AuthForbidden
		}
		begin = append(begin, modelTrack{owner: by.join.SID, id: PublicationID(a.ID), source: a.Source, muted: a.Muted, paused: a.Muted})
	}
	total := len(begin)
	for _, t := range m.tracks {
		if t.owner == by.join.SID && !fresh {
			total++
		}
	}
	if total > m.cfg.MaxPublications {
		return protocol.MediaLimit
	}
	if fresh {
		m.refresh(by, c, begin)
	}
	by.pending, by.offered = c.Rev, begin
	return ""
}

func (m *model) refresh(by *modelMember, c Offer, begin []modelTrack) {
	gone := append([]modelTrack{}, by.offered...)
	m.tracks = slices.DeleteFunc(m.tracks, func(t modelTrack) bool {
		if t.owner == by.join.SID {
			gone = append(gone, t)
		}
		return t.owner == by.join.SID
	})
	for _, t := range gone {
		if !slices.ContainsFunc(begin, func(b modelTrack) bool { return b.id == t.id }) {
			m.forget(t.id)
		}
	}
	by.transport = c.Transport
	by.revs = append(by.revs, by.pending)
	by.answered = 0
}

func (m *model) answers(c Answered) {
	x := m.member(c.By)
	if x == nil || x.transport != c.Transport || x.pending != c.Rev {
		return
	}
	for _, t := range x.offered {
		if _, ok := find(c.Published, t.id); ok && !t.dropped {
			m.tracks = append(m.tracks, t)
		} else {
			m.forget(t.id)
		}
	}
	x.revs = append(x.revs, c.Rev)
	x.answered, x.pending, x.offered = c.Rev, 0, nil
}

// sees is the roster that a participant must have: identity, name, attributes and publications of everybody visible.
func (m *model) sees() []string {
	var all []string
	for _, x := range m.members {
		if x.join.Permissions.Hidden {
			continue
		}
		line := fmt.Sprint(x.join.SID, x.join.Identity, x.name, sorted(x.attrs))
		var tracks []string
		for _, t := range m.tracks {
			if t.owner == x.join.SID {
				tracks = append(tracks, fmt.Sprint(t.id, t.source, t.muted))
			}
		}
		slices.Sort(tracks)
		all = append(all, line+fmt.Sprint(tracks))
	}
	slices.Sort(all)
	return all
}

// shown is what the transport of a participant must show.
func (m *model) shown(x *modelMember) []string {
	var all []string
	for _, t := range m.tracks {
		wants := x.join.AutoSubscribe
		if c, ok := x.choices[t.id]; ok {
			wants = c
		}
		if wants && t.owner != x.join.SID && x.join.Permissions.Subscribe && x.transport != 0 {
			all = append(all, string(t.id))
		}
	}
	slices.Sort(all)
	return all
}

func sorted(a map[string]string) string {
	var all []string
	for k, v := range a {
		all = append(all, k+"="+v)
	}
	slices.Sort(all)
	return fmt.Sprint(all)
}

// TestRandomCommandsAgreeWithANaiveModel drives a State and a model with the same commands. The error must be the same; on
// error nothing may change; and what every client can piece together from its messages, and every transport from its
// effects, must be what the model says.
func TestRandomCommandsAgreeWithANaiveModel(t *testing.T) {
	outcomes := map[protocol.Code]int{}
	for seed := range uint64(16) {
		policy := []Policy{Replace, Reject}[seed%2]
		w := newWorld(t, seed, Config{MaxParticipants: 5, MaxPublications: 3, Duplicate: policy})
		for range 600 {
			c := w.next()
			outcomes[w.step(c)]++
		}
	}
	for _, code := range []protocol.Code{
		"", protocol.IdentityTaken, protocol.RoomFull, protocol.AuthForbidden, protocol.MediaBadOffer, protocol.MediaLimit,
		protocol.PublicationIDTaken, protocol.PublicationNotFound, protocol.ParticipantNotFound,
	} {
		if outcomes[code] < 2 {
			t.Errorf("the commands led only %d times to %q: the test shows little", outcomes[code], code)
		}
	}
}

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

// next makes a command that often makes sense.
func (w *world) next() Command {
	r := w.rand
	sid := SID("nobody")
	if len(w.sids) > 0 && r.IntN(20) > 0 {
		recent := w.sids[max(0, len(w.sids)-8):]
		sid = recent[r.IntN(len(recent))]
	}
	id := PublicationID(fmt.Sprint("T", r.IntN(12)))
	flip := r.IntN(2) == 0
	switch r.IntN(16) {
	case 0, 1:
		return w.join()
	case 2:
		return Leave{SID: sid, Reason: []protocol.Reason{protocol.Left, protocol.ConnectionLost, protocol.Flood}[r.IntN(3)], Message: "bye"}
	case 3:
		if flip {
			return Detach{SID: sid}
		}
		return Attach{SID: sid}
	case 4:
		name := fmt.Sprint("n", r.IntN(3))
		return Update{By: sid, Update: protocol.Update{Name: &name, Attributes: map[string]string{fmt.Sprint("k", r.IntN(2)): []string{"", "v"}[r.IntN(2)]}}}
	case 5, 6, 7:
		return w.offer(sid)
	case 8, 9, 10:
		return w.outcome()
	case 11:
		return Unpublish{By: sid, ID: id}
	case 12:
		return Mute{By: sid, ID: id, Muted: flip}
	case 13, 14:
		return Subscribe{By: sid, ID: id, Subscribed: flip}
	default:
		switch r.IntN(16) {
		case 0:
			return Stop{}
		case 1, 2:
			return End{By: sid}
		}
		return Kick{By: sid, Identity: fmt.Sprint("who", r.IntN(7))}
	}
}

func (w *world) join() Command {
	r := w.rand
	sid := SID(fmt.Sprint("P", len(w.sids)))
	w.sids = append(w.sids, sid)
	j := Join{SID: sid, Identity: fmt.Sprint("who", r.IntN(7)), Name: "x", MayUpdate: r.IntN(4) > 0, AutoSubscribe: r.IntN(3) > 0}
	j.Permissions = protocol.Permissions{Publish: r.IntN(8) > 0, Subscribe: r.IntN(8) > 0, Admin: r.IntN(4) == 0, Hidden: r.IntN(8) == 0}
	if r.IntN(4) == 0 {
		j.Permissions.Sources = []string{protocol.Camera}
	}
	return j
}

func (w *world) offer(sid SID) Command {
	r := w.rand
	o := Offer{By: sid, Transport: 1, Rev: 1 + r.IntN(3)}
	if m := w.model.member(sid); m != nil {
		o.Transport = max(1, m.transport+[]int{0, 0, 0, 0, 0, 0, 1, -1}[r.IntN(8)])
		o.Rev = max(1, slices.Max(append(m.revs, m.pending))+[]int{1, 1, 1, 1, 1, 0, -1}[r.IntN(7)])
	}
	for range r.IntN(4) {
		o.Publications = append(o.Publications, protocol.Announcement{
			MID: fmt.Sprint(r.IntN(10)), ID: fmt.Sprint("T", r.IntN(12)), Source: []string{protocol.Camera, protocol.Microphone}[r.IntN(8)/7], Muted: r.IntN(3) == 0,
		})
	}
	return o
}

// outcome answers or refuses an offer that reached a transport, sometimes one that was answered before.
func (w *world) outcome() Command {
	if len(w.offers) == 0 {
		return Refused{By: "nobody"}
	}
	i := w.rand.IntN(len(w.offers))
	n := w.offers[i]
	if w.rand.IntN(4) > 0 {
		w.offers = slices.Delete(w.offers, i, i+1)
	}
	if w.rand.IntN(5) == 0 {
		return Refused{By: n.SID, Transport: n.Transport, Rev: n.Rev}
	}
	a := Answered{By: n.SID, Transport: n.Transport, Rev: n.Rev}
	m := w.model.member(n.SID)
	if m == nil || m.pending != n.Rev || m.transport != n.Transport {
		return a // a repeated answer brings nothing new
	}
	for _, p := range m.offered { // of a repeated offer the media plane looks only at the number
		if w.rand.IntN(8) > 0 {
			a.Published = append(a.Published, Track{ID: p.id, Kind: protocol.Video})
			w.tracks[p.id], w.paused[p.id] = n.SID, p.paused
		}
	}
	return a
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
