package sfu

import (
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
	if q := t.quality.Load(); q != nil {
		return *q
	}
	return Quality{}
}

// delivered takes a report of the client's, from a goroutine of the peer's.
func (t *Transport) delivered(r delivery.Report) {
	q := Quality(r.Quality)
	t.quality.Store(&q)
	t.downlink.roundTrip.Store(int64(q.RoundTrip))
	count := &t.router.engine.counters
	count.reports.Add(1)
	for i := range r.Results {
		if r.Results[i].Received {
			count.delivered.Add(1)
		} else {
			count.lost.Add(1)
		}
	}
}
