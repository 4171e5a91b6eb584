package signaling

import (
	"maps"
	"sync"
	"sync/atomic"
)

// counters are what Stats reports. Labels come from fixed sets: error codes and close codes.
type counters struct {
	joins, resumes, messages atomic.Uint64
	rooms, participants      atomic.Int64
	refused, errors, closed  labelled
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
