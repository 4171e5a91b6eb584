package sfu

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/turnout-rtc/turnout/sfu/assign"
	"github.com/turnout-rtc/turnout/sfu/link"
)

// Offer is one of the client's SDP offers (RFC 9429 §4.1.10).
type Offer struct {
	Rev          int // rises; the same Rev again gets the same answer again
	SDP          string
	Publications []Announcement
}

// Announcement names the m-line of an offer that carries a publication.
type Announcement struct {
	MID    string
	ID     string // the publication's id, unique in the room
	Paused bool   // starts paused, see Publication.Pause
}

// Candidate is a trickled ICE candidate (RFC 8838), as RTCIceCandidateInit. An empty Candidate ends them.
type Candidate struct {
	Candidate        string
	SDPMid           string
	SDPMLineIndex    uint16
	UsernameFragment string
}

// Transport is the server's end of one participant's RTCPeerConnection. All methods may be called from any goroutine, at any
// time, also after Close, and return at once.
type Transport struct {
	// Set at construction, never changed.
	router   *Router
	log      *slog.Logger
	emit     func(Event)
	box      *mailbox
	downlink *downlink
	ctx      context.Context //nolint:containedctx // ends the loop
	cancel   context.CancelFunc

	overrun atomic.Bool // a call was lost, the transport is to end
	quality qualityNow

	// Owned by run.
	negotiation
	assignment
	channels map[link.Channel]*DataChannel
	state    State
	timer    *time.Timer // rings; nil before there was something to wait for
}

// assignment is which slot shows what, and what was told of it. It is owned by the transport's loop.
type assignment struct {
	table   *assign.Table[*Publication]
	version uint64 // of the slot map
	wanted  int    // rev of SlotsWanted
}

func newTransport(r *Router, l *lane, log *slog.Logger, emit func(Event)) *Transport {
	t := &Transport{
		router:   r,
		log:      log,
		emit:     emit,
		downlink: newDownlink(r.engine, l),
		channels: make(map[link.Channel]*DataChannel),
		state:    StateNew,
	}
	t.table = assign.NewTable[*Publication](r.engine.config.MaxSlots)
	t.box = newMailbox(func() { go t.run() }) // the engine waits for the one that ends the transport
	t.ctx, t.cancel = context.WithCancel(context.Background())
	return t
}

// Negotiate takes an offer. The outcome is Answered or Refused.
func (t *Transport) Negotiate(o Offer) { t.call(func() { t.negotiate(o) }) }

// Ready says that the client has applied the answer rev: its new slots may be sent to.
func (t *Transport) Ready(rev int) { t.call(func() { t.markReady(rev) }) }

// AddCandidate adds a candidate of the client's. One that cannot be used is counted and ignored.
func (t *Transport) AddCandidate(c Candidate) { t.call(func() { t.addCandidate(c) }) }

// Subscribe shows p on a slot as soon as there is one, and asks for more slots if there is none. Twice is once.
func (t *Transport) Subscribe(p *Publication) {
	t.call(func() {
		if p.watch(t) {
			t.table.Subscribe(p, assignKind(p.kind), p.publisher)
		}
	})
}

// Unsubscribe frees the slot of p.
func (t *Transport) Unsubscribe(p *Publication) {
	t.call(func() {
		t.table.Unsubscribe(p)
		p.unwatch(t)
	})
}

// Close ends the transport: its publications end, its subscriptions are gone. No event follows, but for one that is being
// emitted. It waits for nothing.
func (t *Transport) Close() {
	t.cancel()
	t.box.ring()
}

// call has the loop run f. A transport that cannot keep up is ended: a call left out would leave it in a wrong state.
func (t *Transport) call(f func()) {
	if t.ctx.Err() != nil {
		return
	}
	if !t.box.put(f) {
		t.router.engine.counters.drop(dropCall)
		t.overrun.Store(true)
	}
}

// run is the transport's loop: it owns all that is negotiated. It goes on until there is nothing to do, or the transport is closed.
func (t *Transport) run() {
	for {
		calls, more := t.box.take()
		if !more {
			return
		}
		for _, f := range calls {
			if t.ctx.Err() == nil {
				f()
			}
		}
		if t.ctx.Err() != nil {
			t.end()
			return
		}
		if t.overrun.Load() && t.state != StateFailed {
			t.log.Warn("transport could not keep up with calls", "limit", maxCalls)
			t.setState(StateFailed)
		}
		t.settle()
		if next := t.pollKeyFrames(time.Now()); !next.IsZero() {
			t.lookAgain(time.Until(next))
		}
	}
}

// lookAgain has the loop look after a while.
func (t *Transport) lookAgain(in time.Duration) {
	if t.timer == nil {
		t.timer = time.AfterFunc(in, t.box.ring)
		return
	}
	t.timer.Reset(in)
}

// tell emits an event, unless the transport is closed.
func (t *Transport) tell(e Event) {
	if t.ctx.Err() == nil {
		t.emit(e)
	}
}

// settle gives free slots to subscriptions and tells what has changed.
func (t *Transport) settle() {
	if t.peer == nil {
		return
	}
	t.table.Assign()
	shown := make(map[string]*Publication)
	var mapped []Shown
	for _, s := range t.table.Map() {
		shown[s.Slot] = s.Key
		mapped = append(mapped, Shown{Slot: s.Slot, Publication: s.Key.id})
	}
	changed := false
	for _, s := range t.slots {
		if p := shown[s.ID]; s.showing.Load() != p {
			s.show(p)
			changed = true
		}
	}
	if changed {
		t.version++
		t.tell(SlotsChanged{Version: t.version, Shown: mapped})
	}
	if c, ok := t.table.Wanted(); ok {
		t.wanted++
		t.tell(SlotsWanted{Rev: t.wanted, Audio: c.Audio, Video: c.Video})
	}
}

// pollKeyFrames asks publishers for key frames that are due and returns when to look again.
func (t *Transport) pollKeyFrames(now time.Time) time.Time {
	var next time.Time
	for _, l := range t.layers {
		due := l.poll(now)
		if !due.IsZero() && (next.IsZero() || due.Before(next)) {
			next = due
		}
	}
	return next
}

// setState follows the connection.
func (t *Transport) setState(s State) {
	if t.state == s {
		return
	}
	t.state = s
	t.openSlots()
	t.tell(StateChanged{State: s})
}

// end closes all that the transport has, and waits for its goroutines. No other loop runs after it.
func (t *Transport) end() {
	defer t.router.engine.running.Done()
	if t.timer != nil {
		t.timer.Stop()
	}
	t.router.forget(t)
	for _, p := range t.publications {
		p.Close()
	}
	for _, p := range t.table.Keys() {
		p.unwatch(t)
	}
	for _, s := range t.slots {
		s.show(nil)
	}
	if t.peer != nil {
		if err := t.peer.Close(); err != nil {
			t.log.Debug("closing the connection", "error", err)
		}
	}
	t.router.engine.counters.transports.Add(-1)
}

func assignKind(k Kind) assign.Kind {
	if k == Audio {
		return assign.Audio
	}
	return assign.Video
}
