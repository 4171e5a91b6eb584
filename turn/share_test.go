package turn

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun/v4"
)

// share reads a UDP socket for two: what is for TURN goes into the pipe that it returns, everything else is echoed, as a
// media server would answer it.
func share(t *testing.T, conn *net.UDPConn) *sharedConn {
	t.Helper()
	c := &sharedConn{pipe: newPipe(), conn: conn}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 2048)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			if first := buf[0]; n == 0 || first > 3 && (first < 64 || first > 127) { // RFC 7983 §7; nobody here speaks ICE
				_, _ = conn.WriteToUDPAddrPort(buf[:n], from)
				continue
			}
			select {
			case c.in <- packet{append([]byte(nil), buf[:n]...), net.UDPAddrFromAddrPort(from)}:
			case <-c.done:
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	return c
}

// sharedConn is TURN's share of the socket.
type sharedConn struct {
	*pipe
	conn *net.UDPConn
}

func (c *sharedConn) WriteTo(b []byte, to net.Addr) (int, error) { return c.conn.WriteTo(b, to) }
func (c *sharedConn) LocalAddr() net.Addr                        { return c.conn.LocalAddr() }

// STUN, TURN and media on one UDP port: the relay reaches the media on it, and TURN inside TURN does not.
func TestOnePortForTurnAndMedia(t *testing.T) {
	conn, err := net.ListenUDP("udp", udpAddr("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	port := addrPort(conn.LocalAddr())
	cfg := loopback()
	cfg.UDP, cfg.TCP, cfg.Relay.Allow = port.String(), "127.0.0.1:443", nil
	s, err := New(cfg, []netip.AddrPort{port}, nil, WithSharedUDP(), WithSharedTCP())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	shared := share(t, conn)
	if err := s.AdoptPacketConn(shared); err != nil {
		t.Fatal(err)
	}
	servers, _ := s.Credentials("alice", time.Hour)
	if want := "turn:" + port.String() + "?transport=udp"; servers[len(servers)-1].URLs[0] != want {
		t.Errorf("credentials for %v, want %s", servers, want)
	}
	if servers, _ := s.ICEServers("alice"); len(servers) != 1 || len(servers[0].URLs) != 1 || servers[0].URLs[0] != "turn:127.0.0.1:443?transport=tcp" {
		t.Errorf("a participant gets %v: media's own port must not be among it", servers)
	}
	media := string([]byte{0x80, 96, 0, 1}) + "a media packet"
	roundTrip(t, allocate(t, dial(t, s, "udp", "alice")), net.UDPAddrFromAddrPort(port), media)

	c := newRaw(t, s, "udp", "mallory")
	c.mustAllocate()
	if m := c.request(stun.MethodChannelBind, channel(0x4000), toPeer(port)); code(m) != 0 {
		t.Fatal(m)
	}
	inner := c.build(stun.MethodAllocate, protocolUDP)
	c.send(append([]byte{0x40, 0, 0, byte(len(inner))}, inner...))
	eventually(t, "TURN inside TURN is dropped", func() bool { return s.Stats().Dropped["loop"] == 1 })
}
