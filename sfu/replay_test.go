package sfu

import (
	"encoding/binary"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-rtc/turnout/sfu/codec"
	"github.com/turnout-rtc/turnout/sfu/forward"
	"github.com/turnout-rtc/turnout/sfu/link"
	"github.com/turnout-rtc/turnout/sfu/report"
)

// recorder is a sender that keeps what is sent.
type recorder struct {
	link.Sender
	mu   sync.Mutex
	sent []recorded // guarded by mu
	rtx  []recorded // likewise
}

type recorded struct {
	at   time.Time
	seq  uint16
	ts   uint32
	body uint32 // what the publisher has counted
	key  bool
	end  bool // of a frame

	captured report.NTP
}

func record(o *forward.Out) recorded {
	n := len(o.Payload)
	return recorded{time.Now(), o.Seq, o.Timestamp, binary.BigEndian.Uint32(o.Payload[n-4:]), codec.VP8.KeyFrame(o.Payload), o.Marker, o.Captured}
}

func (r *recorder) PayloadTypes(link.Codec) (media, rtx uint8, ok bool) { return 96, 97, true }

func (r *recorder) Send(run []forward.Out, _ *link.Outlet) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range run {
		r.sent = append(r.sent, record(&run[i]))
	}
	return len(run)
}

func (r *recorder) SendRTX(o *forward.Out, _ *link.Outlet) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rtx = append(r.rtx, record(o))
	return nil
}

func (r *recorder) all() []recorded {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]recorded(nil), r.sent...)
}

// studio is a camera and those who watch it, without a network.
type studio struct {
	e     *Engine
	layer *layer
	p     *Publication
	seq   uint16
	ts    uint32
	count uint32
}

func newStudio(tb testing.TB, kind Kind, change ...func(*Config)) *studio {
	cfg := Config{}
	for _, f := range change {
		f(&cfg)
	}
	e := &Engine{config: cfg.withDefaults(), batches: make(chan *batch, spareBatches)}
	e.lanes = newLanes(2, e.config.LaneQueue, nil)
	tb.Cleanup(func() {
		for _, l := range e.lanes {
			l.Close()
		}
	})
	t := newTransport(&Router{engine: e}, e.lanes[0], slog.New(slog.DiscardHandler), func(Event) {})
	s := &studio{e: e, layer: newLayer(1, &ends{}, t), p: newPublication(t, Announcement{ID: "cam"}, kind)}
	s.layer.publication.Store(s.p)
	return s
}

// packet sends one packet of a VP8 frame.
func (s *studio) packet(first, last, key bool) {
	b := make([]byte, 12+1000)
	b[0], b[1] = 0x80, 96
	if last {
		b[1] |= 0x80
	}
	s.seq++
	s.count++
	binary.BigEndian.PutUint16(b[2:], s.seq)
	binary.BigEndian.PutUint32(b[4:], s.ts)
	b[13] = 1
	if first {
		b[12] = 0x10
		if key {
			b[13] = 0
		}
	}
	binary.BigEndian.PutUint32(b[len(b)-4:], s.count)
	s.layer.Packets(time.Now(), []link.Packet{{Data: b, Memory: nobodys{}}}, nil)
}

// frame sends a frame and lets its time pass.
func (s *studio) frame(packets int, key bool) {
	s.ts += 3000
	for i := range packets {
		s.packet(i == 0, i == packets-1, key)
	}
	time.Sleep(time.Second / 30)
}

// watcher is one more subscriber, on a lane.
func (s *studio) watcher(lane int) (*slot, *recorder) {
	r := &recorder{}
	d := newDownlink(s.e, s.e.lanes[lane])
	w := newSlot(Slot{Kind: s.p.kind}, r, 1, d)
	d.lane.Do(func() { d.slots = append(d.slots, w) })
	w.setOpen(true)
	return w, r
}

