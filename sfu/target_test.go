package sfu

import (
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-rtc/turnout/sfu/codec"
	"github.com/turnout-rtc/turnout/sfu/forward"
	"github.com/turnout-rtc/turnout/sfu/link"
	"github.com/turnout-rtc/turnout/sfu/report"
	"github.com/turnout-rtc/turnout/sfu/sfutest"
)

// camera is a publication with layers, or in one stream with all of them, and those who watch it, without a network.
type camera struct {
	ends
	stream link.Stream
	codec  link.Codec

	e        *Engine
	rng      *rand.Rand
	p        *Publication
	truth    sfutest.Truth
	encoders []*sfutest.Encoder
	layers   []*layer
	silent   []bool // layers that send nothing at present
}

func (c *camera) Stream() link.Stream { return c.stream }

func (c *camera) Codec(uint8) link.Codec { return c.codec }

// newCamera makes one with the layers of simulcast in VP8, or with those of SVC in AV1.
func newCamera(tb testing.TB, rng *rand.Rand, svc bool) *camera {
	e := &Engine{config: Config{}.withDefaults()}
	e.lanes = newLanes(2, e.config.LaneQueue, nil)
	tb.Cleanup(func() {
		for _, l := range e.lanes {
			l.Close()
		}
	})
	t := newTransport(&Router{engine: e}, e.lanes[0], slog.New(slog.DiscardHandler), func(Event) {})
	c := &camera{e: e, rng: rng, p: newPublication(t, Announcement{ID: "cam"}, Video)}
	kind, n, spatial := sfutest.VP8, 3, 1
	c.stream, c.codec = link.Stream{MID: "0", Video: true}, link.Codec{Mime: "video/VP8", ClockRate: 90000}
	if svc {
		kind, n, spatial = sfutest.AV1, 1, 3
		c.stream.DescriptorID, c.codec.Mime = 9, "video/AV1"
	}
	for i := range n {
		c.encoders = append(c.encoders, &sfutest.Encoder{
			Codec: kind, Source: i, Spatial: spatial, Temporal: 3, LongID: true, Descriptor: c.stream.DescriptorID, Ticks: 3000,
			Size: 100 << (2 * i), Rand: rng, Truth: &c.truth, Seq: uint16(rng.Uint32()), Timestamp: rng.Uint32(),
		})
		l := newLayer(forward.SourceID(1+i), c, t)
		if l.publication.Store(c.p); !svc {
			l.group = 1
		}
		c.layers = append(c.layers, l)
	}
	c.silent = make([]bool, n)
	return c
}

// picture sends one picture of every layer and lets its time pass.
func (c *camera) picture() {
	var all [][]link.Packet
	for i, e := range c.encoders {
		l := c.layers[i]
		if c.rng.IntN(30) == 0 {
			l.SenderReport(report.ToNTP(time.Now()), e.Timestamp)
		}
		var packets []link.Packet
		if e.WantKey = l.keyWanted.Load(); c.silent[i] {
			e.Timestamp += e.Ticks
			all = append(all, nil)
			continue
		}
		for _, p := range e.Picture() {
			packets = append(packets, link.Packet{Data: p.Bytes, Memory: nobodys{}})
		}
		all = append(all, packets)
	}
	for i := c.rng.IntN(len(all)); slices.ContainsFunc(all, func(p []link.Packet) bool { return len(p) > 0 }); i = c.rng.IntN(len(all)) {
		n := min(1+c.rng.IntN(3), len(all[i]))
		c.layers[i].Packets(time.Now(), all[i][:n], nil)
		all[i] = all[i][n:]
	}
	time.Sleep(time.Second / 30)
}

// viewer is a sender that a model of a receiver looks at.
type viewer struct {
	link.Sender
	codec codec.Codec

	mu       sync.Mutex
	receiver sfutest.Receiver // guarded by mu
	showing  int              // likewise
}

func (v *viewer) PayloadTypes(link.Codec) (media, rtx uint8, ok bool) { return 96, 97, true }

func (v *viewer) Send(run []forward.Out, _ *link.Outlet) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	for i := range run {
		v.see(&run[i])
	}
	return len(run)
}

