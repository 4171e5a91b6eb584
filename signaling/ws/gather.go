package ws

import (
	"sync"
	"time"
)

// gather wakes busy Conns at common moments, one period apart: one timer for all, and the processor comes out of its sleep once.
type gather struct {
	period time.Duration // never changed; 0: nobody waits
	epoch  time.Time     // never changed

	// Guarded by mu.
	mu      sync.Mutex
	waiting []*Conn
	timer   *time.Timer // nil: not used yet
}

func newGather(period time.Duration) *gather { return &gather{period: period, epoch: time.Now()} }

// add has c woken at the next moment.
func (g *gather) add(c *Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waiting = append(g.waiting, c); len(g.waiting) > 1 {
		return
	}
	wait := g.period - time.Since(g.epoch)%g.period
	if g.timer == nil {
		g.timer = time.AfterFunc(wait, g.ring)
		return
	}
	g.timer.Reset(wait)
}

func (g *gather) ring() {
	g.mu.Lock()
	due := g.waiting
	g.waiting = nil
	g.mu.Unlock()
	for _, c := range due {
		c.Wake()
	}
}

func (g *gather) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.timer != nil {
		g.timer.Stop()
	}
}
