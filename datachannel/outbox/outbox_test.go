package outbox

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/turnout-rtc/turnout/datachannel/frame"
)

var start = time.Unix(1_700_000_000, 0)

var both = Wires{Counted: true, Lossy: true}

func numbered(n uint64, size int) []byte {
	payload := make([]byte, 8+size)
	binary.BigEndian.PutUint64(payload, n)
	return frame.Append(nil, frame.Message{From: "a", Topic: "t", Payload: payload})
}

// receiver is the naive other end: it counts, and it remembers what it was given.
type receiver struct {
	t        *testing.T
	received uint64 // counted frames on this stream
	next     uint64 // the message that has to come, or be accounted for by gaps
	missing  uint64 // told by gaps since the last message
}

func (r *receiver) take(wire []byte) {
	r.t.Helper()
	if len(wire) > frame.MaxMessage {
		r.t.Fatalf("a wire message of %d bytes", len(wire))
	}
	for len(wire) > 0 {
		raw, rest, err := frame.Next(wire)
		if err != nil {
			r.t.Fatal(err)
		}
		wire = rest
		f, err := frame.Decode(raw)
		if err != nil {
			r.t.Fatal(err)
		}
		r.frame(f)
	}
}

func (r *receiver) frame(f frame.Frame) {
	r.t.Helper()
	switch f := f.(type) {
	case frame.Gap:
		r.received++
		r.missing += f.Dropped
	case frame.Message:
		if f.Lossy {
			return
		}
		r.received++
		n := binary.BigEndian.Uint64(f.Payload)
		if n != r.next+r.missing {
			r.t.Fatalf("message %d came, but %d was next and gaps told of %d", n, r.next, r.missing)
		}
		r.next, r.missing = n+1, 0
	}
}

// TestNothingIsLostWithoutAGapOrDoubled runs random commands; whatever is queued either arrives once and in order, or is
// counted by the gap that arrives in its place, over any number of wires.
func TestNothingIsLostWithoutAGapOrDoubled(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 7))
		o := New(Limits{Messages: 2 + random.IntN(40), Bytes: 100 + random.IntN(60_000), LossyMessages: 5, LossyBytes: 500, Gather: 10 * time.Millisecond})
		r := &receiver{t: t}
		now, queued := start, uint64(0)
		var inFlight [][]byte // wire messages that the wire has taken and not delivered
		for range 400 {
			now = now.Add(time.Duration(random.IntN(6)) * time.Millisecond)
			switch random.IntN(12) {
			case 0, 1, 2, 3:
				var frames [][]byte
				for range 1 + random.IntN(3) {
					frames = append(frames, numbered(queued, random.IntN(3000)))
					queued++
				}
				o.Reliable(now, frames...)
			case 4:
				o.Lossy(now, frame.Append(nil, frame.Message{Lossy: true, From: "a", Topic: "t"}))
			case 5, 6, 7:
				if b, p := o.Poll(now, both, nil); p.Counted+p.Lossy > 0 {
					inFlight = append(inFlight, b)
				}
			case 8, 9:
				if len(inFlight) > 0 {
					r.take(inFlight[0])
					inFlight = inFlight[1:]
				}
			case 10:
				if err := o.Ack(r.received); err != nil {
					t.Fatal(err)
				}
			case 11: // the wire breaks, with what was on it
				inFlight = nil
				if err := o.Resume(now, r.received); err != nil {
					t.Fatal(err)
				}
			}
			if frames, bytes := o.Backlog(); frames > o.limits.Messages || bytes > o.limits.Bytes+12*frames {
				t.Fatalf("keeps %d frames, %d bytes; the limits are %+v", frames, bytes, o.limits)
			}
		}
		for _, wire := range inFlight {
			r.take(wire)
		}
		for due := true; due; _, due = o.Due(both) {
			b, _ := o.Poll(now, both, nil)
			r.take(b)
			if err := o.Ack(r.received); err != nil {
				t.Fatal(err)
			}
		}
		if r.next+r.missing != queued {
			t.Fatalf("seed %d: %d queued, %d arrived or told", seed, queued, r.next+r.missing)
		}
		if err := o.Ack(r.received); err != nil {
			t.Fatal(err)
		}
		if frames, bytes := o.Backlog(); frames != 0 || bytes != 0 || o.sent != 0 || o.sentBytes != 0 {
			t.Fatalf("seed %d: all is acknowledged, but %d frames and %d bytes are kept", seed, frames, bytes)
		}
	}
}

