package turn

import (
	"net"
	"os"
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
