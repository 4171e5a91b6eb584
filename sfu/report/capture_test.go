package report

import (
	"testing"
	"time"
)

// feed is a stream whose frames take a while on their way.
type feed struct {
	capture Capture
	clock   *Clock
	now     time.Time
	rtp     uint32
}

func newFeed() *feed {
	f := &feed{now: start, rtp: 1 << 31}
	f.report()
	return f
}

func (f *feed) report() {
	f.clock = &Clock{Rate: 90000}
	f.clock.Report(ToNTP(f.now), f.rtp)
}

// frame is one that is captured now and comes after a delay. It returns whether the time is right, and whether it is known.
func (f *feed) frame(delay time.Duration) (right, known bool) {
	at := f.capture.Time(f.now.Add(delay), f.clock, f.rtp, true)
	return near(at.Sub(ToNTP(f.now)), 0), at != 0
}

// pass lets time pass, for the timestamps as well or not.
func (f *feed) pass(d time.Duration, still bool) {
	f.now = f.now.Add(d)
	if !still {
		f.rtp += uint32(ticks(d, 90000))
	}
}

func (f *feed) expect(t *testing.T, delay time.Duration, want bool) {
	t.Helper()
	if right, known := f.frame(delay); known != want || known && !right {
		t.Errorf("after %v: known %v, right %v", f.now.Sub(start), known, right)
	}
}

func TestReportFromBeforeAPauseIsNotBelievedIfTheClockStoodStill(t *testing.T) {
	for _, pause := range []time.Duration{600 * time.Millisecond, 5 * time.Second, time.Hour} {
		f := newFeed()
		for range 30 {
			f.expect(t, 80*time.Millisecond, true)
			f.pass(33*time.Millisecond, false)
		}
		f.pass(pause, true)
		for range 30 {
			f.expect(t, 80*time.Millisecond, false)
			f.pass(33*time.Millisecond, false)
		}
		if late := f.capture.Time(f.now, f.clock, f.rtp-90, false); late != 0 {
			t.Errorf("a late packet was captured at %x", late)
		}
		again := *f.clock // the same report, by a wall clock that is known better
		f.clock = &again
		f.expect(t, 80*time.Millisecond, false)
		f.report()
		f.expect(t, 80*time.Millisecond, true)
	}
}

func TestReportFromBeforeAPauseHoldsIfTheClockWentOn(t *testing.T) {
	f := newFeed()
	f.expect(t, 80*time.Millisecond, true)
	f.pass(time.Hour, false)
	f.expect(t, 200*time.Millisecond, true)
}

func TestWayThatGetsSlowerIsFollowed(t *testing.T) {
	f := newFeed()
	for i := range 100 {
		f.expect(t, time.Duration(i)*20*time.Millisecond, true)
		f.pass(33*time.Millisecond, false)
	}
}

// What was held up on its way looks as if the clock had stood still, until the rest has come.
func TestTimesThatAreRightAgainAreBelieved(t *testing.T) {
	f := newFeed()
	f.expect(t, 80*time.Millisecond, true)
	f.pass(33*time.Millisecond, false)
	f.expect(t, 2*time.Second, false)
	f.pass(1900*time.Millisecond, false)
	f.expect(t, 140*time.Millisecond, true)
}