func (v *viewer) see(o *forward.Out) {
	kind := sfutest.VP8
	if v.codec == codec.AV1 {
		kind = sfutest.AV1
	}
	if v.codec.KeyFrame(o.Payload) { // it may be of another layer
		v.showing++
	}
	v.receiver.Receive(sfutest.Received{
		Codec: kind, Showing: v.showing, Marker: o.Marker, Seq: o.Seq, Timestamp: o.Timestamp, Payload: o.Payload, Descriptor: o.Descriptor,
	})
}

func (c *camera) watcher(number int) (*slot, *viewer) {
	v := &viewer{codec: codec.FromMime(c.codec.Mime)}
	v.receiver.Truth = &c.truth
	d := newDownlink(c.e, c.e.lanes[number%2])
	s := newSlot(Slot{Kind: Video}, v, 1, d)
	d.lane.Do(func() { d.slots = append(d.slots, s) })
	s.setOpen(true)
	return s, v
}

func TestWhateverIsWantedTheReceiverCanDecode(t *testing.T) {
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 4))
			c := newCamera(t, rng, seed%2 == 0)
			var slots []*slot
			var viewers []*viewer
			for range 300 {
				switch what := rng.IntN(30); {
				case what == 0 && len(slots) < 6:
					s, v := c.watcher(len(slots))
					slots, viewers = append(slots, s), append(viewers, v)
					s.show(c.p)
				case what < 3 && len(slots) > 0:
					s := slots[rng.IntN(len(slots))]
					s.setTarget(codec.Layer{Spatial: uint8(rng.IntN(3)), Temporal: uint8(rng.IntN(3))})
				case what == 3:
					i := rng.IntN(len(c.silent))
					c.silent[i] = !c.silent[i] && len(c.silent) > 1
				case what == 4 && len(slots) > 0:
					slots[rng.IntN(len(slots))].PictureLost()
				case what == 5 && len(slots) > 0:
					s := slots[rng.IntN(len(slots))]
					s.show(nil)
					s.show(c.p)
				case what == 6 && rng.IntN(4) == 0:
					c.p.Pause(true)
					time.Sleep(time.Second)
					c.p.Pause(false)
				}
				c.picture()
			}
			synctest.Wait()
			for i, v := range viewers {
				if _, err := v.receiver.Check(); err != nil {
					t.Fatalf("seed %d, viewer %d: %v", seed, i, err)
				}
			}
		})
	}
}

func TestEverySlotShowsTheLayerItIsToShow(t *testing.T) {
	for seed := range uint64(6) {
		synctest.Test(t, func(t *testing.T) {
			svc := seed%2 == 0
			c := newCamera(t, rand.New(rand.NewPCG(seed, 4)), svc)
			for range 60 {
				c.picture()
			}
			type shown struct {
				slot *slot
				*viewer
				highest codec.Layer
			}
			var all []shown
			for i := range 9 {
				s, v := c.watcher(i)
				s.show(c.p)
				all = append(all, shown{s, v, codec.Layer{Spatial: uint8(i / 3), Temporal: uint8(i % 3)}})
				s.setTarget(all[i].highest)
			}
			for range 120 {
				c.picture()
			}
			begin := len(c.truth.Frames)
			for range 30 {
				c.picture()
			}
			synctest.Wait()
			for _, s := range all {
				if _, err := s.receiver.Check(); err != nil {
					t.Fatal(err)
				}
				for _, f := range c.truth.Frames[begin:] {
					want := f.Source == int(s.highest.Spatial) && f.Temporal <= int(s.highest.Temporal)
					if svc {
						want = f.Spatial <= int(s.highest.Spatial) && f.Temporal <= int(s.highest.Temporal)
					}
					if got := s.receiver.Has(f); got != want {
						t.Fatalf("seed %d, up to %+v: frame S%d T%d of source %d is there: %v", seed, s.highest, f.Spatial, f.Temporal, f.Source, got)
					}
				}
			}
		})
	}
}

