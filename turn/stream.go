package turn

import (
	"net"
	"net/netip"
	"sync"

	"github.com/turnout-rtc/turnout/turn/frame"
)

// streamTransport is one client on a TCP or TLS connection. It returns whole messages only, of at most frame.Max bytes,
// so that what a client drips or declares costs a fixed amount of memory.
type streamTransport struct {
	// Set at construction, never changed.
	conn   net.Conn
	remote netip.AddrPort

	buf        []byte // Owned by the reader.
	start, end int    // Owned by the reader: what has been read and not yet returned.

	mu sync.Mutex // one message at a time
}

// streamBuffer holds at least one message and makes one read return several, in bytes.
const streamBuffer = 4096

func newStream(conn net.Conn) *streamTransport {
	return &streamTransport{conn: conn, remote: addrPort(conn.RemoteAddr()), buf: make([]byte, streamBuffer)}
}

func (t *streamTransport) read(p []byte) (int, netip.AddrPort, error) {
	for {
		n, err := frame.Length(t.buf[t.start:t.end])
		if err != nil {
			return 0, t.remote, err
		}
		if n > 0 && n <= t.end-t.start {
			copy(p, t.buf[t.start:t.start+n])
			t.start += n
			return n, t.remote, nil
		}
		if err := t.fill(); err != nil {
			return 0, t.remote, err
		}
	}
}

func (t *streamTransport) fill() error {
	if t.start > 0 {
		t.end = copy(t.buf, t.buf[t.start:t.end])
		t.start = 0
	}
	n, err := t.conn.Read(t.buf[t.end:])
	t.end += n
	if n > 0 {
		return nil
	}
	return err
}

func (t *streamTransport) write(b []byte, _ netip.AddrPort) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, err := t.conn.Write(b)
	return err
}

func (t *streamTransport) stream() bool    { return true }
func (t *streamTransport) local() net.Addr { return t.conn.LocalAddr() }
func (t *streamTransport) close() error    { return t.conn.Close() }
