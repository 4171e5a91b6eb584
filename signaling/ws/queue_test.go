package ws

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// TestAQueueGivesWholeFramesInOrder fills queues at random and compares what comes out with what went in.
func TestAQueueGivesWholeFramesInOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for range 500 {
		var q queue
		var want []byte
		ends := map[int]bool{}
		for range random.IntN(30) {
			b := bytes.Repeat([]byte{byte(random.IntN(256))}, []int{0, 10, 125, 126, 4 << 10, 70_000}[random.IntN(6)])
			if random.IntN(2) == 0 {
				q.push(Binary(b))
			} else {
				q.pushMessage(b)
			}
			want = append(want, Binary(b)...)
			ends[len(want)] = true
		}
		if q.bytes != len(want) {
			t.Fatalf("%d bytes, want %d", q.bytes, len(want))
		}
		var o outgoing
		var got []byte
		for q.bytes > 0 {
			first := o.emptied()
			if random.IntN(2) == 0 {
				first, q = q, first
			} else {
				q.cut(1+random.IntN(100_000), &first)
			}
			o = outgoing{queue: first}
			for b := o.take(1000); b != nil; b = o.take(1000) {
				if got = append(got, b...); !ends[len(got)] {
					t.Fatal("a piece ends inside a frame")
				}
			}
		}
		if !bytes.Equal(got, want) {
			t.Fatal("what comes out is not what went in")
		}
		if free := o.emptied(); free.bytes != 0 || cap(free.small) > keptBuffer {
			t.Fatalf("%d bytes, %d kept", free.bytes, cap(free.small))
		}
	}
}

func TestAQueueKeepsWhatItIsToldToKeep(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		var q queue
		var want []byte
		for range random.IntN(30) {
			b := bytes.Repeat([]byte{byte(random.IntN(2))}, []int{1, 125, 126, 4 << 10, 70_000}[random.IntN(5)])
			if q.push(Binary(b)); b[0] == 1 {
				want = append(want, Binary(b)...)
			}
		}
		q.sift(func(f Frame) bool {
			return f.Payload()[0] == 1 && len(f.Payload()) == bytes.Count(f.Payload(), []byte{1})
		})
		if q.bytes != len(want) {
			t.Fatalf("%d bytes, want %d", q.bytes, len(want))
		}
		var got []byte
		o := outgoing{queue: q}
		for b := o.take(1000); b != nil; b = o.take(1000) {
			got = append(got, b...)
		}
		if !bytes.Equal(got, want) {
			t.Fatal("what is kept is not what was to be kept")
		}
	}
}

func TestFramesAreGatheredWhileAConnIsBusy(t *testing.T) {
	const frames = 1000
	_, c, _ := open(t, Config{Gather: 5 * time.Millisecond}, func(c *Conn, _ string) {
		f := Binary([]byte("abc"))
		for range frames {
			c.Send(f)
		}
		c.Finish(4321, "bye")
		for {
			if _, err := c.Read(); err != nil {
				return
			}
		}
	})
	for range frames {
		if kind, b, err := c.ReadMessage(); err != nil || kind != websocket.BinaryMessage || string(b) != "abc" {
			t.Fatalf("%q, %v", b, err)
		}
	}
	if _, _, err := c.ReadMessage(); !websocket.IsCloseError(err, 4321) {
		t.Error(err)
	}
}

func TestAMessageLargerThanAWriteArrives(t *testing.T) {
	large := strings.Repeat("x", 3<<20)
	_, c, _ := open(t, Config{}, func(c *Conn, _ string) {
		c.Send(Binary([]byte(large), []byte("end")))
		for {
			if _, err := c.Read(); err != nil {
				return
			}
		}
	})
	if _, b, err := c.ReadMessage(); err != nil || string(b) != large+"end" {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

func TestSendingAllocatesNothing(t *testing.T) {
	c := &Conn{wake: make(chan struct{}, 1)}
	f := Binary(make([]byte, 100))
	var o outgoing
	send := func() {
		for range 10 {
			c.Send(f)
		}
		free := o.emptied()
		o = outgoing{queue: c.pending}
		c.pending = free
		for o.take(writeBytes) != nil {
			c.left(0)
		}
	}
	send()
	send()
	if n := testing.AllocsPerRun(1000, send); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkSend(b *testing.B) {
	b.ReportAllocs()
	c := &Conn{wake: make(chan struct{}, 1)}
	f := Binary(make([]byte, 100))
	for i := 0; b.Loop(); i++ {
		c.Send(f)
		if i%64 == 0 {
			c.pending = queue{small: c.pending.small[:0]}
		}
	}
}
