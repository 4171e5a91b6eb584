package icetcp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair is a connection of ours and the peer's end of it.
func pair(t *testing.T, limit int) (*Conn, *net.TCPConn, *atomic.Uint64) {
	t.Helper()
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	peer, err := net.DialTCP("tcp4", nil, l.Addr().(*net.TCPAddr))
	if err != nil {
		t.Fatal(err)
	}
	ours, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	dropped := new(atomic.Uint64)
	c := NewConn(ours, limit, dropped)
	t.Cleanup(func() { _ = c.Close(); _ = peer.Close() })
	_ = peer.SetDeadline(time.Now().Add(5 * time.Second))
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	return c, peer, dropped
}

func TestDatagramsKeepTheirBorders(t *testing.T) {
	c, peer, _ := pair(t, 1<<16)
	other := NewConn(peer, 1<<16, new(atomic.Uint64))
	t.Cleanup(func() { _ = other.Close() })
	if c.Remote().Port() == 0 {
		t.Error("no remote address")
	}
	for _, way := range [][2]*Conn{{c, other}, {other, c}} {
		for i := 1; i < 50; i++ {
			way[0].Send(bytes.Repeat([]byte{byte(i)}, i*20))
		}
		buf := make([]byte, 2000)
		for i := 1; i < 50; i++ {
			n, err := way[1].Read(buf)
			if err != nil || !bytes.Equal(buf[:n], bytes.Repeat([]byte{byte(i)}, i*20)) {
				t.Fatalf("datagram %d: %d bytes, %v", i, n, err)
			}
		}
	}
}

func TestFullQueueDropsTheOldest(t *testing.T) {
	c, peer, dropped := pair(t, 64<<10)
	const n = 20000
	msg := make([]byte, 1000)
	for i := range n { // 20 MB while the peer reads nothing: more than all buffers on the way
		binary.BigEndian.PutUint32(msg, uint32(i))
		c.Send(msg)
	}
	if dropped.Load() == 0 {
		t.Fatal("nothing was dropped")
	}
	c.mu.Lock()
	if n := len(c.waiting) - c.head; n > 64<<10 || cap(c.waiting) > 512<<10 {
		t.Errorf("%d bytes wait in %d, 65536 are allowed", n, cap(c.waiting))
	}
	c.mu.Unlock()
	buf, last, got := make([]byte, 2000), -1, 0
	for last != n-1 {
		k, err := readFrame(peer, buf)
		if err != nil || k != 1000 {
			t.Fatalf("after %d: %d bytes, %v", last, k, err)
		}
		i := int(binary.BigEndian.Uint32(buf))
		if i <= last {
			t.Fatalf("%d after %d", i, last)
		}
		last, got = i, got+1
	}
	if uint64(got)+dropped.Load() != n {
		t.Errorf("%d arrived and %d were dropped of %d", got, dropped.Load(), n)
	}
}

func TestCloseDoesNotWaitForAStalledPeer(t *testing.T) {
	c, peer, _ := pair(t, 1<<20)
	_ = peer.SetReadBuffer(4096)
	for range 20000 {
		c.Send(make([]byte, 1000))
	}
	done := make(chan struct{})
	go func() { _ = c.Close(); _ = c.Close(); close(done) }()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Fatal("Close waits for the peer")
	}
	c.Send([]byte("after")) // is nothing
}

func TestWhatCannotBeSentIsCounted(t *testing.T) {
	c, _, dropped := pair(t, 1000)
	c.Send(nil)
	c.Send(make([]byte, 1000))
	if dropped.Load() != 2 {
		t.Errorf("%d counted", dropped.Load())
	}
}

func TestBadLengthEndsTheStream(t *testing.T) {
	buf := make([]byte, 100)
	for name, c := range map[string]struct {
		in  []byte
		err error
	}{
		"empty frame": {[]byte{0, 0, 1}, ErrFrame}, "too long": {[]byte{0, 101}, ErrFrame},
		"cut in the length": {[]byte{0}, io.ErrUnexpectedEOF}, "cut in the frame": {[]byte{0, 9, 1}, io.ErrUnexpectedEOF},
		"nothing": {nil, io.EOF},
	} {
		if _, err := readFrame(bytes.NewReader(c.in), buf); !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", name, err, c.err)
		}
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add([]byte{0, 3, 1, 2, 3, 0, 1, 9})
	f.Add([]byte{255, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, buf, total := bytes.NewReader(b), make([]byte, 64), 0
		for {
			n, err := readFrame(r, buf)
			if err != nil {
				break
			}
			total += prefix + n
		}
		if total > len(b) {
			t.Fatal("more read than there is")
		}
	})
}
