package report

import (
	"math/rand/v2"
	"testing"
	"time"
)

var start = time.Unix(1_700_000_000, 123_456_789) //nolint:gochecknoglobals // a constant

func near(a, b time.Duration) bool { return a-b < time.Microsecond && b-a < time.Microsecond }

func TestNTPKeepsTime(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 10000 {
		d := time.Duration(rng.Int64N(int64(200*time.Hour))) - 100*time.Hour
		if got := ToNTP(start.Add(d)).Sub(ToNTP(start)); !near(got, d) {
			t.Fatalf("%v became %v", d, got)
		}
		if got := ToNTP(start).Add(d).Sub(ToNTP(start)); !near(got, d) {
			t.Fatalf("%v was added as %v", d, got)
		}
	}
}

func TestTimestampsAreTranslatedBetweenStreams(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 1))
	for range 1000 {
		// Two layers of one camera: each has its own offset, both have the camera's clock.
		offsets := [2]uint32{rng.Uint32(), rng.Uint32()}
		at := func(layer int, d time.Duration) uint32 { return offsets[layer] + uint32(ticks(d, 90000)) }
		a, b := Clock{Rate: 90000}, Clock{Rate: 90000}
		if _, ok := a.Translate(0, &b); ok {
			t.Fatal("translated without reports")
		}
		moment := func() time.Duration { return time.Duration(rng.Int64N(int64(time.Hour))) }
		da, db, frame := moment(), moment(), moment()
		a.Report(ToNTP(start.Add(da)), at(0, da))
		if _, ok := a.Translate(0, &b); ok {
			t.Fatal("translated without a report of the other")
		}
		b.Report(ToNTP(start.Add(db)), at(1, db))
		got, ok := a.Translate(at(1, frame), &b)
		if diff := int32(got - at(0, frame)); !ok || diff > 2 || diff < -2 {
			t.Fatalf("off by %d ticks", diff)
		}
	}
}

func TestSenderReportContinuesTheTimestamps(t *testing.T) {
	var s Sender
	if _, ok := s.Report(start, 90000); ok {
		t.Error("a report before the first packet")
	}
	s.Sent(start, 0, 1000, 100)
	s.Sent(start.Add(5*time.Millisecond), 0, 1000, 50) // same frame
	s.Sent(start.Add(9*time.Millisecond), 0, 900, 50)  // late
	r, ok := s.Report(start.Add(20*time.Millisecond), 90000)
	if !ok || r.RTP != 1000+1800 || r.Packets != 3 || r.Bytes != 200 || r.NTP != ToNTP(start.Add(20*time.Millisecond)) {
		t.Errorf("%+v", r)
	}
	if _, ok := s.Report(start.Add(10*time.Millisecond), 90000); ok {
		t.Error("a report that goes back in time")
	}
}

func TestReceptionCountsLosses(t *testing.T) {
	r := Receiver{Rate: 90000}
	if _, ok := r.Report(start); ok {
		t.Error("a report before the first packet")
	}
	const first = 1<<16 + 65530
	for n := uint64(first); n < first+100; n++ {
		if n%10 == 9 { // one in ten
			continue
		}
		r.Packet(start.Add(time.Duration(n-first)*10*time.Millisecond), n, uint32(n)*900, false)
	}
	r.SenderReport(start, ToNTP(start))
	b, _ := r.Report(start.Add(1500 * time.Millisecond))
	if b.Lost != 10 || b.Fraction != 25 || b.Highest != uint32(first+99) || b.Jitter != 0 {
		t.Errorf("%+v", b)
	}
	if b.LSR != ToNTP(start).Middle() || b.DLSR != 65536*3/2 {
		t.Errorf("%+v", b)
	}
	r.Packet(start, first+3, 0, true) // one comes back
	if b, _ = r.Report(start); b.Lost != 9 || b.Fraction != 0 {
		t.Errorf("%+v", b)
	}
	rtt, ok := RoundTrip(start.Add(1600*time.Millisecond), ToNTP(start).Middle(), 65536*3/2)
	if !ok || rtt < 99*time.Millisecond || rtt > 101*time.Millisecond {
		t.Errorf("round trip %v", rtt)
	}
	if _, ok := RoundTrip(start, 0, 0); ok {
		t.Error("a round trip without a report")
	}
}

