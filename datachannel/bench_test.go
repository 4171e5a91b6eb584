package datachannel

import (
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/turnout-rtc/turnout/datachannel/frame"
	"github.com/turnout-rtc/turnout/datachannel/store"
	"github.com/turnout-rtc/turnout/datachannel/store/bolt"
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

// crowd is a room with 50 members that acknowledge what they get.
type crowd struct {
	hub       *Hub
	wires     []*Wire
	counted   []*atomic.Uint64
	delivered atomic.Int64
	acked     atomic.Int64
	stop      chan struct{}
	done      chan struct{}
}

const crowdSize = 50

func newCrowd(b *testing.B, with Services) *crowd {
	b.Helper()
	cfg := Config{Rate: 1 << 30, Burst: 1 << 30, RateBytes: 1 << 40, BurstBytes: 1 << 40}
	c := &crowd{hub: NewHub("bench", cfg, slog.New(slog.DiscardHandler), with), stop: make(chan struct{}), done: make(chan struct{})}
	for i := range crowdSize {
		counted := &atomic.Uint64{}
		w := c.hub.Join(string(rune('A'+i)), everything).Attach(Reliable, sink{counted, &c.delivered, &c.acked})
		w.Receive(frame.Append(nil, frame.Hello{Version: 1}))
		w.Receive(frame.Append(nil, frame.DocOpen{ID: 1, Doc: 1, Name: "notes", StateVector: []byte{0}}))
		c.wires, c.counted = append(c.wires, w), append(c.counted, counted)
	}
	go func() {
		defer close(c.done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-c.stop:
				return
			case <-tick.C:
				for i, w := range c.wires {
					w.Receive(frame.Append(nil, frame.Ack{Received: c.counted[i].Load()}))
				}
			}
		}
	}()
	time.Sleep(100 * time.Millisecond)
	return c
}

func (c *crowd) close() {
	close(c.stop)
	<-c.done
	c.hub.Close()
}

// cpu is the processor time of this process.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// paced runs one about rate times a second and reports the processor time per delivered message, of hub and benchmark
// together, without any network.
func (c *crowd) paced(b *testing.B, rate int, one func(i int)) {
	b.Helper()
	const step = 10 * time.Millisecond
	each := max(1, rate/100)
	before, delivered := cpu(b), c.delivered.Load()
	tick := time.NewTicker(step)
	defer tick.Stop()
	i := 0
	for b.Loop() {
		if i%each == 0 {
			<-tick.C
		}
		one(i)
		i++
	}
	time.Sleep(100 * time.Millisecond)
	used, n := cpu(b)-before, c.delivered.Load()-delivered
	if n > 0 {
		b.ReportMetric(float64(used.Nanoseconds())/float64(n), "cpu-ns/delivered")
		b.ReportMetric(float64(c.hub.Stats().SentFrames)/float64(c.hub.Stats().Sent), "frames/wire-message")
	}
}

// BenchmarkFanOut50 sends 100 messages of 100 B a second to 49 others.
func BenchmarkFanOut50(b *testing.B) {
	c := newCrowd(b, Services{})
	defer c.close()
	wire := frame.Append(nil, frame.Send{Topic: "t", Payload: make([]byte, 100)})
	c.paced(b, 100, func(int) { c.wires[0].Receive(wire) })
}

// BenchmarkDocument50 is 50 members at one document, with 20 edits a second each, kept in a file.
func BenchmarkDocument50(b *testing.B) {
	s, err := bolt.Open(filepath.Join(b.TempDir(), "data.db"))
	if err != nil {
		b.Fatal(err)
	}
	w := store.NewWriter(s)
	c := newCrowd(b, Services{Store: w})
	clocks := make([]uint64, crowdSize)
	sent := 0
	c.paced(b, 20*crowdSize, func(i int) {
		n := i % crowdSize
		c.wires[n].Receive(frame.Append(nil, frame.DocUpdate{ID: uint64(i) + 2, Doc: 1, Update: insertion(uint64(n)+1, clocks[n], "edit")}))
		clocks[n] += 4
		sent++
	})
	b.ReportMetric(float64(c.acked.Load())/float64(sent), "acked/sent")
	c.close()
	w.Close()
	_ = s.Close()
}
