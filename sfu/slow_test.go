package sfu

import (
	"encoding/binary"
	"io"
	"net"
	"slices"
	"testing"
	"time"
)

// sluggard is an ICE-TCP connection (RFC 4571) that reads nothing any more once it is told so.
type sluggard struct {
	net.Conn
	lazy chan struct{} // closed: read no more
	gone chan struct{} // closed: there is nothing to wait for
}

func (s *sluggard) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case <-s.lazy:
		<-s.gone
		return 0, nil, net.ErrClosed
	default:
	}
	var size [2]byte
	if _, err := io.ReadFull(s, size[:]); err != nil {
		return 0, nil, err
	}
	n, err := io.ReadFull(s, b[:binary.BigEndian.Uint16(size[:])])
	return n, s.RemoteAddr(), err
}

func (s *sluggard) WriteTo(b []byte, _ net.Addr) (int, error) {
	return s.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...))
}

// newSluggard joins over TCP, and then reads nothing.
func newSluggard(t *testing.T, f *fan) {
	t.Helper()
	cert := certificate(t)
	w, sdp := joinWire(t, f.pub.transport.router, cert, nil, []string{"video"})
	all := f.e.Advertised()
	to := all[slices.IndexFunc(all, func(a Advertised) bool { return a.Protocol == "tcp" })].Addr.String()
	conn, err := net.Dial("tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.(*net.TCPConn).SetReadBuffer(4096)
	s := &sluggard{conn, make(chan struct{}), make(chan struct{})}
	if _, err := s.WriteTo(check(line(sdp, "a=ice-ufrag:"), line(sdp, "a=ice-pwd:")), nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.ReadFrom(make([]byte, 1500)); err != nil {
		t.Fatal(err)
	}
	d := w.secure(s, conn.RemoteAddr(), cert)
	w.connected()
	close(s.lazy)
	t.Cleanup(func() { close(s.gone); _ = d.Close() })
	w.transport.Subscribe(f.pub.published[0])
}

func TestSlowPeerOverTCPHoldsNobodyUp(t *testing.T) {
	f := newFan(t, "video", 1, func(c *Config) { c.TCP = "127.0.0.1:0" })
	_ = f.subs[0].conn.SetReadBuffer(4 << 20)
	newSluggard(t, f)
	for end := time.Now().Add(wirePatience); f.e.counters.subscribed.Load() < 2; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%+v", f.e.Stats())
		}
	}
	f.frame(1, true)
	frames := 0
	for end := time.Now().Add(wirePatience); f.e.Stats().Dropped["tcp_full"] < 100; frames++ { // the kernel keeps some MB
		if time.Now().After(end) {
			t.Fatalf("nothing is dropped: %+v", f.e.Stats())
		}
		want := f.e.counters.packetsOut.Load() + 2*30
		f.frame(30, false)
		f.sent(want)
		for range 30 {
			if f.subs[0].receive(wirePatience) == nil {
				t.Fatalf("the other is held up: %+v", f.e.Stats())
			}
		}
	}
	if n := f.e.Stats().Dropped["laneFull"]; n > 0 {
		t.Errorf("%d packets were dropped for others", n)
	}
}
