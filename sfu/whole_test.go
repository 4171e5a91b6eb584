package sfu

import (
	"slices"
	"testing"
	"time"
)

// TestWholeWayAllocatesNothing is about the way from the socket of a publisher to those of subscribers.
func TestWholeWayAllocatesNothing(t *testing.T) {
	for _, kind := range []string{"video", "audio"} {
		f := newFan(t, kind, 5)
		step := func() {
			want := f.e.counters.packetsOut.Load() + 10*5
			f.frame(10, false)
			f.sent(want)
		}
		f.frame(10, true)
		for range 2 * ringSize / 10 { // buffers are there
			step()
		}
		// What comes by time may allocate: reports, and the poller's.
		if n := testing.AllocsPerRun(300, step); n > 2 && !raced {
			t.Errorf("%v allocations for 50 packets of %s", n, kind)
		}
	}
}

// TestNewcomerOverTheNetworkMissesNothing has a subscriber come while nobody sends key frames any more.
func TestNewcomerOverTheNetworkMissesNothing(t *testing.T) {
	f := newFan(t, "video", 1)
	f.frame(30, true)
	for range 5 {
		f.frame(4, false)
	}
	for end := time.Now().Add(wirePatience); f.e.counters.packetsOut.Load() < 50; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%+v", f.e.Stats())
		}
	}
	late := newWire(t, f.e, f.pub.transport.router, certificate(t), nil, []string{"video"})
	late.transport.Subscribe(f.pub.published[0])
	var seqs []uint16
	for len(seqs) < 150 {
		if len(seqs) > 0 {
			f.frame(2, false)
		}
		for p := late.receive(100 * time.Millisecond); p != nil; p = late.receive(5 * time.Millisecond) { // twice the same breaks decryption
			if len(seqs) == 0 && p.Payload[1] != 0 {
				t.Error("it does not begin with the key frame")
			}
			seqs = append(seqs, p.SequenceNumber)
		}
	}
	slices.SortFunc(seqs, func(a, b uint16) int { return int(int16(a - b)) })
	for i, s := range seqs {
		if s != seqs[0]+uint16(i) {
			t.Fatalf("%d comes after %d", s, seqs[i-1])
		}
	}
	if s := f.e.Stats(); s.Replayed < 50 || s.Replays == 0 {
		t.Errorf("%+v", s)
	}
}

// TestJoinIsQuick prints how long a newcomer waits for the first packet and what that costs.
func TestJoinIsQuick(t *testing.T) {
	f := newFan(t, "video", 1)
	cert := certificate(t)
	f.frame(6, true)
	f.sent(6)
	var all []time.Duration
	used := cpu()
	const joins = 30
	for range joins {
		began := time.Now()
		w := newWire(t, f.e, f.pub.transport.router, cert, nil, []string{"audio", "video"})
		w.transport.Subscribe(f.pub.published[0])
		if w.receive(wirePatience) == nil {
			t.Fatalf("nothing came: %+v", f.e.Stats())
		}
		all = append(all, time.Since(began))
		w.transport.Close()
		f.frame(6, true)
	}
	slices.Sort(all)
	t.Logf("joining to the first packet: p50 %v, p95 %v; %v of CPU for both ends", all[joins/2], all[joins*95/100], (cpu()-used)/joins)
}
