package turn

import (
	"bytes"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/pion/stun/v4"
)

// closes says whether the server closes conn before the deadline.
func closes(t *testing.T, conn net.Conn, within time.Duration) bool {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(within))
	_, err := io.Copy(io.Discard, conn)
	var nerr net.Error
	return err == nil || !asNetError(err, &nerr) || !nerr.Timeout()
}

func asNetError(err error, to *net.Error) bool {
	e, ok := err.(net.Error) //nolint:errorlint // read errors are not wrapped twice
	if ok {
		*to = e
	}
	return ok
}

// A Send indication with an empty or broken peer address must be dropped, whatever the allocation.
func TestBrokenSendIndicationsAreDropped(t *testing.T) {
	planes(t, testBrokenSendIndicationsAreDropped)
}

func testBrokenSendIndicationsAreDropped(t *testing.T, cfg Config) {
	s := start(t, cfg)
	c := newRaw(t, s, "udp", "alice")
	c.mustAllocate()
	for _, value := range [][]byte{nil, {0}, {0, 1}, {0, 1, 0, 0}, {0, 2, 0, 0, 1, 2, 3, 4}, make([]byte, 100)} {
		m, err := stun.Build(stun.TransactionID, stun.NewType(stun.MethodSend, stun.ClassIndication),
			attr{stun.AttrXORPeerAddress, value}, attr{stun.AttrData, make([]byte, 20)})
		if err != nil {
			t.Fatal(err)
		}
		c.send(m.Raw)
	}
	if m := c.request(stun.MethodRefresh, lifetime(600*time.Second)); code(m) != 0 {
		t.Errorf("the allocation is gone: %v", m)
	}
}

// TCP allocations (RFC 6062) are refused over every transport, and Connect finds nothing to connect: nobody waits for it.
func TestTCPAllocationsAreRefused(t *testing.T) {
	s := start(t, loopback())
	for _, network := range []string{"udp", "tcp"} {
		c := newRaw(t, s, network, "alice")
		if m := c.request(stun.MethodAllocate, protocolTCP); code(m) != int(stun.CodeUnsupportedTransProto) {
			t.Errorf("%s: %v", network, m)
		}
		c.mustAllocate()
		c.send(c.build(stun.MethodConnect, peerAt("127.0.0.1:9"), stun.NewUsername(c.user), stun.NewRealm(c.realm), stun.NewNonce(c.nonce), c.key()))
		if m := c.receive(); code(m) <= 0 {
			t.Errorf("%s: Connect: %v", network, m)
		}
		if m := newRaw(t, s, network, "bob").bare(stun.MethodBinding); code(m) != 0 {
			t.Errorf("%s: Binding of another client: %v", network, m)
		}
	}
}

// Connections that fail the TLS handshake, or never start it, are closed in time and counted.
func TestFailedHandshakesAreClosed(t *testing.T) {
	cfg := loopback()
	cfg.Limits.HandshakeTimeout = 300 * time.Millisecond
	s := startTLS(t, cfg)
	addr := listensAt(t, s, kindTLS).String()
	var conns []net.Conn
	for i := range 40 {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if i%2 == 0 {
			_, _ = conn.Write([]byte("GET / HTTP/1.0\r\n\r\n"))
		}
		conns = append(conns, conn)
	}
	for i, conn := range conns {
		if !closes(t, conn, 5*time.Second) {
			t.Errorf("connection %d is still open", i)
		}
	}
	eventually(t, "every connection is given back", func() bool { return s.Stats().Connections == 0 })
	if n := s.Stats().Handshakes["failed"]; n != 40 {
		t.Errorf("%d failed handshakes counted, want 40", n)
	}
}

// A client that declares a long frame and drips it costs a fixed buffer, and its connection ends with the idle timeout.
func TestDrippingFramesCostAFixedBuffer(t *testing.T) {
	cfg := loopback()
	cfg.Limits.IdleTimeout = 2 * time.Second
	s := start(t, cfg)
	const conns = 20
	var all []*raw
	for range conns {
		c := newRaw(t, s, "tcp", "alice")
		c.send([]byte{0x40, 0, 0x06, 0x00}) // 1,536 bytes follow, or so it says
		all = append(all, c)
	}
	before := heap()
	for range 1500 {
		for _, c := range all {
			c.send([]byte{0})
		}
	}
	if grown := int64(heap()) - int64(before); grown > conns*64<<10 {
		t.Errorf("%d KiB for each connection", grown/conns>>10)
	}
	for _, c := range all {
		if !closes(t, c.conn, 5*time.Second) {
			t.Fatal("a dripping connection is still open")
		}
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A connection without an allocation ends: silent, after Binding, and when its allocation has ended.
func TestIdleConnectionsEnd(t *testing.T) {
	cfg := loopback()
	cfg.Limits.IdleTimeout = 300 * time.Millisecond
	s := start(t, cfg)
	silent := newRaw(t, s, "tcp", "alice")
	if !closes(t, silent.conn, 5*time.Second) {
		t.Error("a silent connection is still open")
	}
	binding := newRaw(t, s, "tcp", "alice")
	binding.bare(stun.MethodBinding)
	if !closes(t, binding.conn, 5*time.Second) {
		t.Error("a connection after Binding is still open")
	}
	allocated := newRaw(t, s, "tcp", "alice")
	allocated.mustAllocate()
	if closes(t, allocated.conn, time.Second) {
		t.Fatal("a connection with an allocation was closed")
	}
	if m := allocated.request(stun.MethodRefresh, lifetime(0)); code(m) != 0 {
		t.Fatal(m)
	}
	if !closes(t, allocated.conn, 5*time.Second) {
		t.Error("a connection after its allocation is still open")
	}
}

// Nothing that a client causes is logged above debug.
func TestRemoteInputIsNotLogged(t *testing.T) {
	var out bytes.Buffer
	s := startLogged(t, loopback(), &out)
	for _, network := range []string{"udp", "tcp"} {
		c := newRaw(t, s, network, "alice")
		c.bare(stun.MethodBinding, attr{0x7001, nil})
		c.user = "1:expired"
		c.request(stun.MethodAllocate, protocolUDP)
		c.user = "no credential"
		c.request(stun.MethodAllocate, protocolUDP)
		c.send([]byte{0, 1, 2, 3, 4})
		c.send([]byte("GET / HTTP/1.0\r\n\r\n"))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if out.Len() != 0 {
		t.Errorf("logged:\n%s", out.String())
	}
}

// A TLS client that does not read is cut off when it does not take a message in time.
func TestSlowReaderIsCutOff(t *testing.T) {
	cfg := loopback()
	cfg.Limits.WriteTimeout = 300 * time.Millisecond
	cfg.Limits.Packets, cfg.Limits.Bytes = -1, -1
	s := start(t, cfg)
	c := newRaw(t, s, "tcp", "alice")
	relayed := c.mustAllocate()
	peer, err := net.ListenUDP("udp", udpAddr("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = peer.Close() }()
	if m := c.request(stun.MethodChannelBind, channel(0x4000), toPeer(addrPort(peer.LocalAddr()))); code(m) != 0 {
		t.Fatal(m)
	}
	payload := make([]byte, 1200)
	eventually(t, "the connection is cut off", func() bool {
		for range 100 {
			_, _ = peer.WriteToUDPAddrPort(payload, relayed)
		}
		return s.Stats().Connections == 0
	})
	eventually(t, "its allocation ends", func() bool { return s.Stats().Allocations == 0 })
}
