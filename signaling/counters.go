package signaling

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/turnout-rtc/turnout/datachannel"
)

// counters are what Stats reports. Labels come from fixed sets: error codes and close codes.
type counters struct {
	joins, resumes, messages atomic.Uint64
	rooms, participants      atomic.Int64
	visits                   atomic.Int64
	visited                  atomic.Uint64
	data                     dataStats
	refused, errors, closed  labelled
}

// dataStats adds up those of rooms that are over.
type dataStats struct {
	mu  sync.Mutex
	sum datachannel.Stats // guarded by mu
}

func (d *dataStats) retire(s datachannel.Stats) {
	s.Members, s.Wires = 0, 0 // gauges end with their room
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sum.Add(s)
}

// plus is the sum and those of the rooms that are not over.
func (d *dataStats) plus(now []*loop) datachannel.Stats {
	var sum datachannel.Stats
	for _, l := range now {
		sum.Add(l.hub.Stats())
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	sum.Add(d.sum)
	return sum
}

// labelled counts by label.
type labelled struct {
	mu sync.Mutex
	n  map[string]uint64 // guarded by mu
}

func (l *labelled) add(label string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n == nil {
		l.n = map[string]uint64{}
	}
	l.n[label]++
}

func (l *labelled) copy() map[string]uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.n)
}
