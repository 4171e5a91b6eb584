package sfu

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/turnout-rtc/turnout/sfu/assign"
	"github.com/turnout-rtc/turnout/sfu/forward"
	"github.com/turnout-rtc/turnout/sfu/link"
	"github.com/turnout-rtc/turnout/sfu/negotiate"
)

// answerTimeout bounds the gathering of our candidates, which are all local.
const answerTimeout = 3 * time.Second

// maxCandidates between two offers. A client with more has network interfaces beyond reason.
const maxCandidates = 64

// negotiation is the part of a Transport that offers change. All of it is owned by the transport's loop.
type negotiation struct {
	peer         link.Peer // nil before the first offer
	dead         bool      // the peer failed halfway through an offer
	rev          int       // of the last offer that had an outcome
	outcome      Event     // of that offer; an answer without its SDP, which the peer knows
	ready        int       // last rev that the client has applied
	candidates   int       // since the last offer
	sections     []negotiate.Section
	slots        []*slot // in the order of their m-lines
	slotsMade    int     // for ids
	paired       assign.Counts
	publications []*Publication
	layers       []*layer
}

// negotiate answers an offer.
func (t *Transport) negotiate(o Offer) {
	switch {
	case t.outcome != nil && o.Rev == t.rev:
		t.tellAgain()
		return
	case t.outcome != nil && o.Rev < t.rev:
		t.tell(Refused{Rev: o.Rev, Err: &Error{ErrBadOffer, fmt.Sprintf(
			"the offer has rev %d, after %d: every offer needs a higher one", o.Rev, t.rev)}})
		return
	}
	answered, refused := t.answer(o)
	t.rev = o.Rev
	if refused != nil {
		t.log.Debug("offer refused", "rev", o.Rev, "error", refused.Err)
		t.outcome = *refused
		t.tell(*refused)
		return
	}
	t.outcome = Answered{Rev: o.Rev}
	t.tell(*answered)
}

// tellAgain tells the outcome of the last offer, which was sent again.
func (t *Transport) tellAgain() {
	outcome := t.outcome
	if a, ok := outcome.(Answered); ok {
		a.SDP, a.Slots = t.peer.Again(), t.slotList() // what it has published was handed over once
		outcome = a
	}
	t.tell(outcome)
}

// answer checks an offer and carries it out.
func (t *Transport) answer(o Offer) (*Answered, *Refused) {
	if t.dead {
		return nil, &Refused{o.Rev, &Error{ErrFailed, "this transport has failed: make a new RTCPeerConnection"}, true}
	}
	plan, refusal := negotiate.Check(o.SDP, announcements(o), t.negotiated(), t.limits())
	if refusal != nil {
		code := ErrBadOffer
		if refusal.Limit {
			code = ErrLimit
		}
		return nil, &Refused{Rev: o.Rev, Err: &Error{code, refusal.Message}}
	}
	if err := t.connect(); err != nil {
		return nil, &Refused{Rev: o.Rev, Err: &Error{ErrFailed, "no connection could be made: " + err.Error()}}
	}
	made := t.newSlots(plan)
	ctx, cancel := context.WithTimeout(t.ctx, answerTimeout)
	defer cancel()
	sdp, senders, err := t.peer.Answer(ctx, plan.SDP, made)
	if err != nil {
		return nil, t.abandon(o.Rev, err)
	}
	for i, s := range made {
		t.addSlot(s, senders[i], o.Rev)
	}
	t.apply(plan)
	t.candidates = 0
	for _, c := range plan.Candidates {
		t.addCandidate(Candidate{Candidate: c})
	}
	published := t.publish(plan, o.Publications)
	return &Answered{Rev: o.Rev, SDP: sdp, Slots: t.slotList(), Published: published}, nil
}

func announcements(o Offer) []negotiate.Announcement {
	named := make([]negotiate.Announcement, 0, len(o.Publications))
	for _, a := range o.Publications {
		named = append(named, negotiate.Announcement{MID: a.MID, ID: a.ID})
	}
	return named
}

// negotiated is what earlier offers have fixed.
func (t *Transport) negotiated() negotiate.State {
	s := negotiate.State{Sections: t.sections, Publications: make(map[string]string, len(t.publications))}
	for _, p := range t.publications {
		s.Publications[p.mid] = p.id
	}
	return s
}

func (t *Transport) limits() negotiate.Limits {
	c := t.router.engine.config
	return negotiate.Limits{Bytes: c.MaxSDPBytes, Slots: c.MaxSlots, Publications: c.MaxPublications}
}

// connect makes the peer, at the first offer that can be answered.
func (t *Transport) connect() error {
	if t.peer != nil {
		return nil
	}
	peer, err := t.router.engine.host.NewPeer(link.Handlers{
		State:         func(s string) { t.call(func() { t.setState(State(s)) }) },
		Track:         func(track link.Track) { t.call(func() { t.addTrack(track) }) },
		Channel:       func(c link.Channel) { t.call(func() { t.addChannel(c) }) },
		ChannelClosed: func(c link.Channel) { t.call(func() { t.removeChannel(c) }) },
		Delivery:      t.delivered,
	})
	t.peer = peer
	return err
}

