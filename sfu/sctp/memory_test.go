package sctp

import (
	"runtime"
	"testing"
	"time"
)

func TestAnIdleAssociationIsSmall(t *testing.T) {
	const count, most = 500, 2048
	shared := NewMemory(1 << 20)
	kept := make([]*Association, 0, count)
	buf := make([]byte, 2048)
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	use := func() *Association {
		s, c := New(Config{Random: seeded(1), Memory: shared}), newDialer(Config{Random: seeded(2), Memory: shared})
		exchange(t, start(), c, s)
		for stream := range uint16(2) {
			for _, a := range []*Association{s, c.Association} {
				if err := a.Send(start(), stream, 53, make([]byte, 30000), Reliability{}); err != nil {
					t.Fatal(err)
				}
			}
		}
		exchange(t, start(), c, s)
		lost := true
		for range 50 { // the first is lost, and all others wait for it
			if err := c.Send(start(), 1, 53, make([]byte, 100), Reliability{}); err != nil {
				t.Fatal(err)
			}
			if n := c.Poll(start(), buf); !lost {
				s.Receive(start(), buf[:n])
			}
			lost = false
		}
		exchange(t, start(), c, s)
		exchange(t, start().Add(time.Second), c, s)
		if got := messages(s); len(got) != 52 {
			t.Fatalf("%d messages", len(got))
		}
		if s.Buffered(0) != 0 || s.Poll(start(), buf) != 0 {
			t.Fatal("not idle")
		}
		return s
	}
	use() // fills the shared memory
	before := heap()
	for range count {
		kept = append(kept, use())
	}
	each := (heap() - before) / count
	t.Logf("%d bytes", each)
	if each > most {
		t.Errorf("%d bytes each, want at most %d", each, most)
	}
	runtime.KeepAlive(kept)
}

func TestMemoryIsUsedAgainAndBounded(t *testing.T) {
	m := NewMemory(10 * smallChunk * 4)
	for _, size := range []int{1, smallChunk, smallChunk + 1, largeChunk, largeChunk + 1} {
		c := m.get(size)
		if len(c.data) != size {
			t.Errorf("%d bytes, want %d", len(c.data), size)
		}
		c.next, c.flags = c, 1
		m.put(c)
		if again := m.get(size); size <= largeChunk && (again != c || again.flags != 0 || again.next != nil) {
			t.Errorf("a chunk of %d is not used again, or as it was", size)
		}
	}
	for range 100 {
		m.put(&chunk{data: make([]byte, smallChunk)})
	}
	if len(m.small) != 10 {
		t.Errorf("%d are kept", len(m.small))
	}
}
