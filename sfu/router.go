package sfu

import (
	"log/slog"
	"sync"
)

// Router is one room's media.
type Router struct {
	// Set at construction, never changed.
	engine *Engine
	log    *slog.Logger
	home   int // lane of the first transports

	mu         sync.Mutex
	transports map[*Transport]struct{} // guarded by mu; nil once closed
	joined     int                     // transports so far; guarded by mu
}

// NewTransport makes a participant's transport. The name is for logs. emit is called from the transport's goroutine, in
// order, and may block it; it must not wait for a call into the same transport.
func (r *Router) NewTransport(name string, emit func(Event)) (*Transport, error) {
	if !r.engine.expect() {
		return nil, ErrClosed
	}
	t := newTransport(r, r.lane(), r.log.With("participant", name), emit)
	r.engine.counters.transports.Add(1)
	r.mu.Lock()
	open := r.transports != nil
	if open {
		r.transports[t] = struct{}{}
	}
	r.mu.Unlock()
	if !open {
		r.engine.counters.transports.Add(-1)
		r.engine.running.Done()
		return nil, ErrClosed
	}
	return t, nil
}

// Close closes the router's transports. It may be called twice. It waits for nothing.
func (r *Router) Close() {
	r.mu.Lock()
	transports := r.transports
	r.transports = nil
	r.mu.Unlock()
	for t := range transports {
		t.Close()
	}
	r.engine.forget(r)
}

// lane is where the next transport belongs: the first ones of a room together, so that a small one is in one lane.
func (r *Router) lane() *lane {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.engine.lanes
	l := all[(r.home+r.joined/smallRoom)%len(all)]
	r.joined++
	return l
}

func (r *Router) forget(t *Transport) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.transports, t)
}
