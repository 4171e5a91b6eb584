package sfu

import (
	"slices"
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

	paused atomic.Bool
	pauses atomic.Uint32 // so far: nothing from before one is shown again

	mu       sync.Mutex
	closed   bool                    // guarded by mu
	watchers map[*Transport]struct{} // subscribers, shown or not; guarded by mu
	choice   forward.Choice          // guarded by mu
	layers   []*layer                // of choice; guarded by mu
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
	p.requestKeyFrame(forward.Top)
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

// requestKeyFrame asks the publisher for a key frame of the layer that is shown to who wants the given one. Before the first packet
// there is nothing to ask for: a stream begins with a key frame.
func (p *Publication) requestKeyFrame(spatial uint8) {
	if l := p.layerFor(spatial); l != nil && p.kind == Video {
		l.requestKeyFrame()
	}
}

// layerFor returns the layer to show to who wants the given one, nil before the first packet.
func (p *Publication) layerFor(spatial uint8) *layer {
	p.mu.Lock()
	defer p.mu.Unlock()
	id := p.choice.For(spatial)
	for _, l := range p.layers {
		if l.id == id {
			return l
		}
	}
	return nil
}

// observe counts packets for the order of the layers, and returns that.
func (p *Publication) observe(now time.Time, l *layer, bytes int) forward.Ranking {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Contains(p.layers, l) {
		p.layers = append(p.layers, l)
	}
	return p.choice.Observe(now, l.id, bytes)
}

// forget leaves a layer that has ended out of the order.
func (p *Publication) forget(l *layer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.choice.Forget(l.id)
	p.layers = slices.DeleteFunc(p.layers, func(other *layer) bool { return other == l })
}
