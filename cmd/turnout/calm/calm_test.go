package calm

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair is a connection as the server accepts it, and its other end.
func pair(t *testing.T) (server, client net.Conn) {
	t.Helper()
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := Listener(plain)
	defer l.Close()
	if client, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = client.Close(), server.Close() })
	return server, client
}

func TestWhatIsSentIsRead(t *testing.T) {
	server, client := pair(t)
	sent := bytes.Repeat([]byte("0123456789"), 100_000)
	go func() {
		_, _ = client.Write(sent)
		_ = client.Close()
	}()
	got, err := io.ReadAll(server)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes of %d, %v", len(got), len(sent), err)
	}
	if n, err := server.Read(nil); n != 0 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

func TestDeadlinesAndClosingEndARead(t *testing.T) {
	server, client := pair(t)
	_ = server.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	_, err := server.Read(make([]byte, 1))
	var late net.Error
	if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &late) || !late.Timeout() {
		t.Errorf("%v is no timeout", err)
	}
	_ = server.SetReadDeadline(time.Time{})
	if _, err := client.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if n, err := server.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("after a deadline: %d, %v", n, err)
	}
	ended := make(chan error)
	go func() {
		_, err := server.Read(make([]byte, 1))
		ended <- err
	}()
	_ = server.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

func TestABrokenConnectionIsAnError(t *testing.T) {
	server, client := pair(t)
	_ = client.(*net.TCPConn).SetLinger(0)
	_ = client.Close() // with a reset
	if _, err := server.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("%v", err)
	}
}

func TestReadingAllocatesNothing(t *testing.T) {
	server, client := pair(t)
	b := make([]byte, 1)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := client.Write(b); err != nil {
			t.Fatal(err)
		}
		if _, err := server.Read(b); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
