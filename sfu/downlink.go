package sfu

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/turnout-rtc/turnout/sfu/forward"
	"github.com/turnout-rtc/turnout/sfu/pace"
)

const (
	// maxAgain is how many packets of one downlink wait to be sent again: what a second of 1.5 Mbit/s has.
	maxAgain = 128
	// packetBytes is the size of a full packet, for limits that are counted in packets.
	packetBytes = 1250
)

// downlink is all that flows to one subscriber, as far as it is not sent at once: replays from a key frame, and packets that were
// asked for again. It is a shard.Task.
type downlink struct {
	// Set at construction, never changed.
	engine *Engine
	burst  int // bytes that leave at once
	lane   *lane

	// Owned by who is in the lane.
	budget  pace.Budget
	bucket  pace.Bucket
	polled  bool      // the lane looks after it
	slots   []*slot   // that may have a replay
	waiting []waiting // to be sent again, oldest first

	roundTrip atomic.Int64 // to the subscriber, in nanoseconds; 0 for unknown
}

// waiting is a packet that is sent again as soon as it may.
type waiting struct {
	slot *slot
	sent forward.Sent
}

func newDownlink(e *Engine, l *lane) *downlink {
	c := &e.config
	d := &downlink{engine: e, lane: l, burst: c.GSOBurst * packetBytes}
	d.bucket = pace.Bucket{Rate: c.PaceKbps * 1000 / 8, Burst: d.burst}
	d.budget = pace.Budget{Percent: c.RTXPercent, Floor: c.RTXFloorKbps * 1000 / 8}
	return d
}

// account has the budget know what was sent lately, on s and the others: it is not told with every packet, for then every packet would
// have to read it.
func (d *downlink) account(s *slot) {
	sent := s.lately
	s.lately = 0
	for _, other := range d.slots {
		sent += other.lately
		other.lately = 0
	}
	d.budget.Sent(sent)
}

// start has the lane look after what is not sent yet.
func (d *downlink) start() {
	if !d.polled {
		d.polled = true
		d.lane.Start(d)
	}
}

// Poll sends what is due.
func (d *downlink) Poll(now time.Time) (next time.Time, more bool) {
	d.lane.now(now)
	later := func(at time.Time) {
		if !more || at.Before(next) {
			next = at
		}
		more = true
	}
	for len(d.waiting) > 0 {
		w := &d.waiting[0]
		if at := d.bucket.Next(now, packetBytes); at.After(now) {
			later(at)
			break
		}
		w.slot.resend(now, &w.sent)
		d.waiting = d.waiting[1:]
	}
	if len(d.waiting) == 0 {
		d.waiting = nil
	}
	for _, s := range d.slots {
		if s.replay == nil {
			continue
		}
		if at, on := s.replayOn(now); on {
			later(at)
		}
	}
	d.polled = more
	return next, more
}

// forget leaves out a slot that is gone.
func (d *downlink) forget(s *slot) {
	d.lane.Do(func() {
		d.slots = slices.DeleteFunc(d.slots, func(other *slot) bool { return other == s })
		d.waiting = slices.DeleteFunc(d.waiting, func(w waiting) bool { return w.slot == s })
	})
}

// repeat sends a packet again, now or when it may.
func (d *downlink) repeat(now time.Time, s *slot, sent forward.Sent) {
	switch {
	case len(d.waiting) == 0 && !d.bucket.Next(now, packetBytes).After(now):
		s.resend(now, &sent)
	case len(d.waiting) >= maxAgain:
		d.engine.counters.drop(dropRTXQueue)
	default:
		d.waiting = append(d.waiting, waiting{s, sent})
		d.start()
	}
}
