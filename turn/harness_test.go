package turn

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	pion "github.com/pion/turn/v5"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// loopback is the configuration of most tests: every port is chosen by the system, loopback peers are allowed.
func loopback() Config {
	return Config{
		Enabled: true, UDP: "127.0.0.1:0", TCP: "127.0.0.1:0", Realm: "test", Secret: "north",
		Relay:  Relay{Allow: []string{"127.0.0.0/8"}},
		Limits: Limits{AllocationsPerUser: -1, AllocationsPerSource: -1, ConnectionsPerSource: -1, NewPeers: -1},
	}
}

// planes runs a test on the batched data plane and on the portable one.
func planes(t *testing.T, test func(t *testing.T, cfg Config)) {
	t.Helper()
	for name, portable := range map[string]bool{"batched": false, "portable": true} {
		cfg := loopback()
		cfg.Relay.Portable = portable
		t.Run(name, func(t *testing.T) { test(t, cfg) })
	}
}

func start(t *testing.T, cfg Config, allow ...netip.AddrPort) *Server {
	t.Helper()
	s, err := New(cfg, allow, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// serverAddr is where a server listens for a network, "udp" or "tcp".
func serverAddr(t testing.TB, s *Server, network string) string {
	t.Helper()
	for _, u := range s.Advertised() {
		if addr, ok := strings.CutPrefix(u, "turn:"); ok && strings.HasSuffix(addr, "?transport="+network) {
			addr, _, _ = strings.Cut(addr, "?")
			return addr
		}
	}
	t.Fatalf("no %s among %v", network, s.Advertised())
	return ""
}

// dial connects pion's client with credentials of a user.
func dial(t *testing.T, s *Server, network, user string) *pion.Client {
	t.Helper()
	servers, _ := s.ICEServers(user)
	last := servers[len(servers)-1]
	return dialAs(t, serverAddr(t, s, network), network, last.Username, last.Credential)
}

func dialAs(t *testing.T, addr, network, username, password string) *pion.Client {
	t.Helper()
	var conn net.PacketConn
	if network == "udp" {
		local := "127.0.0.1:0"
		if strings.HasPrefix(addr, "[") {
			local = "[::1]:0"
		}
		c, err := net.ListenPacket("udp", local)
		if err != nil {
			t.Fatal(err)
		}
		conn = c
	} else {
		c, err := net.Dial(network, addr)
		if err != nil {
			t.Fatal(err)
		}
		conn = pion.NewSTUNConn(c)
	}
	return dialOver(t, conn, addr, username, password)
}

func dialOver(t *testing.T, conn net.PacketConn, addr, username, password string) *pion.Client {
	t.Helper()
	client, err := pion.NewClient(&pion.ClientConfig{
		STUNServerAddr: addr, TURNServerAddr: addr, Username: username, Password: password, Realm: "test", Conn: conn,
		RTO: 100 * time.Millisecond, LoggerFactory: logFactory{quiet()},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		_ = conn.Close()
	})
	return client
}

func allocate(t *testing.T, c *pion.Client) net.PacketConn {
	t.Helper()
	relay, err := c.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = relay.Close() })
	return relay
}

// echo answers every datagram with itself, at addr, until the test ends.
func echo(t *testing.T, addr string) *net.UDPConn {
	t.Helper()
	local, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.ListenUDP("udp", local)
	if err != nil {
		t.Fatal(err)
	}
	serveEcho(t, c)
	return c
}

func serveEcho(t *testing.T, c *net.UDPConn) {
	t.Helper()
	_ = c.SetReadBuffer(listenBuffer)
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 2048)
		for {
			n, from, err := c.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			_, _ = c.WriteToUDPAddrPort(buf[:n], from)
		}
	}()
	t.Cleanup(func() {
		_ = c.Close()
		<-done
	})
}

// roundTrip sends through relay to peer until an echo comes back: datagrams may be lost while the permission is made.
func roundTrip(t *testing.T, relay net.PacketConn, peer net.Addr, payload string) {
	t.Helper()
	buf := make([]byte, 2048)
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		if _, err := relay.WriteTo([]byte(payload), peer); err != nil {
			t.Fatal(err)
		}
		_ = relay.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		n, from, err := relay.ReadFrom(buf)
		if err != nil {
			continue
		}
		if string(buf[:n]) == payload && from.String() == peer.String() {
			return // others are late answers of another round
		}
	}
	t.Fatalf("no answer from %v through %v", peer, relay.LocalAddr())
}

// eventually waits until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatal("never: " + what)
		}
		time.Sleep(time.Millisecond)
	}
}

func udpAddr(s string) *net.UDPAddr { return net.UDPAddrFromAddrPort(netip.MustParseAddrPort(s)) }

func joinPort(host string, port int) string { return net.JoinHostPort(host, fmt.Sprint(port)) }

// dialFrom connects pion's client over UDP from a given local address.
func dialFrom(t *testing.T, local netip.Addr, addr string, server ICEServer) *pion.Client {
	t.Helper()
	conn, err := net.ListenPacket("udp", joinPort(local.String(), 0))
	if err != nil {
		t.Fatal(err)
	}
	return dialOver(t, conn, addr, server.Username, server.Credential)
}

// silent is a socket that records nothing and answers nothing; heard says whether a datagram has come to it.
func silent(t *testing.T) (c *net.UDPConn, heard func() bool) {
	t.Helper()
	c, err := net.ListenUDP("udp", udpAddr("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c, func() bool {
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		_, _, err := c.ReadFromUDPAddrPort(make([]byte, 10))
		return err == nil
	}
}

// listensAt is where a server listens for a kind of transport.
func listensAt(t *testing.T, s *Server, kind string) netip.AddrPort {
	t.Helper()
	for _, l := range s.listening {
		if l.kind == kind {
			return l.at
		}
	}
	t.Fatalf("nothing listens for %s", kind)
	return netip.AddrPort{}
}
