package lite_test

import (
	"net"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/turnout-rtc/turnout/sfu/lite"
)

// known is a bare socket that a server knows as a peer, and a count of what arrived from it.
func known(t testing.TB) (*net.UDPConn, *atomic.Int64, chan struct{}) {
	t.Helper()
	n, more := new(atomic.Int64), make(chan struct{}, 1)
	s, err := lite.Open(lite.Config{UDP: []netip.AddrPort{loopback4}, Media: func(batch []lite.Received) {
		for _, r := range batch {
			r.Packet.Release()
		}
		n.Add(int64(len(batch)))
		select {
		case more <- struct{}{}:
		default:
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	c, x, local, remote := stranger(t, &server{Server: s})
	_, _ = c.Write(checkBy(local, remote))
	x.waitFor(t, lite.Connecting)
	return c, n, more
}

func TestMediaInAllocatesNothing(t *testing.T) {
	c, n, more := known(t)
	packet := append([]byte{128, 96}, make([]byte, 1000)...)
	if got := testing.AllocsPerRun(500, func() {
		want := n.Load() + 20
		for range 20 {
			_, _ = c.Write(packet)
		}
		for n.Load() < want {
			<-more
		}
	}); got >= 1 {
		t.Errorf("%v allocations per 20 packets", got)
	}
}

// BenchmarkMediaIn is a packet from its sender's system call to the media plane.
func BenchmarkMediaIn(b *testing.B) {
	c, n, more := known(b)
	packet := append([]byte{128, 96}, make([]byte, 1000)...)
	b.ReportAllocs()
	b.ResetTimer()
	start := n.Load()
	for i := range b.N {
		_, _ = c.Write(packet)
		for int64(i)-(n.Load()-start) > 200 { // the socket's buffer holds more
			<-more
		}
	}
}
