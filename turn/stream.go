package turn

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/turnout-rtc/turnout/turn/frame"
)

// streamTransport is one client on a TCP or TLS connection. It returns whole messages only, of at most frame.Max bytes,
// so that what a client drips or declares costs a fixed amount of memory.
type streamTransport struct {
	// Set at construction, never changed.
	conn    net.Conn
	remote  netip.AddrPort
	limits  Limits
	release func() // gives back what the connection holds

	buf        []byte // Owned by the reader.
	start, end int    // Owned by the reader: what has been read and not yet returned.

	mu   sync.Mutex // one message at a time
	once sync.Once
}

// streamBuffer holds at least one message and makes one read return several, in bytes.
const streamBuffer = 4096

// newStream takes over conn. A client has the idle timeout, from now, to get an allocation.
func newStream(conn net.Conn, l Limits, release func()) *streamTransport {
	_ = conn.SetReadDeadline(time.Now().Add(l.IdleTimeout))
	return &streamTransport{
		conn: conn, remote: addrPort(conn.RemoteAddr()), limits: l, release: release, buf: make([]byte, streamBuffer),
	}
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

// write ends the connection when the client does not take the message in time: half a message cannot be mended.
func (t *streamTransport) write(b []byte, _ netip.AddrPort) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	_ = t.conn.SetWriteDeadline(time.Now().Add(t.limits.WriteTimeout))
	_, err := t.conn.Write(b)
	if err != nil {
		_ = t.close()
	}
	return err
}

// hold lets a client with an allocation be silent for as long as the allocation lives.
func (t *streamTransport) hold(allocated bool) {
	var deadline time.Time
	if !allocated {
		deadline = time.Now().Add(t.limits.IdleTimeout)
	}
	_ = t.conn.SetReadDeadline(deadline)
}

func (t *streamTransport) close() (err error) {
	t.once.Do(func() {
		err = t.conn.Close()
		t.release()
	})
	return err
}
