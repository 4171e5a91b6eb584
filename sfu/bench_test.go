package sfu

import (
	"encoding/binary"
	"fmt"
	"syscall"
	"testing"
	"time"
)

// fan is one publisher and those who watch it.
type fan struct {
	e    *Engine
	pub  *wire
	subs []*wire
	raw  []byte
	seq  uint16
	ts   uint32
}

// newFan makes a publisher of one kind and n subscribers.
func newFan(t testing.TB, kind string, n int, change ...func(*Config)) *fan {
	t.Helper()
	f := &fan{e: wireEngine(t, change...)}
	r, cert := f.e.NewRouter("room"), certificate(t)
	f.pub = newWire(t, f.e, r, cert, []string{kind}, nil)
	for range n {
		sub := newWire(t, f.e, r, cert, nil, []string{kind})
		_ = sub.conn.SetReadBuffer(1) // nobody reads: what is dropped costs least
		sub.transport.Subscribe(f.pub.published[0])
		f.subs = append(f.subs, sub)
	}
	size, pt := 100, byte(111)
	if kind == "video" {
		size, pt = 1150, 96
	}
	f.raw = make([]byte, 12+size)
	f.raw[0], f.raw[1] = 0x80, pt
	binary.BigEndian.PutUint32(f.raw[8:], 1)
	for end := time.Now().Add(wirePatience); f.e.counters.subscribed.Load() < int64(n); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%+v", f.e.Stats())
		}
	}
	return f
}

// frame sends a frame of so many packets. A key frame is one that a decoder of VP8 can begin with.
func (f *fan) frame(packets int, key bool) {
	f.ts += 3000
	for i := range packets {
		f.seq++
		binary.BigEndian.PutUint16(f.raw[2:], f.seq)
		binary.BigEndian.PutUint32(f.raw[4:], f.ts)
		f.raw[1] &= 0x7f
		if i == packets-1 {
			f.raw[1] |= 0x80
		}
		f.raw[12] = 0x00
		if i == 0 {
			f.raw[12] = 0x10
		}
		f.raw[13] = 1
		if key && i == 0 {
			f.raw[13] = 0
		}
		f.pub.send(f.raw)
	}
}

// sent waits until that many packets have left, or none has for a while.
func (f *fan) sent(want uint64) {
	for last, since := uint64(0), time.Now(); time.Since(since) < 20*time.Millisecond; time.Sleep(20 * time.Microsecond) {
		n := f.e.counters.packetsOut.Load()
		if n >= want {
			return
		}
		if n != last {
			last, since = n, time.Now()
		}
	}
}

// cpu is what the process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkForward is the whole way from a socket to sockets that nobody reads. µs/packet is what the process has used for each
// packet that left, with what the publisher has used; p/s is what left in a second of time.
func BenchmarkForward(b *testing.B) {
	for _, c := range []struct {
		kind              string
		subscribers, size int
	}{{"video", 30, 6}, {"audio", 100, 1}, {"video", 3, 6}, {"video", 1, 1}} {
		b.Run(fmt.Sprintf("%s-1to%d-frames-of-%d", c.kind, c.subscribers, c.size), func(b *testing.B) {
			f := newFan(b, c.kind, c.subscribers)
			per := uint64(c.size * c.subscribers)
			for range 100 { // all have a key frame, and buffers are there
				before := f.e.counters.packetsOut.Load()
				f.frame(c.size, true)
				f.sent(before + per)
			}
			b.ReportAllocs()
			before, used, began := f.e.counters.packetsOut.Load(), cpu(), time.Now()
			want := before
			b.ResetTimer()
			for b.Loop() {
				f.frame(c.size, false)
				want += per
				if want > f.e.counters.packetsOut.Load()+8*per { // what a full socket would drop
					f.sent(want - 4*per)
				}
			}
			f.sent(want)
			b.StopTimer()
			n := f.e.counters.packetsOut.Load() - before
			b.ReportMetric(float64((cpu()-used).Nanoseconds())/1000/float64(n), "µs/packet")
			b.ReportMetric(float64(n)/time.Since(began).Seconds(), "p/s")
			b.ReportMetric(float64(n)/float64(want-before), "delivered")
		})
	}
}
