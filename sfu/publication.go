package sfu

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/turnout-rtc/turnout/sfu/forward"
)

// Publication is a track that a participant sends. Its methods may be called from any goroutine, at any time.
type Publication struct {
	// Set at construction, never changed.
	id        string
	kind      Kind
	mid       string
	publisher *Transport

	rows []row // of slots that show it, by the lane's number

	paused  atomic.Bool
	pauses  atomic.Uint32         // so far: nothing from before one is shown again
	current atomic.Pointer[layer] // the highest layer that arrives, nil before the first packet

	mu       sync.Mutex
	closed   bool                    // guarded by mu
	watchers map[*Transport]struct{} // subscribers, shown or not; guarded by mu
	choice   forward.Choice          // guarded by mu
}

func newPublication(t *Transport, a Announcement, kind Kind) *Publication {
	p := &Publication{id: a.ID, kind: kind, mid: a.MID, publisher: t, watchers: make(map[*Transport]struct{})}
	p.paused.Store(a.Paused)
	lanes := t.router.engine.lanes
	p.rows = make([]row, len(lanes))
	for i := range p.rows {
		p.rows[i].lane = lanes[i]
	}
	return p
}

// ID is the id under which it was announced.
func (p *Publication) ID() string { return p.id }

// Kind is the kind of its m-line.
func (p *Publication) Kind() Kind { return p.kind }

// Pause stops forwarding to everyone, until Pause(false). Packets that arrive are dropped.
func (p *Publication) Pause(paused bool) {
	if p.paused.Swap(paused) == paused {
		return
	}
	if paused {
		p.pauses.Add(1)
		return
	}
	for i := range p.rows {
		p.rows[i].lost.Store(true) // what came in between
	}
	p.requestKeyFrame()
}

// Close ends it and frees the slots that show it; later packets on its m-line are dropped.
func (p *Publication) Close() {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.closed = true
	watchers := p.watchers
	p.watchers = nil
	p.mu.Unlock()
	p.publisher.router.engine.counters.publications.Add(-1)
	p.publisher.call(func() { p.publisher.unpublish(p) })
	for t := range watchers {
		t.Unsubscribe(p)
	}
}

// watch records that t subscribes. A closed publication cannot be subscribed to.
func (p *Publication) watch(t *Transport) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.watchers[t] = struct{}{}
	return true
}

func (p *Publication) unwatch(t *Transport) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.watchers, t)
}

// requestKeyFrame asks the publisher for a key frame of its highest layer. Before the first packet there is
// nothing to ask for: a stream begins with a key frame.
func (p *Publication) requestKeyFrame() {
	if l := p.current.Load(); l != nil && p.kind == Video {
		l.requestKeyFrame()
	}
}

// observe counts packets for the order of the layers, and returns that.
func (p *Publication) observe(now time.Time, l *layer, bytes int) forward.Ranking {
	p.mu.Lock()
	ranking := p.choice.Observe(now, l.id, bytes)
	p.mu.Unlock()
	if ranking.For(forward.Top) == l.id && p.current.Load() != l {
		p.current.Store(l)
	}
	return ranking
}

// forget leaves a layer that has ended out of the order.
func (p *Publication) forget(l *layer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.choice.Forget(l.id)
}
