package session

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/turnout-rtc/turnout/signaling/protocol"
)

func at(d time.Duration) time.Time { return time.Unix(1795430400, 0).Add(d) }

func body(size int) protocol.Body {
	return protocol.EncodeBody(protocol.Unpublished{ID: string(bytes.Repeat([]byte("x"), size))})
}

func small(cfg Config) *Session {
	if cfg.QueueMessages == 0 {
		cfg.QueueMessages = 8
	}
	if cfg.QueueBytes == 0 {
		cfg.QueueBytes = 1 << 20
	}
	return New(cfg, 1, at(0))
}

func drain(o *Outbox) []uint64 {
	var numbers []uint64
	for {
		frame, ok := o.Next(nil)
		if !ok {
			return numbers
		}
		r, err := protocol.DecodeResponse(frame)
		if err != nil {
			panic(err)
		}
		numbers = append(numbers, r.N)
	}
}

func TestMessagesAreNumberedAndReplayedFromWhereTheClientIs(t *testing.T) {
	o := &small(Config{}).Outbox
	for range 5 {
		if !o.Push(body(1), 0) {
			t.Fatal("no room")
		}
	}
	if got := drain(o); !slices.Equal(got, []uint64{1, 2, 3, 4, 5}) {
		t.Fatalf("sent %v", got)
	}
	o.Ack(2)
	o.Push(body(1), 0)
	if o.Rewind(1) {
		t.Error("went back to what was acknowledged")
	}
	if o.Rewind(6) {
		t.Error("went on from what was never sent")
	}
	if !o.Rewind(3) {
		t.Fatal("could not go back to 3")
	}
	if got := drain(o); !slices.Equal(got, []uint64{4, 5, 6}) {
		t.Errorf("replayed %v", got)
	}
}

func TestSentMessagesMakeRoomAndWaitingOnesDoNot(t *testing.T) {
	o := &small(Config{QueueMessages: 3}).Outbox
	for range 3 {
		o.Push(body(1), 0)
	}
	if o.Push(body(1), 0) {
		t.Fatal("took a fourth while three wait")
	}
	o.Next(nil)
	if !o.Push(body(1), 0) || o.Push(body(1), 0) {
		t.Fatal("one was sent: there is room for one")
	}
	if o.Rewind(0) {
		t.Error("the first is gone, and yet it went back to it")
	}
	if got := drain(o); !slices.Equal(got, []uint64{2, 3, 4}) {
		t.Errorf("sent %v", got)
	}
}

func TestBytesAreBoundedButASingleMessageAlwaysFits(t *testing.T) {
	o := &small(Config{QueueBytes: 1000}).Outbox
	if !o.Push(body(5000), 0) {
		t.Fatal("an empty outbox refused a message")
	}
	if o.Push(body(1), 0) {
		t.Fatal("took more while too much waits")
	}
	drain(o)
	if !o.Push(body(400), 0) || o.bytes > 1000 {
		t.Errorf("%d bytes are kept", o.bytes)
	}
}

func TestALastWordReplacesWhatWaits(t *testing.T) {
	o := &small(Config{QueueMessages: 3}).Outbox
	for range 3 {
		o.Push(body(1), 0)
	}
	o.Next(nil)
	o.Skip()
	if !o.Push(body(1), 0) {
		t.Fatal("no room for the last word")
	}
	if got := drain(o); !slices.Equal(got, []uint64{2}) {
		t.Errorf("sent %v", got)
	}
}

func TestRequestsAreCarriedOutOnce(t *testing.T) {
	s := small(Config{})
	for _, c := range []struct {
		id   uint64
		want bool
	}{{1, false}, {2, true}, {2, false}, {5, true}, {3, false}, {0, true}, {0, true}, {6, true}} {
		if got := s.Begin(c.id); got != c.want {
			t.Errorf("request %d: %v", c.id, got)
		}
	}
	if s.Request() != 6 {
		t.Errorf("the highest is %d", s.Request())
	}
}

