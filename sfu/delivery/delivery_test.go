package delivery

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/turnout-rtc/turnout/sfu/receive"
	"github.com/turnout-rtc/turnout/sfu/report"
	"github.com/turnout-rtc/turnout/sfu/rtcp"
)

var start = time.Unix(1_700_000_000, 0) //nolint:gochecknoglobals // a constant

// body writes feedback about what has arrived, as our own receiving side does, and reads it.
func body(t testing.TB, a *receive.Arrivals) rtcp.TransportFeedback {
	t.Helper()
	b := rtcp.FinishTransportFeedback(a.Report(rtcp.BeginTransportFeedback(nil, 1, 2)), 0)
	p, _, err := rtcp.Next(b)
	if err != nil {
		t.Fatal(err)
	}
	f, ok := p.TransportFeedback()
	if !ok {
		t.Fatalf("% x is no feedback", b)
	}
	return f
}

// Whatever is lost on the way, every packet has one fate, or two when it was taken for lost and came after all.
func TestEveryPacketHasOneFate(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var h History
		var a receive.Arrivals
		type packet struct {
			at, arrived time.Time
			size        int
		}
		sent := map[uint64]packet{}
		fates := map[uint64]bool{}
		now, n, delay := start, uint64(firstNumber), time.Duration(rng.IntN(int(48*time.Hour)))
		lossy := rng.IntN(3)
		var before *Result
		for range 100 {
			for range rng.IntN(60) {
				now = now.Add(time.Duration(rng.IntN(3000)) * time.Microsecond)
				size := rng.IntN(1500)
				if got := h.Sent(now, size); got != uint16(n) {
					t.Fatalf("packet %d has the number %d", n, got)
				}
				sent[n] = packet{now, now.Add(delay), size}
				if rng.IntN(10) >= lossy {
					a.Packet(now.Add(delay), n)
				}
				n++
			}
			for a.Due() > 0 {
				results, ok := h.Feedback(now, body(t, &a), nil)
				if !ok {
					t.Fatal("feedback that cannot be read")
				}
				for _, r := range results {
					was := sent[r.Number]
					if _, twice := fates[r.Number]; twice || r.Size != was.size || r.Sent.Sub(was.at).Abs() > 2*time.Microsecond {
						t.Fatalf("%+v of %+v", r, was)
					}
					fates[r.Number] = r.Received
					if !r.Received {
						continue
					}
					if before != nil {
						took, truth := r.Arrived-before.Arrived, was.arrived.Sub(sent[before.Number].arrived)
						if d := took - truth; d.Abs() > time.Millisecond {
							t.Fatalf("seed %d: between %d and %d: %v, not %v", seed, before.Number, r.Number, took, truth)
						}
					}
					before = &r
				}
			}
		}
		if before == nil || len(fates) < int(before.Number-firstNumber)*9/10 {
			t.Fatalf("seed %d: %d fates of %d packets", seed, len(fates), n-firstNumber)
		}
		if len(h.packets) > most {
			t.Fatalf("%d packets are remembered", len(h.packets))
		}
	}
}

func TestHistoryGrowsOnlyWhileFatesAreAwaited(t *testing.T) {
	var h History
	for i := range 10000 { // too slow for feedback to be awaited
		h.Sent(start.Add(time.Duration(i)*time.Second), 100)
	}
	if len(h.packets) != fewest {
		t.Errorf("%d packets are remembered of a slow stream", len(h.packets))
	}
	for range 3 * most {
		h.Sent(start.Add(10000*time.Second), 100)
	}
	if len(h.packets) != most {
		t.Errorf("%d packets are remembered of a fast one", len(h.packets))
	}
}

