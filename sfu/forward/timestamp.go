package forward

import "time"

// Limits of switching between layers of one publication. Their frames have the same capture times, which sender reports
// translate into each other's timestamps.
const (
	// maxBehind is how far back the first frame of the new layer may lie: a little is smoothed over, more would show the past
	// again.
	maxBehind = 50 * time.Millisecond
	// maxAhead is how far reports may be off from the time that has passed before they are not believed.
	maxAhead = 2 * time.Second
	// maxRefusals is how many key frames are let go by because they do not fit. After that the time that has passed must do.
	maxRefusals = 2
)

// switchTimestamp is what the first packet of the next source is sent with. Between layers of one publication it is the
// timestamp that its moment has in the stream so far; ok is false when that is not known yet or lies too far back, and another
// key frame is to be waited for. Otherwise it is the last timestamp and the time that has passed since.
func (r *Rewriter) switchTimestamp(now time.Time, in *In) (ts uint32, ok bool) {
	if !r.started {
		return r.ts, true
	}
	rate := r.next.ClockRate
	expected := r.ts + max(ticks(now.Sub(r.tsAt), rate), 1)
	if r.cur == nil || r.next.Group == 0 || r.cur.manner.Group != r.next.Group || r.refused >= maxRefusals {
		return expected, true
	}
	moment, known := r.cur.clock.Translate(in.Timestamp, &in.Clock)
	moment += r.cur.tsDelta
	switch ahead := int32(moment - r.ts); {
	case known && ahead > 0 && int32(moment-expected) <= int32(ticks(maxAhead, rate)):
		return moment, true
	case known && ahead <= 0 && -ahead <= int32(ticks(maxBehind, rate)):
		return r.ts + 1, true
	}
	r.refused++
	return 0, false
}

// ticks of a clock of so many Hz in d, modulo 2^32; none in a negative time.
func ticks(d time.Duration, rate uint32) uint32 {
	if d <= 0 {
		return 0
	}
	return uint32(int64(d/time.Second)*int64(rate) + int64(d%time.Second)*int64(rate)/int64(time.Second))
}
