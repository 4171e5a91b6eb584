package turn

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/pion/stun/v4"
)

// bed is a client with a channel and a permission to a peer, for tests of the data path alone.
type bed struct {
	*raw
	peer    *net.UDPConn
	relayed *net.UDPAddr
	channel []byte // ChannelData to the peer
	send    []byte // a Send indication to the peer
}

func newBed(t testing.TB, cfg Config, network string) (*bed, *Server) {
	t.Helper()
	cfg.Limits.Packets, cfg.Limits.Bytes = -1, -1
	s, err := New(cfg, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	peer, err := net.ListenUDP("udp", udpAddr("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = peer.Close() })
	b := &bed{raw: newRaw(t, s, network, "alice"), peer: peer}
	b.relayed = net.UDPAddrFromAddrPort(b.mustAllocate())
	if m := b.request(stun.MethodChannelBind, channel(0x4000), toPeer(addrPort(peer.LocalAddr()))); code(m) != 0 {
		t.Fatal(m)
	}
	payload := make([]byte, 1000)
	b.channel = append([]byte{0x40, 0, 1000 >> 8, 1000 & 0xff}, payload...)
	m, err := stun.Build(stun.TransactionID, stun.NewType(stun.MethodSend, stun.ClassIndication),
		toPeer(addrPort(peer.LocalAddr())), attr{stun.AttrData, payload})
	if err != nil {
		t.Fatal(err)
	}
	b.send = m.Raw
	return b, s
}

// up sends one message to the peer and waits for it there. down is the way back.
func (b *bed) up(t testing.TB, m, buf []byte) {
	_, _ = b.conn.Write(m)
	_ = b.peer.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, _, err := b.peer.ReadFromUDPAddrPort(buf); err != nil {
		t.Fatal(err)
	}
}

func (b *bed) down(t testing.TB, buf []byte) {
	_, _ = b.peer.WriteToUDPAddrPort(b.channel[4:], b.relayed.AddrPort())
	_ = b.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := b.conn.Read(buf); err != nil {
		t.Fatal(err)
	}
}

// A relayed datagram allocates nothing, whichever way it goes and whatever it comes in.
func TestRelayingAllocatesNothing(t *testing.T) {
	planes(t, func(t *testing.T, cfg Config) {
		for _, network := range []string{"udp", "tcp"} {
			b, _ := newBed(t, cfg, network)
			buf := make([]byte, 2048)
			b.up(t, b.channel, buf)
			b.up(t, b.send, buf)
			if n := testing.AllocsPerRun(300, func() {
				b.up(t, b.channel, buf)
				b.up(t, b.send, buf)
				b.down(t, buf)
			}); n >= 1 {
				t.Errorf("%s: %v allocations for three datagrams", network, n)
			}
		}
	})
}

func BenchmarkRelay(b *testing.B) {
	for _, c := range []struct {
		name     string
		portable bool
		network  string
	}{{"batched", false, "udp"}, {"portable", true, "udp"}, {"stream", false, "tcp"}} {
		cfg := loopback()
		cfg.Relay.Portable = c.portable
		b.Run(fmt.Sprintf("%s/up", c.name), func(b *testing.B) {
			bed, _ := newBed(b, cfg, c.network)
			buf := make([]byte, 2048)
			b.ReportAllocs()
			for b.Loop() {
				bed.up(b, bed.channel, buf)
			}
		})
		b.Run(fmt.Sprintf("%s/down", c.name), func(b *testing.B) {
			bed, _ := newBed(b, cfg, c.network)
			buf := make([]byte, 2048)
			b.ReportAllocs()
			for b.Loop() {
				bed.down(b, buf)
			}
		})
	}
}

// BenchmarkRoute is what our own code costs per datagram, without the kernel.
func BenchmarkRoute(b *testing.B) {
	bed, s := newBed(b, loopback(), "udp")
	r := s.allRelays()[0]
	from, now := addrPort(bed.conn.LocalAddr()), time.Now()
	for name, m := range map[string][]byte{"channel": bed.channel, "send": bed.send} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, _, _, ok, _ := r.sock.route(now, m, from); !ok {
					b.Fatal("not routed")
				}
			}
		})
	}
	b.Run("down", func(b *testing.B) {
		buf, src := make([]byte, relayBuf), addrPort(bed.peer.LocalAddr())
		b.ReportAllocs()
		for b.Loop() {
			if r.wrap(now, buf, 1000, src) == nil {
				b.Fatal("not wrapped")
			}
		}
	})
}

// Bursts of peers arrive whole and in order, however many come at once and however many relays have some.
func TestBurstsOfPeersArriveInOrder(t *testing.T) {
	planes(t, func(t *testing.T, cfg Config) {
		b, s := newBed(t, cfg, "udp")
		second := &bed{raw: newRaw(t, s, "udp", "bob"), peer: b.peer}
		second.relayed = net.UDPAddrFromAddrPort(second.mustAllocate())
		if m := second.request(stun.MethodChannelBind, channel(0x4000), toPeer(addrPort(b.peer.LocalAddr()))); code(m) != 0 {
			t.Fatal(m)
		}
		beds := []*bed{b, second}
		for _, burst := range []int{1, 2, 3, 70, 1, 40} {
			for i := range burst {
				for _, one := range beds {
					if _, err := b.peer.WriteToUDPAddrPort([]byte{byte(burst), byte(i)}, one.relayed.AddrPort()); err != nil {
						t.Fatal(err)
					}
				}
			}
			for i := range burst {
				for _, one := range beds {
					buf := make([]byte, 100)
					_ = one.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
					if n, err := one.conn.Read(buf); err != nil || n < 6 || buf[4] != byte(burst) || buf[5] != byte(i) {
						t.Fatalf("datagram %d of %d: %x, %v", i, burst, buf[:n], err)
					}
				}
			}
		}
	})
}