func TestWhatWasLostMayStillArrive(t *testing.T) {
	var h History
	for range 5 {
		h.Sent(start, 100)
	}
	tell := func(arrived ...uint64) []Result {
		var a receive.Arrivals
		for _, n := range arrived {
			a.Packet(start.Add(time.Duration(n-firstNumber)*time.Millisecond), n)
		}
		r, _ := h.Feedback(start, body(t, &a), nil)
		return r
	}
	if r := tell(firstNumber, firstNumber+2); len(r) != 3 || r[1].Received || !r[2].Received {
		t.Fatalf("%+v", r)
	}
	if r := tell(firstNumber, firstNumber+2); len(r) != 0 {
		t.Fatalf("told again: %+v", r)
	}
	if r := tell(firstNumber, firstNumber+1); len(r) != 1 || !r[0].Received || r[0].Number != firstNumber+1 {
		t.Fatalf("%+v", r)
	}
	if r := tell(firstNumber+3, firstNumber+9); len(r) != 2 || r[1].Received {
		t.Fatalf("of what was never sent: %+v", r)
	}
}

func TestQualityIsWhatReportsSay(t *testing.T) {
	var q Quality
	var one, other Stream
	tell := func(now uint32, lostOne, lostOther int32) {
		var tally Tally
		tally.Add(&one, report.Reception{Highest: now, Lost: lostOne, Jitter: 90}, 90000)
		tally.Add(&other, report.Reception{Highest: now, Lost: lostOther, Jitter: 480}, 48000)
		if !tally.Into(&q) {
			t.Error("no report")
		}
	}
	tell(1<<32-100, 50, 0) // what was lost before is nobody's business
	if q.Loss != 0 || q.Jitter != 10*time.Millisecond {
		t.Errorf("%+v", q)
	}
	tell(100-1, 50, 20) // 199 each
	if want := 20.0 / 398; q.Loss != want {
		t.Errorf("%+v, not %f", q, want)
	}
	was := q
	tell(100-1, 60, 30) // a repeat
	if q.Loss != was.Loss {
		t.Errorf("%+v", q)
	}
	tell(200, 40, 20) // some came late
	if q.Loss != 0 {
		t.Errorf("%+v", q)
	}
	if (&Tally{}).Into(&q) {
		t.Error("nothing was reported")
	}
	q.Measured(100 * time.Millisecond)
	q.Measured(180 * time.Millisecond)
	if q.RoundTrip != 110*time.Millisecond {
		t.Errorf("%v", q.RoundTrip)
	}
}

func TestFollowingAllocatesNothing(t *testing.T) {
	var h History
	var a receive.Arrivals
	now, n, results, b := start, uint64(firstNumber), make([]Result, 0, 100), make([]byte, 0, 2000)
	step := func() {
		for range 50 {
			now = now.Add(time.Millisecond)
			h.Sent(now, 1000)
			a.Packet(now, n)
			n++
		}
		b = rtcp.FinishTransportFeedback(a.Report(rtcp.BeginTransportFeedback(b[:0], 1, 2)), 0)
		p, _, _ := rtcp.Next(b)
		f, _ := p.TransportFeedback()
		if results, _ = h.Feedback(now, f, results[:0]); len(results) != 50 {
			t.Fatalf("%d results", len(results))
		}
	}
	step()
	if got := testing.AllocsPerRun(100, step); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func FuzzFeedback(f *testing.F) {
	f.Add([]byte{0, 0, 0, 5, 0, 0, 1, 2, 0x20, 5, 1, 2, 3, 4, 5, 0}, uint16(10))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x80, 0, 1, 2, 0x1f, 0xff, 0xd9, 0x99, 3, 4, 5, 0}, uint16(3000))
	f.Fuzz(func(t *testing.T, data []byte, sent uint16) {
		var h History
		for range sent {
			h.Sent(start, 1)
		}
		b := append(rtcp.BeginTransportFeedback(nil, 1, 2), data[:min(len(data), 1400)]...)
		p, _, err := rtcp.Next(rtcp.FinishTransportFeedback(b, 0))
		if err != nil {
			t.Fatal(err)
		}
		feedback, _ := p.TransportFeedback()
		results, _ := h.Feedback(start, feedback, nil)
		if len(results) > int(sent) {
			t.Fatalf("%d results of %d packets", len(results), sent)
		}
	})
}

func BenchmarkSent(b *testing.B) {
	var h History
	now := start
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Millisecond)
		h.Sent(now, 1000)
	}
}