// abandon gives up a peer that failed halfway through an offer. Before the first answer nothing is lost by that: the next
// offer gets another peer.
func (t *Transport) abandon(rev int, err error) *Refused {
	code := ErrFailed
	if errors.Is(err, link.ErrOffer) {
		code = ErrBadOffer
	}
	refused := &Refused{Rev: rev, Err: &Error{code, err.Error()}, Fatal: t.sections != nil}
	if refused.Fatal {
		t.dead = true
		return refused
	}
	if err := t.peer.Close(); err != nil {
		t.log.Debug("closing the connection", "error", err)
	}
	t.peer = nil
	return refused
}

// newSlots names the m-lines that become slots.
func (t *Transport) newSlots(plan negotiate.Plan) []link.Slot {
	var made []link.Slot
	for _, s := range plan.Sections {
		if s.Role == negotiate.Slot && s.New {
			t.slotsMade++
			made = append(made, link.Slot{
				MID: s.MID, ID: "s" + strconv.Itoa(t.slotsMade), Video: s.Kind == negotiate.Video,
			})
		}
	}
	return made
}

func (t *Transport) addSlot(n link.Slot, sender link.Sender, rev int) {
	kind := Audio
	if n.Video {
		kind = Video
	}
	s := newSlot(Slot{MID: n.MID, ID: n.ID, Kind: kind}, sender, rev, t.downlink)
	t.slots = append(t.slots, s)
	t.table.AddSlot(assign.Slot{ID: n.ID, Kind: assignKind(kind), Pair: t.pair(kind)})
	t.downlink.lane.Do(func() { t.downlink.slots = append(t.downlink.slots, s) })
	sender.Listen(s)
}

// pair counts the slots of a kind: answers put the first of each kind into one stream, then the second, and so on (RFC 8830).
func (t *Transport) pair(k Kind) int {
	if k == Audio {
		t.paired.Audio++
		return t.paired.Audio
	}
	t.paired.Video++
	return t.paired.Video
}

// apply takes over the sections of an answered offer: slots that were stopped are gone, the others are in their order.
func (t *Transport) apply(plan negotiate.Plan) {
	t.sections = plan.Sections
	order := make(map[string]int, len(plan.Sections))
	for i, s := range plan.Sections {
		if s.Role == negotiate.Slot {
			order[s.MID] = i
		}
	}
	t.slots = slices.DeleteFunc(t.slots, func(s *slot) bool {
		_, stays := order[s.MID]
		if !stays {
			s.setOpen(false)
			s.show(nil)
			t.downlink.forget(s)
			t.table.RemoveSlot(s.ID)
		}
		return !stays
	})
	slices.SortFunc(t.slots, func(a, b *slot) int { return order[a.MID] - order[b.MID] })
}

// publish makes the publications that are new in plan.
func (t *Transport) publish(plan negotiate.Plan, named []Announcement) []*Publication {
	var published []*Publication
	for _, s := range plan.Sections {
		if s.Role != negotiate.Publication || !s.New {
			continue
		}
		i := slices.IndexFunc(named, func(a Announcement) bool { return a.ID == s.ID })
		p := newPublication(t, named[i], Kind(s.Kind))
		t.router.engine.counters.publications.Add(1)
		t.publications = append(t.publications, p)
		published = append(published, p)
		for _, l := range t.layers {
			if l.stream.MID == p.mid {
				l.publication.Store(p)
			}
		}
	}
	return published
}

// unpublish forgets a closed publication.
func (t *Transport) unpublish(p *Publication) {
	t.publications = slices.DeleteFunc(t.publications, func(other *Publication) bool { return other == p })
	for _, l := range t.layers {
		l.publication.CompareAndSwap(p, nil)
	}
}

// addTrack reads an incoming stream until it ends.
func (t *Transport) addTrack(track link.Track) {
	l := newLayer(forward.SourceID(t.router.engine.sources.Add(1)), track, t)
	l.group = t.group(l)
	for _, p := range t.publications {
		if p.mid == l.stream.MID {
			l.publication.Store(p)
		}
	}
	t.layers = append(t.layers, l)
	track.Start(l)
}

// group returns what the layers of l's m-line have in common.
func (t *Transport) group(l *layer) forward.SourceID {
	if l.stream.RID == "" {
		return 0
	}
	for _, other := range t.layers {
		if other.stream.MID == l.stream.MID {
			return other.group
		}
	}
	return l.id
}

func (t *Transport) forgetLayer(l *layer) {
	t.layers = slices.DeleteFunc(t.layers, func(other *layer) bool { return other == l })
	if p := l.publication.Load(); p != nil {
		p.forget(l)
	}
}

// addCandidate gives a candidate to ICE.
func (t *Transport) addCandidate(c Candidate) {
	if c.Candidate == "" {
		return // the end of candidates is nothing we wait for
	}
	t.candidates++
	if t.peer == nil || t.candidates > maxCandidates ||
		t.peer.AddCandidate(c.Candidate, c.SDPMid, c.SDPMLineIndex, c.UsernameFragment) != nil {
		t.router.engine.counters.drop(dropCandidate)
	}
}

// markReady opens the slots that the client knows.
func (t *Transport) markReady(rev int) {
	t.ready = max(t.ready, rev)
	t.openSlots()
}

// openSlots sends on slots that the client knows while it can be reached.
func (t *Transport) openSlots() {
	reachable := t.state == StateConnected || t.state == StateDisconnected
	for _, s := range t.slots {
		s.setOpen(reachable && s.rev <= t.ready)
	}
}

func (t *Transport) slotList() []Slot {
	all := make([]Slot, 0, len(t.slots))
	for _, s := range t.slots {
		all = append(all, s.Slot)
	}
	return all
}
