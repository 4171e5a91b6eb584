package turn

import (
	"net"
	"os"
	"runtime"
	"testing"

	"github.com/pion/stun/v4"
)

// churn makes n allocations at once, each with a permission and a channel, uses them, and drops them: by a refresh, by
// closing the connection, or from above.
func churn(t *testing.T, s *Server, n int, sink *net.UDPConn) {
	t.Helper()
	var clients []*raw
	for i := range n {
		network, user := "udp", "alice"
		switch i % 4 {
		case 0:
			network = "tcp"
		case 3:
			user = "bob"
		}
		c := newRaw(t, s, network, user)
		c.mustAllocate()
		if m := c.request(stun.MethodChannelBind, channel(0x4000), toPeer(addrPort(sink.LocalAddr()))); code(m) != 0 {
			t.Fatal(m)
		}
		c.send([]byte{0x40, 0, 0, 4, 1, 2, 3, 4})
		clients = append(clients, c)
	}
	for i, c := range clients {
		switch i % 4 {
		case 0:
			_ = c.conn.Close()
		case 1, 2:
			c.request(stun.MethodRefresh, lifetime(0))
		}
		if i%4 != 0 {
			defer func() { _ = c.conn.Close() }()
		}
	}
	for _, r := range s.allRelays() {
		if r.user == "bob" {
			_ = r.Close()
		}
	}
	eventually(t, "every allocation ends", func() bool { return s.Stats().Allocations == 0 })
}

func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("needs /proc")
	}
	return len(list)
}

// A thousand allocations come and go: no socket, goroutine, port or memory stays behind.
func TestThousandAllocationsLeaveNothingBehind(t *testing.T) {
	planes(t, testThousandAllocationsLeaveNothingBehind)
}

func testThousandAllocationsLeaveNothingBehind(t *testing.T, cfg Config) {
	s := start(t, cfg)
	sink, _ := silent(t)
	round := func(n int) { // a test of its own, so that what it holds is let go
		t.Run("", func(t *testing.T) { churn(t, s, n, sink) })
	}
	round(100)
	files, goroutines, memory, free := openFiles(t), runtime.NumGoroutine(), heap(), s.ports.free()
	for range 5 {
		round(200)
	}
	eventually(t, "sockets are closed", func() bool { return openFiles(t) <= files })
	eventually(t, "goroutines end", func() bool { return runtime.NumGoroutine() <= goroutines })
	if s.ports.free() != free || s.holdings.total() != 0 || len(s.relayed) != 0 {
		t.Errorf("%d ports free, %d held, %d addresses", s.ports.free(), s.holdings.total(), len(s.relayed))
	}
	if now := heap(); now > memory+1<<20 {
		t.Errorf("the heap grew from %d to %d KiB", memory>>10, now>>10)
	}
}
