package turn

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// socketPair is a bound sender, as a descriptor, and a receiver.
func socketPair(t *testing.T, host string) (fd int, to *net.UDPConn) {
	t.Helper()
	from, err := net.ListenUDP("udp", udpAddr(joinPort(host, 0)))
	if err != nil {
		t.Fatal(err)
	}
	to, err = net.ListenUDP("udp", udpAddr(joinPort(host, 0)))
	if err != nil {
		t.Fatal(err)
	}
	_ = to.SetReadBuffer(4 << 20)
	if fd, err = detach(from); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = to.Close()
		closeDescriptor(fd)
	})
	return fd, to
}

// Whatever the sizes, and with segments or without, the same datagrams arrive in order.
func TestBatchesArriveWhole(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for _, host := range []string{"127.0.0.1", "::1"} {
		for _, segment := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s segments %v", host, segment), func(t *testing.T) {
				fd, conn := socketPair(t, host)
				to := addrPort(conn.LocalAddr())
				s := newSender()
				if !segment {
					s.largest = 0
				}
				for range 50 {
					var list []datagram
					for range 1 + rng.IntN(batchSize) {
						size := []int{1000, 1000, 1000, 400, 1 + rng.IntN(1400)}[rng.IntN(5)]
						list = append(list, datagram{bytes.Repeat([]byte{byte(rng.UintN(256))}, size), to})
					}
					if failed := s.send(fd, list); failed != 0 {
						t.Fatalf("%d of %d not sent", failed, len(list))
					}
					for i, d := range list {
						buf := make([]byte, 2048)
						_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
						n, err := conn.Read(buf)
						if err != nil || !bytes.Equal(buf[:n], d.b) {
							t.Fatalf("datagram %d of %d: %d bytes, want %d; %v", i, len(list), n, len(d.b), err)
						}
					}
				}
			})
		}
	}
}

func TestRunsAreOfOneAddressAndSize(t *testing.T) {
	a, b := netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.2:1")
	d := func(size int, to netip.AddrPort) datagram { return datagram{make([]byte, size), to} }
	many := make([]datagram, 100)
	for i := range many {
		many[i] = d(1400, a)
	}
	for _, c := range []struct {
		list []datagram
		want int
	}{
		{[]datagram{d(5, a)}, 1},
		{[]datagram{d(5, a), d(5, a), d(5, a)}, 3},
		{[]datagram{d(5, a), d(5, a), d(4, a), d(4, a)}, 3},
		{[]datagram{d(5, a), d(6, a)}, 1},
		{[]datagram{d(5, a), d(5, b)}, 1},
		{many, maxSegmentBytes / 1400},
	} {
		if got := run(c.list); got != c.want {
			t.Errorf("%d datagrams: %d, want %d", len(c.list), got, c.want)
		}
	}
}

// One bad destination costs its own datagram, not those behind it.
func TestABadDestinationDoesNotStopTheBatch(t *testing.T) {
	fd, conn := socketPair(t, "127.0.0.1")
	good, bad := addrPort(conn.LocalAddr()), netip.MustParseAddrPort("0.0.0.0:0")
	s := newSender()
	list := []datagram{{[]byte("one"), good}, {[]byte("lost"), bad}, {[]byte("two"), good}}
	if failed := s.send(fd, list); failed != 1 {
		t.Errorf("%d failed, want 1", failed)
	}
	for _, want := range []string{"one", "two"} {
		buf := make([]byte, 10)
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		if n, err := conn.Read(buf); err != nil || string(buf[:n]) != want {
			t.Errorf("%q, %v; want %q", buf[:n], err, want)
		}
	}
}

// A kernel or device that refuses segments gets the datagrams one by one, all of them, and is not asked again for that size.
func TestRefusedSegmentsAreSentOneByOne(t *testing.T) {
	fd, conn := socketPair(t, "127.0.0.1")
	// Without checksums the kernel refuses UDP_SEGMENT with EINVAL.
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_NO_CHECK, 1); err != nil {
		t.Skip(err)
	}
	s := newSender()
	to := addrPort(conn.LocalAddr())
	list := []datagram{{make([]byte, 7), to}}
	for i := range 20 {
		list = append(list, datagram{bytes.Repeat([]byte{byte(i)}, 1000), to})
	}
	if failed := s.send(fd, list); failed != 0 || s.largest != 999 {
		t.Errorf("%d failed, segments up to %d", failed, s.largest)
	}
	for i, d := range list {
		buf := make([]byte, 2048)
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		if n, err := conn.Read(buf); err != nil || !bytes.Equal(buf[:n], d.b) {
			t.Fatalf("datagram %d: %d bytes, %v", i, n, err)
		}
	}
	s.learn(unix.EIO, 900)
	if s.largest != 0 {
		t.Errorf("after EIO segments up to %d", s.largest)
	}
}

func closeDescriptor(fd int) { _ = unix.Close(fd) }