func TestNewStreamTellsWhatMayBeLost(t *testing.T) {
	o := New(Limits{Messages: 10, Bytes: 10_000})
	for n := range uint64(4) {
		o.Reliable(start, numbered(n, 0))
	}
	o.Poll(start, both, nil)
	if err := o.Ack(1); err != nil {
		t.Fatal(err)
	}
	o.Reliable(start, numbered(4, 0))
	o.Restart(start)
	r := &receiver{t: t, next: 1}
	b, p := o.Poll(start, both, nil)
	r.take(b)
	if !p.Gap || r.next != 5 || r.received != 2 {
		t.Fatalf("%+v, next %d, received %d", p, r.next, r.received)
	}
	if err := o.Ack(2); err != nil {
		t.Fatal(err)
	}
}

func TestAckOfWhatWasNotSentIsRefused(t *testing.T) {
	o := New(Limits{Messages: 10, Bytes: 10_000})
	o.Reliable(start, numbered(0, 0))
	if o.Ack(1) == nil {
		t.Fatal("taken")
	}
	o.Poll(start, both, nil)
	if err := o.Ack(1); err != nil {
		t.Fatal(err)
	}
	if o.Resume(start, 0) == nil {
		t.Fatal("resumed from what is forgotten")
	}
}

func TestIdleAtOnceBusyGathered(t *testing.T) {
	const gather = 10 * time.Millisecond
	o := New(Limits{Messages: 1000, Bytes: 1 << 20, Gather: gather})
	due := func() time.Duration {
		at, ok := o.Due(both)
		if !ok {
			t.Fatal("nothing is due")
		}
		return at.Sub(start)
	}
	if _, ok := o.Due(both); ok {
		t.Fatal("empty, but due")
	}
	o.Reliable(start, numbered(0, 10))
	if due() != 0 {
		t.Fatal("idle, but not at once")
	}
	o.Poll(start, both, nil)

	soon := start.Add(3 * time.Millisecond)
	o.Reliable(soon, numbered(1, 10))
	o.Reliable(soon.Add(5*time.Millisecond), numbered(2, 10))
	if due() != 13*time.Millisecond {
		t.Fatalf("due after %v", due())
	}
	if _, p := o.Poll(start.Add(13*time.Millisecond), both, nil); p.Counted != 2 {
		t.Fatalf("%d gathered", p.Counted)
	}
	full := start.Add(15 * time.Millisecond)
	for n := range uint64(9) {
		o.Reliable(full, numbered(3+n, 2000))
	}
	if due() != 15*time.Millisecond {
		t.Fatalf("a full wire message waits until %v", due())
	}
}

func TestLossyDropsTheOldest(t *testing.T) {
	o := New(Limits{Messages: 10, Bytes: 10_000, LossyMessages: 3, LossyBytes: 200})
	for n := range byte(5) {
		o.Lossy(start, frame.Append(nil, frame.Message{Lossy: true, Topic: "t", Payload: []byte{n}}))
	}
	b, p := o.Poll(start, Wires{Lossy: true}, nil)
	raw, _, _ := frame.Next(b)
	first, _ := frame.Decode(raw)
	if p.Lossy != 3 || first.(frame.Message).Payload[0] != 2 || o.Dropped().Lossy != 2 {
		t.Fatalf("%+v, first %v, dropped %+v", p, first, o.Dropped())
	}
	o.Lossy(start, make([]byte, 201))
	if o.Dropped().Lossy != 3 {
		t.Fatal("took one that is larger than the queue")
	}
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	o := New(Limits{Messages: 100, Bytes: 1 << 20})
	f := numbered(0, 100)
	buf := make([]byte, 0, frame.MaxMessage)
	n := uint64(0)
	turn := func() {
		o.Reliable(start, f)
		o.Reliable(start, f)
		o.Lossy(start, f)
		o.Poll(start, both, buf[:0])
		n += 2
		_ = o.Ack(n - 1)
	}
	turn()
	if allocs := testing.AllocsPerRun(1000, turn); allocs > 0 {
		t.Fatalf("%v allocations", allocs)
	}
}

func BenchmarkQueuePollAck(b *testing.B) {
	o := New(Limits{Messages: 1000, Bytes: 1 << 20})
	f := numbered(0, 100)
	buf := make([]byte, 0, frame.MaxMessage)
	n := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		o.Reliable(start, f)
		o.Poll(start, both, buf[:0])
		n++
		_ = o.Ack(n)
	}
}