func TestJitterFollowsRFC3550(t *testing.T) {
	r := Receiver{Rate: 1000}
	rng := rand.New(rand.NewPCG(3, 1))
	want, before := 0.0, 0.0
	for n := uint64(1 << 16); n < 1<<16+500; n++ {
		delay := float64(rng.IntN(50))
		sent := time.Duration(n-1<<16) * 20 * time.Millisecond
		r.Packet(start.Add(sent+time.Duration(delay)*time.Millisecond), n, uint32(sent/time.Millisecond), false)
		if n > 1<<16 {
			want += (max(delay-before, before-delay) - want) / 16
		}
		before = delay
	}
	b, _ := r.Report(start)
	if diff := float64(b.Jitter) - want; diff > 2 || diff < -2 {
		t.Errorf("jitter %d, not %.1f", b.Jitter, want)
	}
}

// Audio and video of one publisher come with different delays; their reports must not show it.
func TestSenderReportsTellWhenFramesWereCaptured(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 1))
	for range 200 {
		moment := start.Add(time.Duration(rng.Int64N(int64(time.Hour))))
		for _, rate := range []uint32{48000, 90000} {
			var s Sender
			delay := time.Duration(rng.IntN(800)) * time.Millisecond
			s.Sent(moment.Add(delay), ToNTP(moment), 5000, 100)
			r, ok := s.Report(moment.Add(time.Second), rate)
			if off := int32(r.RTP - 5000 - rate); !ok || off > 2 || off < -2 {
				t.Fatalf("delay %v at %d Hz: off by %d ticks", delay, rate, off)
			}
		}
	}
	for _, unlikely := range []time.Duration{time.Hour, -time.Hour} {
		var s Sender
		s.Sent(start, ToNTP(start.Add(unlikely)), 5000, 100)
		if r, _ := s.Report(start, 90000); r.RTP != 5000 {
			t.Errorf("captured %v from now: %+v", unlikely, r)
		}
	}
}

func TestSenderReportsNeverGoBack(t *testing.T) {
	var s Sender
	s.Sent(start, 0, 5000, 1)
	s.Report(start, 1000)
	s.Sent(start.Add(time.Millisecond), ToNTP(start.Add(-time.Millisecond)), 4000+5, 1) // late: tells nothing
	s.Sent(start.Add(100*time.Millisecond), ToNTP(start.Add(2*time.Second)), 5001, 1)   // not believed
	if r, ok := s.Report(start.Add(100*time.Millisecond), 1000); !ok || r.RTP != 5001 {
		t.Errorf("%+v", r)
	}
	s.Sent(start.Add(200*time.Millisecond), ToNTP(start.Add(500*time.Millisecond)), 5002, 1)
	if r, ok := s.Report(start.Add(200*time.Millisecond), 1000); ok {
		t.Errorf("the timestamp has gone back: %+v", r)
	}
}

func TestOffsetIsThatOfTheQuickestReport(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 1))
	for _, truth := range []time.Duration{0, time.Hour, -50 * 365 * 24 * time.Hour} {
		var o Offset
		if _, ok := o.Ahead(); ok {
			t.Error("known before the first report")
		}
		now := start
		told, changes := NTP(0), 0
		for range 60 {
			now = now.Add(time.Second)
			told = ToNTP(now).Add(truth)
			if o.Observe(now.Add(20*time.Millisecond+time.Duration(rng.IntN(200))*time.Millisecond), told) {
				changes++
			}
		}
		ahead, ok := o.Ahead()
		if off := truth - ahead; !ok || off < 20*time.Millisecond-time.Microsecond || off > 60*time.Millisecond {
			t.Errorf("%v was taken for %v", truth, ahead)
		}
		if !near(told.Sub(o.Ours(told)), ahead) || changes > 20 {
			t.Errorf("%d changes", changes)
		}
		for range 90 { // the clock is set back
			now = now.Add(time.Second)
			o.Observe(now, ToNTP(now).Add(truth-time.Minute))
		}
		if ahead, _ = o.Ahead(); !near(ahead, truth-time.Minute) {
			t.Errorf("after a minute back it was taken for %v", ahead)
		}
	}
	if got := Fixed(-1500 * time.Millisecond); got != -3<<31 {
		t.Errorf("%x", got)
	}
}
