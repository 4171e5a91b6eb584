package datachannel

import (
	"log/slog"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/turnout-rtc/turnout/datachannel/frame"
	"github.com/turnout-rtc/turnout/datachannel/store"
	"github.com/turnout-rtc/turnout/datachannel/store/memory"
)

// sink is a Conn that takes everything and counts.
type sink struct {
	counted   *atomic.Uint64 // frames of this sink, to be acknowledged
	delivered *atomic.Int64  // messages and changes of documents, of all sinks
	acked     *atomic.Int64  // updates on disk
}

func (s sink) Send(b []byte) error {
	for len(b) > 0 {
		raw, rest, err := frame.Next(b)
		if err != nil {
			return err
		}
		if raw.Type.Counted() {
			s.counted.Add(1)
		}
		switch raw.Type {
		case frame.TypeMessage, frame.TypeDocChange:
			s.delivered.Add(1)
		case frame.TypeDocAck:
			s.acked.Add(1)
		default:
		}
		b = rest
	}
	return nil
}
func (sink) BufferedAmount() uint64 { return 0 }
func (sink) OnDrain(uint64, func()) {}
func (sink) Close() error           { return nil }

// crowd is a room whose members acknowledge what they get. Its hub's loop does not run: a benchmark turns it by hand, on a clock of
// its own, so that the figure is the hub's cost, without waiting, waking up or any network.
type crowd struct {
	hub       *Hub
	now       time.Time
	wires     []*Wire
	counted   []*atomic.Uint64
	delivered atomic.Int64
	acked     atomic.Int64
}

func newCrowd(tb testing.TB, size int, with Services) *crowd {
	tb.Helper()
	cfg := Config{Rate: 1 << 30, Burst: 1 << 30, RateBytes: 1 << 40, BurstBytes: 1 << 40}
	c := &crowd{hub: newHub("bench", cfg, slog.New(slog.DiscardHandler), with), now: time.Now()}
	for i := range size {
		counted := &atomic.Uint64{}
		w := c.hub.Join(strconv.Itoa(i), everything).Attach(Reliable, sink{counted, &c.delivered, &c.acked})
		w.Receive(frame.Append(nil, frame.Hello{Version: 1}))
		c.wires, c.counted = append(c.wires, w), append(c.counted, counted)
		c.turn(0)
	}
	c.turn(time.Second)
	return c
}

// turn is one of the loop's, after so much time.
func (c *crowd) turn(after time.Duration) {
	c.now = c.now.Add(after)
	for i, l := range c.hub.box.take(nil) {
		l.do(c.hub, c.now)
		if i%batch == batch-1 {
			c.hub.flush(c.now)
		}
	}
	c.hub.flush(c.now)
	c.hub.pause()
}

// acknowledge has a member say what it has received.
func (c *crowd) acknowledge(i int, b []byte) []byte {
	b = frame.Append(b[:0], frame.Ack{Received: c.counted[i].Load()})
	c.hub.receive(c.now, c.wires[i], b)
	return b
}

// step is how often a message comes: then nothing is gathered, and each is a turn and a wake-up of its own.
const step = 30 * time.Millisecond

// BenchmarkOneMessageToFifty is a message of 100 B to 49 others, who acknowledge 64 at once.
func BenchmarkOneMessageToFifty(b *testing.B) {
	c := newCrowd(b, 50, Services{})
	message := frame.Append(nil, frame.Send{Topic: "t", Payload: make([]byte, 100)})
	var ack []byte
	b.ReportAllocs()
	before, i := c.delivered.Load(), 0
	for b.Loop() {
		c.hub.receive(c.now, c.wires[0], message)
		c.turn(step)
		if i++; i%64 == 0 {
			for n := range c.wires {
				ack = c.acknowledge(n, ack)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(c.delivered.Load()-before), "ns/delivered")
}

// BenchmarkOneAckOfFiveHundred is an acknowledgement by one of 500 members, of whom nobody else has anything to say.
func BenchmarkOneAckOfFiveHundred(b *testing.B) {
	c := newCrowd(b, 500, Services{})
	var ack []byte
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		ack = c.acknowledge(i%len(c.wires), ack)
		c.hub.flush(c.now)
	}
}

// TestWhatComesMostAllocatesNothing counts: an ack allocates nothing, and a message to 49 others is allocated once for all of them,
// beside what its frame is read into.
func TestWhatComesMostAllocatesNothing(t *testing.T) {
	c := newCrowd(t, 50, Services{})
	message := frame.Append(nil, frame.Send{Topic: "t", Payload: make([]byte, 100)})
	talk := func() {
		c.hub.receive(c.now, c.wires[0], message)
		c.now = c.now.Add(step)
		c.hub.flush(c.now)
	}
	for range 1000 { // the numbers of frames are those of a stream that has lasted
		talk()
	}
	var ack []byte
	again := frame.Append(nil, frame.Ack{Received: c.counted[7].Load()})
	if n := testing.AllocsPerRun(1000, func() { c.hub.receive(c.now, c.wires[7], again); c.hub.flush(c.now) }); n > 0 {
		t.Errorf("an ack: %v allocations", n)
	}
	for i := range c.wires {
		ack = c.acknowledge(i, ack)
	}
	if n := testing.AllocsPerRun(500, talk); n > 4 {
		t.Errorf("a message to 49 others: %v allocations", n)
	}
}

// BenchmarkOneUpdateToFiftyReaders is an update of one door's connection to 49 others, who make a frame of it once.
func BenchmarkOneUpdateToFiftyReaders(b *testing.B) {
	w := store.NewWriter(memory.New())
	defer w.Close()
	c := newCrowd(b, 0, Services{Store: w})
	delivered := 0
	var readers []*DocReader
	for i := range 50 {
		readers = append(readers, c.hub.Visit().OpenDoc(strconv.Itoa(i), "notes", everything, []byte{0}, taking(func(e DocEvent) {
			if change, ok := e.(DocChange); ok {
				change.Shared.Form("bench", func() []byte { return change.Update })
				delivered++
			}
		})))
	}
	for readers[0].doc == nil || !readers[0].doc.loaded {
		for _, l := range c.hub.box.takeVisits(nil) {
			l.do(c.hub, c.now)
		}
		c.turn(time.Millisecond)
	}
	b.ReportAllocs()
	clock := uint64(0)
	for b.Loop() {
		if x := c.hub.updateDoc(c.now, readers[0], 1, insertion(1, clock, "edit")); x != nil {
			c.turn(0) // the disk is behind
			continue
		}
		clock += 4
		c.turn(step)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(delivered), "ns/delivered")
}
