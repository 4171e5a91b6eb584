package lite_test

import (
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/turnout-rtc/turnout/sfu/lite"
	"github.com/turnout-rtc/turnout/sfu/netio"
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

func TestOutletSendsToManyPeersWithoutAllocating(t *testing.T) {
	s := open(t, lite.Config{Net: netio.Config{Sockets: 2}})
	const peers, each = 6, 4
	var conns []*net.UDPConn
	var paths []lite.Path
	for range peers {
		c, x, local, remote := stranger(t, s)
		_, _ = c.Write(checkBy(local, remote))
		x.waitFor(t, lite.Connecting)
		p, _ := x.Path()
		conns, paths = append(conns, c), append(paths, p)
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	}
	out := s.NewOutlet()
	if out.Slot(paths[0], netio.MaxDatagram+1) != nil {
		t.Error("a slot larger than a datagram")
	}
	buf := make([]byte, 2000)
	for _, c := range conns { // the replies to the checks
		if _, err := c.Read(buf); err != nil {
			t.Fatal(err)
		}
	}
	round := func() {
		for i, p := range paths {
			for k := range each {
				b := out.Slot(p, 900)
				b[0], b[1] = byte(i), byte(k)
				out.Commit(p, 900)
			}
		}
		out.Flush()
		for i, c := range conns {
			for k := range each {
				if n, err := c.Read(buf); err != nil || n != 900 || buf[0] != byte(i) || buf[1] != byte(k) {
					t.Fatalf("peer %d datagram %d: %d bytes %v, %v", i, k, n, buf[:2], err)
				}
			}
		}
	}
	if n := testing.AllocsPerRun(100, round); n >= 1 {
		t.Errorf("%v allocations per %d datagrams", n, peers*each)
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