// continuous checks that nothing is missing and nothing comes twice, from a key frame on.
func continuous(t *testing.T, sent []recorded, last uint32) {
	t.Helper()
	if len(sent) == 0 || !sent[0].key {
		t.Fatalf("%d packets, which do not begin with a key frame", len(sent))
	}
	for i, p := range sent[1:] {
		if q := sent[i]; p.seq != q.seq+1 || p.body != q.body+1 || int32(p.ts-q.ts) < 0 {
			t.Fatalf("after %+v comes %+v", q, p)
		}
	}
	if got := sent[len(sent)-1].body; got != last {
		t.Fatalf("the last packet is %d, not %d", got, last)
	}
}

func TestNewcomerBeginsWithTheLastKeyFrame(t *testing.T) {
	for seed := range uint64(50) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			s := newStudio(t, Video)
			size := 1 + rng.IntN(8) // of 61 frames: less than are kept
			s.frame(20, true)
			for range rng.IntN(60) {
				s.frame(size, false)
			}
			w, r := s.watcher(int(seed % 2))
			asked := s.layer.keyWanted.Load()
			w.show(s.p)
			if first := r.all(); len(first) == 0 || time.Since(first[0].at) > 0 || len(first) > 14 {
				t.Fatalf("%d packets at once", len(first))
			}
			for range 60 {
				s.frame(size, false)
			}
			synctest.Wait()
			sent := r.all()
			continuous(t, sent, s.count)
			if s.layer.keyWanted.Load() != asked || s.e.counters.stats().Replays != 1 {
				t.Errorf("a key frame was asked for: %+v", s.e.counters.stats())
			}
			// It has caught up, in the receiver's time, too: the stream is not older than it was long.
			a, b := sent[0], sent[len(sent)-1]
			if behind := b.at.Sub(a.at) - time.Duration(b.ts-a.ts)*time.Second/90000; behind > 40*time.Millisecond || behind < -40*time.Millisecond {
				t.Errorf("the timestamps are off by %v", behind)
			}
			if b.at.Before(time.Now().Add(-50 * time.Millisecond)) {
				t.Error("it did not catch up")
			}
		})
	}
}

func TestSlotThatComesBackGoesOnWithItsNumbers(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 2))
			s := newStudio(t, Video)
			w, r := s.watcher(0)
			s.frame(10, true)
			for range 10 {
				w.show(s.p)
				for range rng.IntN(20) {
					s.frame(1+rng.IntN(5), rng.IntN(8) == 0)
				}
				w.show(nil)
				for range rng.IntN(60) {
					s.frame(1+rng.IntN(5), rng.IntN(20) == 0)
				}
			}
			synctest.Wait()
			sent := r.all()
			for i, p := range sent[1:] {
				q := sent[i]
				step := uint16(1)
				if p.key && !q.end { // the slot has left in the midst of a frame, and the hole says so
					step = 2
				}
				if p.seq != q.seq+step || int32(p.ts-q.ts) < 0 || p.body != q.body+1 && !p.key {
					t.Fatalf("seed %d: after %+v comes %+v", seed, q, p)
				}
			}
		})
	}
}

func TestReplayIsPaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStudio(t, Video, func(c *Config) { c.PaceKbps = 8000 })
		s.frame(200, true)
		w, r := s.watcher(0)
		w.show(s.p)
		time.Sleep(time.Second)
		synctest.Wait()
		sent := r.all()
		continuous(t, sent, 200)
		for i, p := range sent {
			j := i
			for j < len(sent) && sent[j].at.Sub(p.at) < 10*time.Millisecond {
				j++
			}
			// 200 kB since a thirtieth of a second: twice as fast is 8 MB a second, and a burst.
			if n := j - i; n > 105 {
				t.Fatalf("%d packets within 10 ms", n)
			}
		}
	})
}

