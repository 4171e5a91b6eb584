package delivery

import (
	"time"

	"github.com/turnout-rtc/turnout/sfu/report"
)

// Quality of the way to a peer, as its reports tell it. The zero value knows nothing.
type Quality struct {
	RoundTrip time.Duration // smoothed; 0 for unknown
	Jitter    time.Duration // of the stream that has most
	Loss      float64       // share of packets lost between the last two reports, 0 to 1
	Estimate  uint64        // of the peer's own, in bits per second (REMB); 0 for none
}

// Report is what a peer has told at once.
type Report struct {
	At      time.Time // when it came
	Quality Quality
	Results []Result // of transport-wide feedback; not to be kept
}

// Measured takes a round trip. It is smoothed as TCP does it (RFC 6298 §2): one late report says little.
func (q *Quality) Measured(d time.Duration) {
	if q.RoundTrip == 0 {
		q.RoundTrip = max(d, 1)
		return
	}
	q.RoundTrip = max(q.RoundTrip+(d-q.RoundTrip)/8, 1)
}

// Stream is what reception reports say of one stream. The zero value has seen none.
type Stream struct {
	last report.Reception
	seen bool
}

// Reported takes a reception report, and returns how many packets were expected and lost since the one before. A report that
// came twice, or too late, tells nothing new.
func (s *Stream) Reported(r report.Reception) (expected, lost int) {
	was, seen := s.last, s.seen
	if seen && int32(r.Highest-was.Highest) <= 0 {
		return 0, 0
	}
	s.last, s.seen = r, true
	if !seen {
		return 0, 0
	}
	expected = int(r.Highest - was.Highest)
	return expected, min(max(int(r.Lost-was.Lost), 0), expected)
}

// Tally adds up what one compound packet reports.
type Tally struct {
	expected, lost int
	jitter         time.Duration
	reports        int
}

// Add takes a reception report about s, whose clock has so many Hz.
func (t *Tally) Add(s *Stream, r report.Reception, rate uint32) {
	expected, lost := s.Reported(r)
	t.expected, t.lost = t.expected+expected, t.lost+lost
	t.reports++
	if rate > 0 {
		t.jitter = max(t.jitter, time.Duration(r.Jitter)*time.Second/time.Duration(rate))
	}
}

// Into has q say what was added up. It returns whether there was a report at all.
func (t *Tally) Into(q *Quality) bool {
	if t.reports == 0 {
		return false
	}
	q.Jitter = t.jitter
	if t.expected > 0 {
		q.Loss = float64(t.lost) / float64(t.expected)
	}
	return true
}
