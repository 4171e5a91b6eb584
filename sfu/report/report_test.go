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
	s.Sent(start, 1000, 100)
	s.Sent(start.Add(5*time.Millisecond), 1000, 50) // same frame
	s.Sent(start.Add(9*time.Millisecond), 900, 50)  // late
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
