package handover

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	client = netip.MustParseAddrPort("203.0.113.5:49152")
	media  = netip.MustParseAddrPort("192.0.2.1:7882")
)

func TestDatagramsPassBothWays(t *testing.T) {
	adopted := make(chan net.Conn, 1)
	c := New(func(conn net.Conn) error { adopted <- conn; return nil })
	defer c.Close()
	back := make(chan string, 1)
	c.Deliver(func(b []byte, from, to netip.AddrPort) bool {
		back <- string(b) + " " + from.String() + " " + to.String()
		return true
	})
	c.Take([]byte("hello"), client, media)
	conn := <-adopted
	if conn.RemoteAddr().String() != client.String() || conn.LocalAddr().String() != media.String() {
		t.Errorf("%v to %v", conn.RemoteAddr(), conn.LocalAddr())
	}
	b := make([]byte, 7)
	if _, err := io.ReadFull(conn, b); err != nil || !bytes.Equal(b, []byte("\x00\x05hello")) {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := conn.Write([]byte("\x00\x02ok")); err != nil {
		t.Fatal(err)
	}
	if got := <-back; got != "ok 192.0.2.1:7882 203.0.113.5:49152" {
		t.Errorf("%q", got)
	}
	if s := c.Stats(); s.Clients != 1 || s.Dropped != 0 {
		t.Errorf("%+v", s)
	}
	c.Close()
	if _, err := conn.Read(b); err == nil {
		t.Error("the way is still open")
	}
	c.Take([]byte("late"), client, media)
	if s := c.Stats(); s.Clients != 0 || s.Dropped != 1 {
		t.Errorf("%+v", s)
	}
}

func TestASlowSFUHoldsNobodyUp(t *testing.T) {
	c := New(func(net.Conn) error { return nil }) // reads nothing
	defer c.Close()
	for range waiting + 100 {
		c.Take([]byte("more"), client, media)
	}
	if s := c.Stats(); s.Dropped < 90 {
		t.Errorf("%+v", s)
	}
}

func TestAWayEndsWithItsAllocationAndBeginsAnew(t *testing.T) {
	adopted := make(chan net.Conn, 2)
	c := New(func(conn net.Conn) error { adopted <- conn; return nil })
	defer c.Close()
	c.Deliver(func([]byte, netip.AddrPort, netip.AddrPort) bool { return false })
	c.Take([]byte("a"), client, media)
	conn := <-adopted
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	if _, err := conn.Write([]byte("\x00\x02ok")); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); c.Stats().Clients > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the way stays open")
		}
	}
	c.Take([]byte("b"), client, media)
	<-adopted
}

func TestNoMoreClientsThanTheSFUWants(t *testing.T) {
	c := New(func(conn net.Conn) error { return errors.Join(errors.New("full"), conn.Close()) })
	defer c.Close()
	c.Take([]byte("a"), client, media)
	if s := c.Stats(); s.Clients != 0 || s.Dropped != 1 {
		t.Errorf("%+v", s)
	}
}
