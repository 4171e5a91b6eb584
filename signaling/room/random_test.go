package room

import (
	"fmt"
	"slices"
	"testing"

	"github.com/turnout-rtc/turnout/signaling/protocol"
)

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