// TestOutboxAgreesWithANaiveModel compares with a list that keeps every message for ever.
func TestOutboxAgreesWithANaiveModel(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 2))
		o := &small(Config{QueueMessages: 1 + r.IntN(20), QueueBytes: 500 + r.IntN(3000)}).Outbox
		var said [][]byte // said[n-1] without its envelope's number
		sent, acked := uint64(0), uint64(0)
		for range 2000 {
			switch r.IntN(8) {
			case 0, 1, 2:
				b := body(r.IntN(300))
				if o.Push(b, uint64(len(said)+1)) {
					said = append(said, b.AppendFrame(nil, uint64(len(said)+1), uint64(len(said)+1)))
				} else if o.Waiting() == 0 {
					t.Fatal("refused though nothing waits")
				}
			case 3, 4, 5:
				frame, ok := o.Next(nil)
				if ok != (sent < uint64(len(said))) {
					t.Fatalf("next: %v with %d of %d sent", ok, sent, len(said))
				}
				if ok {
					if !bytes.Equal(frame, said[sent]) {
						t.Fatalf("got %s, want %s", frame, said[sent])
					}
					sent++
				}
			case 6:
				n := uint64(r.IntN(len(said) + 3))
				o.Ack(n)
				acked = max(acked, min(n, sent))
			case 7:
				n := uint64(r.IntN(len(said) + 3))
				if o.Rewind(n) {
					if n > sent || n < acked {
						t.Fatalf("rewound to %d: sent %d, acknowledged %d", n, sent, acked)
					}
					sent, acked = n, n
				}
			}
			if o.kept() > o.maxMessages || o.bytes > o.maxBytes && o.kept() > 1 {
				t.Fatalf("keeps %d messages, %d bytes", o.kept(), o.bytes)
			}
		}
	}
}

func TestAGateLetsTheRateThroughAndRecovers(t *testing.T) {
	g := &small(Config{Rate: 10, Burst: 20}).Gate
	for i := range 20 {
		if v := g.Take(at(0), 1); v != Pass {
			t.Fatalf("message %d of the burst: %v", i, v)
		}
	}
	if v := g.Take(at(0), 1); v != Refuse {
		t.Fatalf("beyond the burst: %v", v)
	}
	if v := g.Take(at(900*time.Millisecond), 1); v != Refuse {
		t.Fatalf("before a second's worth has gathered: %v", v)
	}
	if v := g.Take(at(time.Second), 1); v != Pass {
		t.Fatalf("after a second: %v", v)
	}
	for i := range 1000 { // at the rate, for ever
		if v := g.Take(at(time.Second+time.Duration(i+1)*100*time.Millisecond), 1); v != Pass {
			t.Fatalf("message %d at the rate: %v", i, v)
		}
	}
}

func TestUnreadableMessagesCostMore(t *testing.T) {
	g := &small(Config{Rate: 1, Burst: 25}).Gate
	var got []Verdict
	for range 3 {
		got = append(got, g.Take(at(0), Cost(20, false)))
	}
	if !slices.Equal(got, []Verdict{Pass, Pass, Refuse}) {
		t.Errorf("got %v", got)
	}
}

func TestLargeMessagesCostMore(t *testing.T) {
	for _, c := range []struct {
		size     int
		readable bool
		want     int
	}{{0, true, 1}, {4095, true, 1}, {4096, true, 2}, {256 << 10, true, 65}, {0, false, 10}, {256 << 10, false, 65}} {
		if got := Cost(c.size, c.readable); got != c.want {
			t.Errorf("%+v costs %d", c, got)
		}
	}
}

func TestOnlyWhoGoesOnAfterRefusalsIsAFlood(t *testing.T) {
	for _, c := range []struct {
		perSecond int
		flood     bool
	}{{40, false}, {60, false}, {95, false}, {120, true}, {1000, true}, {100000, true}} {
		t.Run(fmt.Sprint(c.perSecond), func(t *testing.T) {
			g := &small(Config{Rate: 50, Burst: 200}).Gate
			flood := false
			for i := range 60 * c.perSecond {
				flood = flood || g.Take(at(time.Duration(i)*time.Second/time.Duration(c.perSecond)), 1) == Flood
			}
			if flood != c.flood {
				t.Errorf("%d messages a second for a minute: flood %v", c.perSecond, flood)
			}
		})
	}
}

func BenchmarkPushNextAck(b *testing.B) {
	b.ReportAllocs()
	o := &New(Config{QueueMessages: 1024, QueueBytes: 4 << 20}, 1, at(0)).Outbox
	m := body(200)
	buf := make([]byte, 0, 1024)
	var n uint64
	for b.Loop() {
		o.Push(m, 0)
		buf, _ = o.Next(buf[:0])
		n++
		if n%500 == 0 {
			o.Ack(n)
		}
	}
}
