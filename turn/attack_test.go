package turn

import (
	"bytes"
	"io"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/pion/stun/v4"
)

// processTime is what this process has used of the CPU.
func processTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

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

// A frame whose length wraps around 16 bits must not make the reader spin: it is refused, and the connection closed.
func TestWrappingFrameLengthEndsTheConnection(t *testing.T) {
	s := start(t, loopback())
	for _, head := range [][]byte{
		{0x40, 0, 0xff, 0xfc}, {0x40, 0, 0xff, 0xff}, {0, 3, 0xff, 0xfc}, {0x7f, 0xff, 0xff, 0xfd}, {0x80, 0, 0, 0}, {0, 3, 0, 1},
	} {
		c := newRaw(t, s, "tcp", "alice")
		before := processTime(t)
		c.send(append(head, make([]byte, 8)...))
		if !closes(t, c.conn, 5*time.Second) {
			t.Errorf("%x: the connection is still open", head)
		}
		if used := processTime(t) - before; used > 2*time.Second {
			t.Errorf("%x: %v of CPU", head, used)
		}
	}
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

// When the process has run out of file descriptors and got them back, the listener accepts again.
func TestAcceptSurvivesTheLackOfFileDescriptors(t *testing.T) {
	s := start(t, loopback())
	newRaw(t, s, "tcp", "alice").bare(stun.MethodBinding) // whatever the runtime opens on first use is open then
	conn, release := connectWithoutDescriptors(t, s)
	if m := (&raw{t: t, conn: conn, readTimeout: 200 * time.Millisecond}).bare(stun.MethodBinding); m != nil {
		t.Fatal("answered without a file descriptor: the test shows nothing")
	}
	release()
	if m := (&raw{t: t, conn: conn, readTimeout: 5 * time.Second}).receive(); code(m) != 0 {
		t.Errorf("the connection that waited: %v", m)
	}
	if m := newRaw(t, s, "tcp", "alice").bare(stun.MethodBinding); code(m) != 0 {
		t.Errorf("a new connection: %v", m)
	}
}

// connectWithoutDescriptors connects to s and leaves the process no descriptor with which to accept, until release.
func connectWithoutDescriptors(t *testing.T, s *Server) (conn net.Conn, release func()) {
	t.Helper()
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	low := old
	low.Cur = uint64(openFiles(t)) + 20
	var hold []*os.File
	release = func() {
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old)
		for _, f := range hold {
			_ = f.Close()
		}
		hold = nil
	}
	t.Cleanup(release)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		hold = append(hold, f)
	}
	last := len(hold) - 1
	_ = hold[last].Close() // for the client
	hold = hold[:last]
	conn, err := net.Dial("tcp", serverAddr(t, s, "tcp"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn, release
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