// wanted are the layers that are asked for a key frame.
func (c *camera) wanted() (all []forward.SourceID) {
	for _, l := range c.layers {
		if l.keyWanted.Load() {
			all = append(all, l.id)
		}
	}
	return all
}

func TestNewcomerBeginsWithTheLayerItIsToShow(t *testing.T) {
	for low := range uint8(3) {
		synctest.Test(t, func(t *testing.T) {
			c := newCamera(t, rand.New(rand.NewPCG(uint64(low), 4)), false)
			for range 20 {
				c.picture()
			}
			s, v := c.watcher(0)
			s.setTarget(codec.Layer{Spatial: low, Temporal: forward.Top})
			s.show(c.p)
			if n := c.e.counters.stats().Replays; n != 1 || len(c.wanted()) > 0 {
				t.Errorf("layer %d: %d replays, and key frames are asked of %v", low, n, c.wanted())
			}
			if got := s.stream.Shown(); got != forward.SourceID(low+1) {
				t.Errorf("layer %d is shown, not %d", got, low+1)
			}
			for range 10 {
				c.picture()
			}
			synctest.Wait()
			if _, err := v.receiver.Check(); err != nil {
				t.Fatal(err)
			}
			for _, f := range c.truth.Frames[:3] {
				if got := v.receiver.Has(f); got != (f.Source == int(low)) {
					t.Errorf("the key frame of source %d is there: %v", f.Source, got)
				}
			}
		})
	}
}

func TestKeyFramesAreAskedOfTheLayerThatIsToBeShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCamera(t, rand.New(rand.NewPCG(1, 4)), false)
		c.e.config.GOPPackets = 0 // nothing to begin with
		for range 20 {
			c.picture()
		}
		time.Sleep(time.Minute) // nothing moves
		s, _ := c.watcher(0)
		s.setTarget(codec.Layer{Spatial: 1, Temporal: forward.Top})
		s.show(c.p)
		if got := c.wanted(); !slices.Equal(got, []forward.SourceID{2}) {
			t.Fatalf("for a newcomer: %v", got)
		}
		c.layers[1].keyWanted.Store(false)
		s.PictureLost()
		if got := c.wanted(); !slices.Equal(got, []forward.SourceID{2}) {
			t.Errorf("for a picture that was lost: %v", got)
		}
	})
}

// What is lost for good is lost for those who show that layer.
func TestPacketsThatAreGivenUpCostAKeyFrameOfTheirLayer(t *testing.T) {
	for broken := range 3 {
		synctest.Test(t, func(t *testing.T) {
			c := newCamera(t, rand.New(rand.NewPCG(2, 4)), false)
			s, _ := c.watcher(0)
			s.setTarget(codec.Layer{Spatial: 1, Temporal: forward.Top})
			s.show(c.p)
			for range 60 {
				c.picture()
			}
			if got := c.wanted(); len(got) > 0 {
				t.Fatalf("%v before anything is lost", got)
			}
			c.encoders[broken].Picture()
			var got []forward.SourceID
			for range 90 {
				c.picture()
				for _, l := range c.wanted() {
					if !slices.Contains(got, l) {
						got = append(got, l)
					}
				}
			}
			var want []forward.SourceID
			if broken == 1 {
				want = []forward.SourceID{2}
			}
			if n := c.e.counters.stats().GaveUp; n != 1 || !slices.Equal(got, want) {
				t.Errorf("source %d has lost something: given up %d times, key frames of %v", broken, n, got)
			}
		})
	}
}

func TestSlotFallsBackWhenItsLayerStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCamera(t, rand.New(rand.NewPCG(1, 4)), false)
		s, v := c.watcher(0)
		s.show(c.p)
		for range 60 {
			c.picture()
		}
		for _, want := range []forward.SourceID{3, 2, 1} {
			for range 90 {
				c.picture()
			}
			var got forward.SourceID
			s.downlink.lane.Do(func() { got = s.stream.Shown() })
			if got != want {
				t.Errorf("layer %d is shown, not %d", got, want)
			}
			c.silent[want-1] = true
		}
		synctest.Wait()
		if _, err := v.receiver.Check(); err != nil {
			t.Fatal(err)
		}
	})
}
