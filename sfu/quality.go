package sfu

import (
	"sync"
	"time"

	"github.com/turnout-rtc/turnout/sfu/delivery"
)

// Quality of the way to a client, as the client reports it.
type Quality struct {
	RoundTrip time.Duration // smoothed; 0 for unknown
	Jitter    time.Duration // of the slot that has most
	Loss      float64       // share of packets lost on the way to the client, lately; 0 to 1
	Estimate  uint64        // of the bandwidth by the client itself, in bits per second; 0 for none
}

// Quality returns what the client has reported last. The zero Quality is that of a client that has not.
func (t *Transport) Quality() Quality {
	t.quality.mu.Lock()
	defer t.quality.mu.Unlock()
	return t.quality.last
}

// qualityNow is what a client has reported last.
type qualityNow struct {
	mu   sync.Mutex
	last Quality // guarded by mu
}

func (n *qualityNow) set(q Quality) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.last = q
}

// delivered takes a report of the client's, from a goroutine of the peer's.
func (t *Transport) delivered(r delivery.Report) {
	t.quality.set(Quality(r.Quality))
	t.downlink.roundTrip.Store(int64(r.Quality.RoundTrip))
	count := &t.router.engine.counters
	count.reports.Add(1)
	received := uint64(0)
	for i := range r.Results {
		if r.Results[i].Received {
			received++
		}
	}
	count.delivered.Add(received)
	count.lost.Add(uint64(len(r.Results)) - received)
}
