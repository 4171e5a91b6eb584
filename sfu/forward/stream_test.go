package forward

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/turnout-rtc/turnout/sfu/codec"
	"github.com/turnout-rtc/turnout/sfu/packet"
	"github.com/turnout-rtc/turnout/sfu/report"
	"github.com/turnout-rtc/turnout/sfu/sfutest"
)

const descriptorID = 5

// source is a publisher's stream and what a layer does with its packets before they are forwarded.
type source struct {
	*sfutest.Encoder
	format  Format
	clock   report.Clock
	reader  Reader
	ring    *packet.Ring
	unwrap  packet.Unwrapper
	window  packet.Window
	highest uint64
	late    []sfutest.Packet // packets on their way
}

// arrival of a packet while its source was shown, from one switch to the next.
type arrival struct {
	shown *stream
	n     uint64
}

// forwarded is a packet that was sent.
type forwarded struct {
	arrival
	n      uint64 // as sent, unwrapped
	marker bool
	empty  bool
}

// world feeds a Rewriter with everything that can go wrong and has a model of a receiver look at what it sends.
type world struct {
	t        *testing.T
	rng      *rand.Rand
	now      time.Time
	truth    *sfutest.Truth
	rewriter *Rewriter
	history  History
	sources  []*source
	receiver *sfutest.Receiver
	lossy    bool

	in       In
	scratch  []byte
	unwrap   packet.Unwrapper
	sent     []forwarded
	arrivals map[arrival]bool
	nextID   SourceID
	showings int
	shown    *stream
}

func newWorld(t *testing.T, rng *rand.Rand, lossy bool) *world {
	w := &world{
		t: t, rng: rng, now: time.Unix(1e9, 0), truth: &sfutest.Truth{}, lossy: lossy, arrivals: map[arrival]bool{},
		rewriter: NewRewriter(uint16(rng.Uint32()), rng.Uint32()),
	}
	w.receiver = &sfutest.Receiver{Truth: w.truth}
	for range 1 + rng.IntN(3) {
		w.sources = append(w.sources, w.newSource())
	}
	return w
}

// newSource makes a publisher's stream of any kind.
func (w *world) newSource() *source {
	rng := w.rng
	w.nextID++
	c := sfutest.Codec(rng.IntN(5))
	e := &sfutest.Encoder{
		Codec: c, Source: int(w.nextID), Spatial: 1, Temporal: 1 + rng.IntN(3), Flexible: rng.IntN(2) == 0, LongID: rng.IntN(3) > 0,
		Ticks: 3000, Rand: rng, Truth: w.truth, Seq: uint16(rng.Uint32()), Timestamp: rng.Uint32(),
	}
	switch c {
	case sfutest.VP9, sfutest.AV1:
		e.Spatial, e.KeyOnly = 1+rng.IntN(3), rng.IntN(2) == 0
	case sfutest.H264:
		e.Temporal = 1
	case sfutest.VP8, sfutest.H265:
	}
	if c == sfutest.AV1 || rng.IntN(3) == 0 {
		e.Descriptor = descriptorID
	}
	s := w.wrap(e)
	if rng.IntN(2) == 0 {
		s.format.Group = 1
		s.clock.Report(report.ToNTP(w.now), e.Timestamp)
	}
	return s
}

// wrap has the packets of an encoder received.
func (w *world) wrap(e *sfutest.Encoder) *source {
	s := &source{Encoder: e, ring: packet.NewRing(64, time.Hour), clock: report.Clock{Rate: 90000}}
	s.format = Format{
		Source: SourceID(e.Source), Codec: [...]codec.Codec{codec.VP8, codec.VP9, codec.AV1, codec.H264, codec.H265}[e.Codec],
		ClockRate: 90000, PayloadType: uint8(100 + e.Codec), RTXPayloadType: uint8(110 + e.Codec), DescriptorID: e.Descriptor, Ring: s.ring,
	}
	s.reader = NewReader(&s.format)
	return s
}

// step lets one random thing happen.
func (w *world) step() {
	w.now = w.now.Add(time.Duration(w.rng.IntN(20)) * time.Millisecond)
	i := w.rng.IntN(len(w.sources))
	s := w.sources[i]
	switch w.rng.IntN(60) {
	case 0, 1:
		w.rewriter.Switch(s.format)
		s.WantKey = w.rng.IntN(3) > 0
	case 2:
		w.rewriter.Stop()
	case 3:
		w.now = w.now.Add(time.Duration(w.rng.IntN(100)) * time.Second)
	case 4:
		s.WantKey = true
	case 5, 6:
		w.rewriter.SetTarget(codec.Layer{Spatial: uint8(w.rng.IntN(4)), Temporal: uint8(w.rng.IntN(4))})
	case 7:
		w.sources[i] = w.newSource() // the publisher begins anew
	case 8:
		w.rewriter.Hold()
	default:
		for range 1 + w.rng.IntN(4) {
			for _, p := range s.Picture() {
				w.transmit(s, p)
			}
		}
	}
	if id := w.rewriter.KeyNeeded(); id != 0 {
		for _, s := range w.sources {
			s.WantKey = s.WantKey || s.format.Source == id && w.rng.IntN(20) == 0
		}
	}
}

