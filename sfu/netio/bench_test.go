package netio

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"
)

// sinks are sockets that nobody reads: what is sent to them costs the sender and nobody else.
func sinks(b *testing.B, n int) (all []netip.AddrPort) {
	for range n {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = c.Close() })
		_ = c.SetReadBuffer(1)
		all = append(all, c.LocalAddr().(*net.UDPAddr).AddrPort())
	}
	return all
}

// BenchmarkSend is one packet of a frame of six to each of 50 subscribers. ns/op is per packet.
func BenchmarkSend(b *testing.B) {
	const frame = 6
	for _, size := range []int{100, 1200} {
		b.Run(fmt.Sprintf("%dB/WriteTo", size), func(b *testing.B) {
			c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = c.Close() })
			to := sinks(b, 50)
			var addrs []net.Addr
			for _, a := range to {
				addrs = append(addrs, net.UDPAddrFromAddrPort(a))
			}
			buf := make([]byte, size)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				_, _ = c.WriteTo(buf, addrs[i/frame%len(addrs)])
			}
		})
		for _, mode := range modes {
			b.Run(fmt.Sprintf("%dB/%s", size, nameOf(mode)), func(b *testing.B) {
				s := mustOpen(b, Config{Addr: netip.MustParseAddrPort("127.0.0.1:0"), Mode: mode})[0]
				to := sinks(b, 50)
				w := s.NewWriter()
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					_ = w.Slot(size)
					w.Commit(size, to[i/frame%len(to)])
				}
				_ = w.Flush()
			})
		}
	}
}

// BenchmarkReceive empties a full socket. ns/op is per packet; the sender's time is not counted.
func BenchmarkReceive(b *testing.B) {
	const fill = 2000
	for _, size := range []int{100, 1200} {
		for _, mode := range modes {
			for _, from := range []Mode{Offload, Portable} {
				b.Run(fmt.Sprintf("%dB/%s/from-%s", size, nameOf(mode), nameOf(from)), func(b *testing.B) {
					dst := mustOpen(b, Config{Addr: netip.MustParseAddrPort("127.0.0.1:0"), Mode: mode, ReadBuffer: 16 << 20})[0]
					src := mustOpen(b, Config{Addr: netip.MustParseAddrPort("127.0.0.1:0"), Mode: from})[0]
					w := src.NewWriter()
					in := make([]Packet, 64)
					b.ReportAllocs()
					b.ResetTimer()
					for left := b.N; left > 0; {
						b.StopTimer()
						k := min(left, fill)
						for range k {
							w.Slot(size)
							w.Commit(size, dst.Addr())
						}
						_ = w.Flush()
						b.StartTimer()
						_ = dst.conn.SetReadDeadline(time.Now().Add(10 * time.Second)) // a packet that is lost ends it
						for got := 0; got < k; {
							n, err := dst.Read(in)
							if err != nil {
								b.Fatal(err)
							}
							for _, p := range in[:n] {
								p.Release()
							}
							got += n
						}
						left -= k
					}
				})
			}
		}
	}
}
