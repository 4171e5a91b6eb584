package ws

import (
	"sync"
	"time"
)

// gather writes what busy Conns have at common moments, one period apart, or when they have all there is for now: one timer and one
// goroutine for all, so that the processor comes out of its sleep once, and not for each.
type gather struct {
	period time.Duration // never changed; 0: nobody waits
	epoch  time.Time     // never changed

	// Guarded by mu.
	mu      sync.Mutex
	waiting []*Conn
	spare   []*Conn     // memory for waiting
	timer   *time.Timer // nil: not used yet
	hurry   bool        // the timer is to ring at once
}

func newGather(period time.Duration) *gather { return &gather{period: period, epoch: time.Now()} }

// add has what c has written at the next moment.
func (g *gather) add(c *Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waiting = append(g.waiting, c); len(g.waiting) == 1 {
		g.set(g.period - time.Since(g.epoch)%g.period)
	}
}

// soon has what c has written at once, but not by the caller.
func (g *gather) soon(c *Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = append(g.waiting, c)
	if !g.hurry {
		g.hurry = true
		g.set(0)
	}
}

// set sets the timer. mu is held.
func (g *gather) set(wait time.Duration) {
	if g.timer == nil {
		g.timer = time.AfterFunc(wait, g.ring)
		return
	}
	g.timer.Reset(wait)
}

func (g *gather) ring() {
	g.mu.Lock()
	due := g.waiting
	g.waiting, g.spare, g.hurry = g.spare[:0], nil, false
	g.mu.Unlock()
	for i, c := range due {
		c.sendNow()
		due[i] = nil
	}
	g.mu.Lock()
	g.spare = due
	g.mu.Unlock()
}

func (g *gather) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.timer != nil {
		g.timer.Stop()
	}
}
