package signaling_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/turnout-rtc/turnout/signaling"
	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// wanderer is a participant that loses its connection, resumes, leaves and comes back, and keeps a roster meanwhile.
type wanderer struct {
	h        *house
	identity string
	conn     *client
	n        uint64 // last number received
	roster   map[string]protocol.Participant
}

func (w *wanderer) join() {
	w.conn = w.h.join(token(w.h.t, w.identity))
	w.n = 1
	w.roster = map[string]protocol.Participant{w.conn.self.Self.SID: w.conn.self.Self}
	for _, p := range w.conn.self.Participants {
		w.roster[p.SID] = p
	}
}

// take brings the roster up to what was received. A number left out or repeated is a fault.
func (w *wanderer) take() {
	w.conn.mu.Lock()
	defer w.conn.mu.Unlock()
	for _, r := range w.conn.got[w.conn.seen:] {
		if r.N == 0 || r.N == 1 {
			continue
		}
		if w.n++; r.N != w.n {
			w.h.t.Errorf("%s: message %d came instead of %d", w.identity, r.N, w.n)
		}
		switch m := r.Message.(type) {
		case protocol.ParticipantJoined:
			w.roster[m.Participant.SID] = m.Participant
		case protocol.ParticipantUpdated:
			if _, ok := w.roster[m.Participant.SID]; !ok {
				w.h.t.Errorf("%s: an update of %s, who is not here", w.identity, m.Participant.SID)
			}
			w.roster[m.Participant.SID] = m.Participant
		case protocol.ParticipantLeft:
			delete(w.roster, m.SID)
		}
	}
	w.conn.seen = len(w.conn.got)
}

// step does one thing. Every request is waited for, so that a resume has none to send again.
func (w *wanderer) step(r *rand.Rand, i int) {
	switch r.IntN(8) {
	case 0:
		w.conn.cut()
		w.take()
		w.conn = w.h.resume(w.conn, w.n)
		w.settle()
	case 1: // the old WebSocket lives
		w.settle()
		old := w.conn
		w.conn = w.h.resume(old, w.n)
		w.settle()
		if code := old.closed(); code != protocol.CloseMoved {
			w.h.t.Errorf("%s: the old WebSocket was closed with %d", w.identity, code)
		}
	case 2:
		w.conn.ask(protocol.Leave{})
		w.conn.closed()
		w.join()
	case 3: // the same identity again, without a leave
		old := w.conn
		w.join()
		if code := old.closed(); code != protocol.CloseDuplicate {
			w.h.t.Errorf("%s: the old session was closed with %d", w.identity, code)
		}
	default:
		w.conn.rename(fmt.Sprint(w.identity, " ", i))
		w.settle()
	}
}

// settle takes everything up to the reply of the last request.
func (w *wanderer) settle() {
	w.conn.mu.Lock()
	id := w.conn.id
	w.conn.mu.Unlock()
	eventually(w.h.t, fmt.Sprint(w.identity, " hears the reply to ", id), func() bool {
		w.conn.mu.Lock()
		defer w.conn.mu.Unlock()
		return slices.ContainsFunc(w.conn.got, func(r protocol.Response) bool { return r.Re == id })
	})
	w.take()
}

// TestWhoComesAndGoesAgreesInTheEnd has participants do all that they can do at the same time, and then compares what each
// has pieced together with what somebody who comes last is told.
func TestWhoComesAndGoesAgreesInTheEnd(t *testing.T) {
	h := open(t, fastTalk, func(c *signaling.Config) { c.QueueMessages = 10000 })
	var all []*wanderer
	var running sync.WaitGroup
	for i := range 6 {
		w := &wanderer{h: h, identity: fmt.Sprint("w", i)}
		w.join()
		all = append(all, w)
		running.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 3))
			for step := range 40 {
				w.step(r, step)
			}
		})
	}
	running.Wait()
	last := h.join(token(t, "last"))
	want := map[string]string{}
	for _, p := range append(last.self.Participants, last.self.Self) {
		want[p.SID] = p.Identity + " " + p.Name
	}
	if len(want) != len(all)+1 {
		t.Errorf("%d are here: %v", len(want), want)
	}
	for _, w := range all {
		var got map[string]string
		eventually(t, fmt.Sprint(w.identity, " knows who came last"), func() bool {
			w.take()
			_, ok := w.roster[last.self.Self.SID]
			return ok
		})
		got = map[string]string{}
		for sid, p := range w.roster {
			got[sid] = p.Identity + " " + p.Name
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s believes\n%v, it is\n%v", w.identity, got, want)
		}
	}
	if s := h.server.Stats(); s.Participants != int64(len(all)+1) || s.Resumes == 0 {
		t.Errorf("%+v", s)
	}
}