func TestWithoutAWholeRunAKeyFrameIsAskedFor(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		before func(*studio)
	}{
		"nothing came":     {nil, func(*studio) {}},
		"a packet is lost": {nil, func(s *studio) { s.frame(3, true); s.seq++; s.frame(3, false) }},
		"too old":          {nil, func(s *studio) { s.frame(3, true); time.Sleep(4 * time.Second); s.frame(1, false) }},
		"too long":         {func(c *Config) { c.GOPPackets = 10 }, func(s *studio) { s.frame(5, true); s.frame(6, false) }},
		"paused since":     {nil, func(s *studio) { s.frame(3, true); s.p.Pause(true); s.p.Pause(false) }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var change []func(*Config)
				if c.change != nil {
					change = append(change, c.change)
				}
				s := newStudio(t, Video, change...)
				c.before(s)
				w, r := s.watcher(0)
				w.show(s.p)
				s.frame(2, false)
				if len(r.all()) > 0 || s.e.counters.stats().Replays > 0 {
					t.Errorf("%d packets were sent", len(r.all()))
				}
				if !s.layer.keyWanted.Load() {
					t.Error("no key frame is asked for")
				}
				n := s.count
				s.frame(2, true)
				if sent := r.all(); len(sent) != 2 || sent[0].body != n+1 {
					t.Errorf("sent %+v", sent)
				}
			})
		})
	}
}

func TestLossDuringAReplayEndsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStudio(t, Video, func(c *Config) { c.PaceKbps = 1 })
		s.frame(2, true)
		for range 40 {
			s.frame(10, false)
		}
		w, r := s.watcher(0)
		w.show(s.p)
		s.seq++ // lost
		for range 60 {
			s.frame(10, false)
		}
		if !s.layer.keyWanted.Load() {
			t.Error("no key frame is asked for")
		}
		before, n := len(r.all()), s.count
		s.frame(3, true)
		sent := r.all()
		if len(sent) != before+3 || sent[before].body != n+1 || sent[before].seq != sent[before-1].seq+1 {
			t.Errorf("%d packets, then %+v", before, sent[before:])
		}
	})
}

func TestFullLaneHasVideoWaitForAKeyFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStudio(t, Video, func(c *Config) { c.LaneQueue = 2 })
		w, r := s.watcher(1)
		w.show(s.p)
		s.frame(1, true)
		s.e.lanes[1].Do(func() { // busy
			for range 5 {
				s.ts += 3000
				s.packet(true, true, false)
			}
		})
		synctest.Wait()
		if n := s.e.counters.stats().Dropped["laneFull"]; n != 3 || !s.layer.keyWanted.Load() {
			t.Errorf("%d were dropped", n)
		}
		if sent := r.all(); len(sent) != 1 {
			t.Errorf("sent %+v", sent)
		}
		s.frame(2, true)
		sent := r.all()
		if len(sent) != 3 || !sent[1].key || sent[1].seq != sent[0].seq+1 {
			t.Errorf("sent %+v", sent)
		}
	})
}

func TestReportFromBeforeAPauseIsNotPassedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStudio(t, Video)
		w, r := s.watcher(0)
		w.show(s.p)
		told := func() { s.layer.SenderReport(report.ToNTP(time.Now()), s.ts+3000) }
		told()
		s.frame(1, true)
		s.p.Pause(true)
		time.Sleep(5 * time.Second) // the camera's clock stands still
		s.p.Pause(false)
		s.frame(1, true)
		told()
		s.frame(1, false)
		for i, want := range []bool{true, false, true} {
			if p := r.all()[i]; (p.captured != 0) != want || want && p.captured.Sub(report.ToNTP(p.at)).Abs() > time.Millisecond {
				t.Errorf("frame %d, sent at %v, was captured at %x", i, p.at, p.captured)
			}
		}
	})
}

func TestPublisherWithoutKeyFramesCostsLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStudio(t, Video)
		w, r := s.watcher(0)
		w.show(s.p)
		asked := 0
		for range 30 * 60 {
			s.frame(2, false)
			s.layer.poll(time.Now())
			asked = int(s.e.counters.stats().KeyFrameRequests)
		}
		if len(r.all()) > 0 || asked < 10 || asked > 40 {
			t.Errorf("%d packets were sent, %d key frames asked for", len(r.all()), asked)
		}
	})
}

func TestWatchersOnAllLanesGetTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStudio(t, Video)
		var all []*recorder
		for i := range 100 { // more than are served without a hand-over
			w, r := s.watcher(i % 2)
			w.show(s.p)
			all = append(all, r)
		}
		s.frame(4, true)
		for range 20 {
			s.frame(4, false)
		}
		synctest.Wait()
		for _, r := range all {
			continuous(t, r.all(), s.count)
		}
	})
}
