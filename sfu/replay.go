package sfu

import (
	"time"

	"github.com/turnout-rtc/turnout/sfu/forward"
	"github.com/turnout-rtc/turnout/sfu/pace"
)

// catchUpIn is how long a replay takes at most: what follows the key frame is shown faster than it was taken.
const catchUpIn = 500 * time.Millisecond

// replay sends a slot what was received before it was there: from the newest key frame until it has caught up. It is owned by who
// is in the lane.
type replay struct {
	layer   *layer
	source  *source
	reader  forward.Reader
	next    uint64 // the packet to be sent next
	newest  uint64 // the newest that there is
	bucket  pace.Bucket
	stamp   uint32 // timestamp of the packet sent last
	stamped bool
}

// caughtUp is what a replay has sent, after its end. It is owned by who is in the lane.
type caughtUp struct {
	layer   *layer // nil for none
	floor   uint64 // packets before it were sent
	stamp   uint32 // timestamp of the last of them
	restamp bool   // the next frame is dated by the time that has passed
}

// catchUp begins with the newest key frame of p, if all since then is there. It says whether it did; else a key frame must be
// asked for. It is called in the lane.
func (s *slot) catchUp(now time.Time, p *Publication) bool {
	c := &s.downlink.engine.config
	l := p.layerFor(s.highest.Spatial)
	if l == nil || l.ring == nil || !s.on || p.paused.Load() {
		return false
	}
	run, ok := l.gop.of(now, p, c.GOPPackets, c.GOPAge)
	if !ok {
		return false
	}
	s.retarget(l, run.source)
	if s.unknown {
		return false
	}
	rate := max(c.PaceKbps*1000/8, int(float64(run.bytes)/catchUpIn.Seconds()))
	if age := now.Sub(run.at); age > 0 { // twice as fast as it comes at least
		rate = max(rate, int(2*float64(run.bytes)/max(age, catchUpIn/10).Seconds()))
	}
	f := l.format(run.source)
	s.replay = &replay{layer: l, source: run.source, reader: forward.NewReader(&f), next: run.first, newest: run.newest, bucket: pace.Bucket{Rate: rate, Burst: s.downlink.burst}}
	s.count.replays.Add(1)
	s.lane.now(now)
	if _, more := s.replayOn(now); more {
		s.downlink.start()
	}
	return s.replay != nil || s.caught.layer != nil
}

// replayOn sends what may be sent now. more is false when it has caught up or was given up, else next is when to go on.
func (s *slot) replayOn(now time.Time) (next time.Time, more bool) {
	r, w := s.replay, s.lane
	for r.next <= r.newest {
		raw, ok := r.layer.ring.Get(r.next, w.raw[:0])
		w.in = forward.In{}
		if !ok || w.in.Parse(raw) != nil {
			s.giveUp() // lost on the way in, or overwritten
			return time.Time{}, false
		}
		if !r.bucket.Take(now, len(raw)) {
			return r.bucket.Next(now, len(raw)), true
		}
		if !s.again(now, r) {
			s.giveUp()
			return time.Time{}, false
		}
		r.next++
	}
	s.caught = caughtUp{r.layer, r.next, r.stamp, true}
	s.replay = nil
	return time.Time{}, false
}

// again sends the packet in lane.in as the next one of the replay. It says whether it could.
func (s *slot) again(now time.Time, r *replay) bool {
	w := s.lane
	in := &w.in
	in.N, in.Newer = r.next, true
	r.reader.Read(in)
	in.Captured = 0 // timestamps are made as if it were captured now
	if clock := r.layer.clock.Load(); clock != nil {
		in.Clock = *clock
	}
	if r.stamped && in.Timestamp != r.stamp {
		s.stream.Restamp(now, r.layer.id, in.Timestamp)
	}
	r.stamp, r.stamped = in.Timestamp, true
	switch v := s.add(now, r.layer, in); v {
	case forward.Send:
		s.send() // before the next one takes its place in lane.raw
		s.count.replayed.Add(1)
	case forward.NoKey, forward.NotShown:
		return false
	case forward.Late, forward.Padding, forward.AboveLayer:
	}
	return true
}

// giveUp waits for a key frame instead.
func (s *slot) giveUp() {
	l := s.replay.layer
	s.lose()
	l.requestKeyFrame()
}
