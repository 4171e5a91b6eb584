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

	paused  atomic.Bool
	current atomic.Pointer[layer]   // the layer that is forwarded, nil before the first packet
	slots   atomic.Pointer[[]*slot] // that show it; a new slice for every change, made under mu

	mu       sync.Mutex
	closed   bool                    // guarded by mu
	watchers map[*Transport]struct{} // subscribers, shown or not; guarded by mu
	choice   forward.Choice          // guarded by mu
}

func newPublication(t *Transport, a Announcement, kind Kind) *Publication {
	p := &Publication{id: a.ID, kind: kind, mid: a.MID, publisher: t, watchers: make(map[*Transport]struct{})}
	p.paused.Store(a.Paused)
	p.slots.Store(&[]*slot{})
	return p
}

// ID is the id under which it was announced.
func (p *Publication) ID() string { return p.id }

// Kind is the kind of its m-line.
func (p *Publication) Kind() Kind { return p.kind }

// Pause stops forwarding to everyone, until Pause(false). Packets that arrive are dropped.
func (p *Publication) Pause(paused bool) {
	if p.paused.Swap(paused) == paused || paused {
		return
	}
	for _, s := range *p.slots.Load() {
		s.restart()
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

// show sends its packets to s too.
func (p *Publication) show(s *slot) {
	p.mu.Lock()
	slots := append(slices.Clone(*p.slots.Load()), s)
	p.slots.Store(&slots)
	p.mu.Unlock()
	p.requestKeyFrame()
}

// hide sends no more packets to s.
func (p *Publication) hide(s *slot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	slots := slices.DeleteFunc(slices.Clone(*p.slots.Load()), func(other *slot) bool { return other == s })
	p.slots.Store(&slots)
}

// requestKeyFrame asks the publisher for a key frame of the layer that is forwarded. Before the first packet there is
// nothing to ask for: a stream begins with a key frame.
func (p *Publication) requestKeyFrame() {
	if l := p.current.Load(); l != nil && p.kind == Video {
		l.requestKeyFrame()
	}
}

// observe counts a packet for the choice of the layer that is forwarded, and returns whether l is that layer.
func (p *Publication) observe(now time.Time, l *layer, bytes int) bool {
	p.mu.Lock()
	ranking := p.choice.Observe(now, l.id, bytes)
	p.mu.Unlock()
	if ranking.For(forward.Top) != l.id {
		return false
	}
	if p.current.Load() != l {
		p.current.Store(l)
	}
	return true
}
