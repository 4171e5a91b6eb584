package forward

import "time"

// Restamp dates what comes from source with a timestamp by the time that has passed since the last frame, whatever the publisher's clock
// says. It is for the first packet of a frame that is sent faster than it was taken, and of the first after those: a receiver that
// was told the true times would show what it got early as late as they say, and stay behind.
func (r *Rewriter) Restamp(now time.Time, source SourceID, timestamp uint32) {
	if r.cur == nil || r.cur.manner.Source != source || !r.started {
		return
	}
	r.cur.tsDelta = r.ts + max(ticks(now.Sub(r.tsAt), r.cur.manner.ClockRate), 1) - timestamp
}
