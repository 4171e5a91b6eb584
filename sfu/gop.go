package sfu

import (
	"sync"
	"time"

	"github.com/turnout-rtc/turnout/sfu/forward"
)

// gop knows where the newest key frame of a layer begins and whether all packets since then have come: then a subscriber need not
// wait for the next one. The packets themselves are in the layer's ring.
type gop struct {
	mu     sync.Mutex
	run    gopRun // guarded by mu, like all below; the zero value is none
	shown  *Publication
	pauses uint32 // of shown when the run began
	stamp  uint32 // timestamp of the key frame
	count  int
}

// gopRun is a key frame and what has followed it.
type gopRun struct {
	source        *source
	first, newest uint64 // packets, by their unwrapped number
	bytes         int
	at            time.Time // when the first came
}

// packet takes a packet of p that was not seen before.
func (g *gop) packet(now time.Time, p *Publication, source *source, in *forward.In, bytes int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	same := g.run.first > 0 && g.shown == p && g.pauses == p.pauses.Load() && g.run.source == source
	if in.Key && in.Newer && (!same || in.Timestamp != g.stamp) {
		g.shown, g.pauses, g.stamp, g.count = p, p.pauses.Load(), in.Timestamp, 0
		g.run = gopRun{source: source, first: in.N, newest: in.N, at: now}
	} else if !same {
		g.run = gopRun{}
		return
	}
	if in.N < g.run.first {
		return
	}
	g.count++
	g.run.newest = max(g.run.newest, in.N)
	g.run.bytes += bytes
}

// of returns the run of p, if all of it is there and it is neither too long nor too old.
func (g *gop) of(now time.Time, p *Publication, packets int, age time.Duration) (gopRun, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.run
	ok := r.first > 0 && g.shown == p && g.pauses == p.pauses.Load() && uint64(g.count) == r.newest-r.first+1 &&
		g.count <= packets && now.Sub(r.at) <= age
	return r, ok
}
