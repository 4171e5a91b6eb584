package sfu

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-rtc/turnout/sfu/delivery"
)

func TestRetransmissionsAreAShareAndPaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStudio(t, Video, func(c *Config) { c.RTXPercent, c.RTXFloorKbps, c.PaceKbps = 20, 100, 4000 })
		w, r := s.watcher(0)
		w.show(s.p)
		s.frame(10, true)
		for range 40 {
			s.frame(10, false)
		}
		var seqs []uint16
		for _, p := range r.all() {
			seqs = append(seqs, p.seq)
		}
		for range 20 {
			time.Sleep(50 * time.Millisecond)
			w.Nacked(time.Now(), seqs)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		got := s.e.counters.stats()
		// A fifth of 410 packets, and a floor of 10 packets a second for two seconds.
		if got.Retransmitted < 70 || got.Retransmitted > 110 || got.Dropped["rtxBudget"] == 0 {
			t.Errorf("%+v", got)
		}
		for i, p := range r.rtx {
			j := i
			for j < len(r.rtx) && r.rtx[j].at.Sub(p.at) < 10*time.Millisecond {
				j++
			}
			if j-i > 17 { // a burst of 12.5 kB, and 5 kB in 10 ms
				t.Fatalf("%d packets were sent again within 10 ms", j-i)
			}
		}
	})
}

func TestRequestsAreMeasuredByTheRoundTrip(t *testing.T) {
	for _, c := range []struct{ trip, pause time.Duration }{{10 * time.Millisecond, 20 * time.Millisecond}, {time.Second, 100 * time.Millisecond}} {
		synctest.Test(t, func(t *testing.T) {
			s := newStudio(t, Video)
			w, r := s.watcher(0)
			tr := newTransport(&Router{engine: s.e}, s.e.lanes[0], slog.New(slog.DiscardHandler), func(Event) {})
			w.downlink = tr.downlink
			w.show(s.p)
			s.frame(1, true)
			time.Sleep(time.Second)
			tr.delivered(delivery.Report{Quality: delivery.Quality{RoundTrip: c.trip}})
			ask := func() { w.Nacked(time.Now(), []uint16{r.all()[0].seq}) }
			ask()
			time.Sleep(c.pause - time.Millisecond)
			ask() // the same loss
			if n := s.e.counters.stats().Dropped["rtxTooSoon"]; n != 1 || len(r.rtx) != 1 {
				t.Errorf("round trip %v: sent again %d times, %d were too soon", c.trip, len(r.rtx), n)
			}
			time.Sleep(time.Millisecond)
			ask()
			if len(r.rtx) != 2 {
				t.Errorf("round trip %v: sent again %d times after %v", c.trip, len(r.rtx), c.pause)
			}
		})
	}
}

func TestTooManyWaitToBeSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStudio(t, Video, func(c *Config) { c.RTXFloorKbps, c.PaceKbps = 1_000_000, 100 })
		w, r := s.watcher(0)
		w.show(s.p)
		s.frame(300, true)
		var seqs []uint16
		for _, p := range r.all() {
			seqs = append(seqs, p.seq)
		}
		time.Sleep(50 * time.Millisecond)
		w.Nacked(time.Now(), seqs)
		w.downlink.lane.Do(func() {
			if n := len(w.downlink.waiting); n > maxAgain {
				t.Errorf("%d wait", n)
			}
		})
		if s.e.counters.stats().Dropped["rtxQueue"] == 0 {
			t.Errorf("%+v", s.e.counters.stats())
		}
		w.downlink.forget(w)
		synctest.Wait()
	})
}