// transmit loses, delays and repeats packets.
func (w *world) transmit(s *source, p sfutest.Packet) {
	what := w.rng.IntN(12)
	switch {
	case what == 0:
		w.deliver(s, p)
		w.deliver(s, p)
	case !w.lossy || what > 2 || p.Structure:
		w.deliver(s, p)
	case what == 1: // lost for ever
		damage(p)
	default:
		damage(p)
		s.late = append(s.late, p)
	}
	for len(s.late) > 0 && w.rng.IntN(4) == 0 {
		k := w.rng.IntN(len(s.late))
		p := s.late[k]
		s.late = append(s.late[:k], s.late[k+1:]...)
		w.deliver(s, p)
	}
}

func damage(p sfutest.Packet) {
	if p.Frame != nil {
		p.Frame.Damaged = true
	}
}

func (w *world) deliver(s *source, p sfutest.Packet) {
	in := &w.in
	if err := in.Parse(p.Bytes); err != nil {
		w.t.Fatal(err)
	}
	n := s.unwrap.Unwrap(in.Seq)
	if s.window.Check(n) != packet.Fresh {
		return
	}
	in.N, in.Newer, in.Clock = n, n > s.highest, s.clock
	s.highest = max(s.highest, n)
	s.reader.Read(in)
	s.ring.Put(start, n, p.Bytes, nil)
	w.scratch = append(w.scratch[:0], "scratch"...)
	sent, out, verdict := w.rewriter.Forward(w.now, s.format.Source, in, w.scratch)
	if verdict != NotShown && verdict != NoKey { // what comes after the source was switched away is as good as lost
		w.arrivals[arrival{w.rewriter.cur, n}] = true
	}
	if verdict != Send {
		return
	}
	if w.shown != w.rewriter.cur {
		w.shown = w.rewriter.cur
		w.showings++
	}
	w.history.Add(w.now, sent)
	w.sent = append(w.sent, forwarded{arrival{w.rewriter.cur, n}, w.unwrap.Unwrap(out.Seq), out.Marker, len(out.Payload) == 0})
	w.receive(out)
	w.resend(s, sent, out)
}

func (w *world) receive(out Out) {
	w.receiver.Receive(sfutest.Received{
		Codec: sfutest.Codec(out.PayloadType - 100), Showing: w.showings, Marker: out.Marker, Seq: out.Seq, Timestamp: out.Timestamp,
		Payload: out.Payload, Descriptor: out.Descriptor,
	})
}

// resend checks that what is sent again is what was sent.
func (w *world) resend(s *source, sent Sent, out Out) {
	raw, ok := sent.Packet(nil)
	var p packet.Packet
	if !ok || p.Parse(raw) != nil {
		return
	}
	rtx := sent.Retransmission(&p, 7, nil)
	again := fmt.Sprintf("%x %v %x %d", rtx.Payload[2:], rtx.Marker, rtx.Descriptor, rtx.Timestamp)
	if want := fmt.Sprintf("%x %v %x %d", out.Payload, out.Marker, out.Descriptor, out.Timestamp); again != want {
		w.t.Fatalf("source %d: sent %s, and again %s", s.format.Source, want, again)
	}
}

// check looks at the outgoing stream, and explains every hole by packets that never came.
func (w *world) check() (frames int) {
	for i := 1; i < len(w.sent); i++ {
		for j := i; j > 0 && w.sent[j-1].n > w.sent[j].n; j-- {
			w.sent[j-1], w.sent[j] = w.sent[j], w.sent[j-1]
		}
	}
	marker := true
	for i, b := range w.sent {
		if i > 0 {
			w.explain(w.sent[i-1], b, marker)
		}
		if !b.empty {
			marker = b.marker
		}
	}
	frames, err := w.receiver.Check()
	if err != nil {
		w.t.Fatal(err)
	}
	return frames
}

// explain checks the numbers between two neighbours: as many are missing as packets never came. At a switch it is one when the
// last frame was not complete.
func (w *world) explain(a, b forwarded, marker bool) {
	missing, lost := int(b.n-a.n-1), 0
	if a.shown != b.shown {
		if !marker {
			lost = 1
		}
		if missing != lost {
			w.t.Fatalf("%d numbers are missing at the switch between %+v and %+v", missing, a, b)
		}
		return
	}
	for n := a.arrival.n + 1; n < b.arrival.n; n++ {
		if !w.arrivals[arrival{a.shown, n}] {
			lost++
		}
	}
	if missing > lost || b.arrival.n <= a.arrival.n {
		w.t.Fatalf("%d numbers are missing between %+v and %+v, but only %d packets were lost", missing, a, b, lost)
	}
}

func TestWhateverHappensTheReceiverCanDecode(t *testing.T) {
	seeds := uint64(2000)
	if testing.Short() {
		seeds = 200
	}
	total := 0
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWorld(t, rand.New(rand.NewPCG(seed, 9)), seed%2 == 1)
			for range 200 {
				w.step()
			}
			total += w.check()
		})
	}
	if total < int(seeds)*20 {
		t.Errorf("only %d frames were received", total)
	}
}

// choices makes fuzz input decide what happens.
type choices struct {
	data []byte
	rest rand.Source
}

func (c *choices) Uint64() uint64 {
	if len(c.data) == 0 {
		return c.rest.Uint64()
	}
	b := c.data[0]
	c.data = c.data[1:]
	return uint64(b) * 0x0101010101010101
}

func FuzzRewriter(f *testing.F) {
	f.Add([]byte("whatever is dropped, switched, reordered or lost"), uint64(1))
	f.Add([]byte{0, 255, 0, 255, 128, 64, 32}, uint64(2))
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		w := newWorld(t, rand.New(&choices{data, rand.NewPCG(seed, 1)}), seed%2 == 1)
		for range 100 {
			w.step()
		}
		w.check()
	})
}
