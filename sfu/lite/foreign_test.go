package lite_test

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/webrtc/v4"

	"github.com/turnout-rtc/turnout/sfu/lite"
	"github.com/turnout-rtc/turnout/sfu/netio"
)

// foreignDatagrams are what a STUN and TURN server on the same port wants to have.
func foreignDatagrams() map[string][]byte {
	build := func(s ...stun.Setter) []byte {
		return stun.MustBuild(append([]stun.Setter{stun.TransactionID}, s...)...).Raw
	}
	return map[string][]byte{
		"a Binding request of nobody": build(stun.BindingRequest),
		"an Allocate request":         build(stun.NewType(stun.MethodAllocate, stun.ClassRequest), stun.NewUsername("alice")),
		"a Send indication":           build(stun.NewType(stun.MethodSend, stun.ClassIndication)),
		"channel data":                {0x40, 0x01, 0, 3, 'a', 'b', 'c', 0},
		"empty channel data":          {0x4F, 0xFF, 0, 0},
	}
}

// adopted collects the foreign connections of s.
func adopted(t *testing.T, s *server) []*lite.Foreign {
	t.Helper()
	var all []*lite.Foreign
	if err := s.Foreign(func(f *lite.Foreign) error { all = append(all, f); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestForeignDatagramsAreHandedOutAndAnsweredFromTheSameAddress(t *testing.T) {
	s := open(t, lite.Config{Net: netio.Config{Sockets: 2}})
	for _, f := range adopted(t, s) {
		go func() { // ends with the server
			buf := make([]byte, 1500)
			for {
				n, from, err := f.ReadFrom(buf)
				if err != nil {
					return
				}
				_, _ = f.WriteTo(append([]byte("answer to "), buf[:n]...), from)
			}
		}()
	}
	for name, datagram := range foreignDatagrams() {
		c := dialUDP(t, s)
		_, _ = c.Write(datagram)
		if got, want := readUDP(t, c), "answer to "+string(datagram); got != want {
			t.Errorf("%s: got %q", name, got)
		}
	}
	connect(t, s.transport(t), clientConfig{}) // media does not notice
}

func TestForeignDatagramsAreDroppedWhileNobodyAsksForThem(t *testing.T) {
	s := open(t, lite.Config{})
	c := dialUDP(t, s)
	for _, datagram := range foreignDatagrams() {
		_, _ = c.Write(datagram)
	}
	eventually(t, "they are counted", func() bool {
		d := s.Stats().Dropped
		return d[lite.DropNoise] == 2 && d[lite.DropBadCheck] == 3
	})
	f := adopted(t, s)[0]
	_, _ = c.Write(foreignDatagrams()["channel data"])
	buf := make([]byte, 2)
	if n, from, err := f.ReadFromUDPAddrPort(buf); err != nil || n != 2 || from != c.LocalAddr().(*net.UDPAddr).AddrPort() {
		t.Errorf("%d bytes from %v: %v", n, from, err)
	}
	if err := errors.Join(f.Close(), f.Close()); err != nil {
		t.Error(err)
	}
	if _, _, err := f.ReadFrom(buf); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if f.SetDeadline(time.Now()) == nil {
		t.Error("a deadline was taken")
	}
}

func TestForeignDatagramsThatNobodyReadsAreBounded(t *testing.T) {
	s := open(t, lite.Config{Limits: lite.Limits{Foreign: 3}})
	f := adopted(t, s)[0]
	c := dialUDP(t, s)
	for range 10 {
		_, _ = c.Write(foreignDatagrams()["channel data"])
	}
	eventually(t, "seven are dropped", func() bool { return s.Stats().Dropped[lite.DropForeignFull] == 7 })
	buf := make([]byte, 100)
	for range 3 {
		if _, _, err := f.ReadFrom(buf); err != nil {
			t.Fatal(err)
		}
	}
}

func TestForeignOfAClosedServerIsRefused(t *testing.T) {
	s := open(t, lite.Config{})
	_ = s.Close()
	if err := s.Foreign(func(*lite.Foreign) error { return nil }); !errors.Is(err, lite.ErrClosed) {
		t.Error(err)
	}
}

func TestChecksAreNeverForeign(t *testing.T) {
	s := open(t, lite.Config{})
	f := adopted(t, s)[0]
	c := dialUDP(t, s)
	_, _ = c.Write(stun.MustBuild(stun.TransactionID, stun.BindingRequest, stun.NewUsername("gone:them")).Raw)
	_, _ = c.Write(stun.MustBuild(stun.TransactionID, stun.BindingSuccess).Raw)
	_, _ = c.Write([]byte{0x41, 0, 0, 0})
	buf := make([]byte, 100)
	if n, _, err := f.ReadFrom(buf); err != nil || n != 4 {
		t.Errorf("%x, %v", buf[:n], err)
	}
	if d := s.Stats().Dropped; d[lite.DropUnknownUfrag] != 1 || d[lite.DropBadCheck] != 1 {
		t.Error(d)
	}
}

func TestForeignInAllocatesNothing(t *testing.T) {
	s := open(t, lite.Config{})
	f := adopted(t, s)[0]
	c := dialUDP(t, s)
	packet := append([]byte{0x40, 0, 3, 232}, make([]byte, 1000)...)
	buf := make([]byte, 1500)
	if got := testing.AllocsPerRun(500, func() {
		for range 20 {
			_, _ = c.Write(packet)
		}
		for range 20 {
			_, from, _ := f.ReadFromUDPAddrPort(buf)
			_, _ = f.WriteToUDPAddrPort(buf[:4], from)
		}
	}); got >= 1 {
		t.Errorf("%v allocations per 20 packets", got)
	}
}

func TestTCPConnectionOfASharedPortIsAdopted(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	shared := l.Addr().(*net.TCPAddr).AddrPort()
	s := open(t, lite.Config{Shared: []netip.AddrPort{shared}})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = s.AdoptTCP(struct{ net.Conn }{c}) // a wrapper, as of a connection that was looked into
		}
	}()
	x := s.transport(t)
	connect(t, x, clientConfig{networks: []webrtc.NetworkType{webrtc.NetworkTypeTCP4}})
	if p, ok := x.Path(); !ok || p.TCP == nil {
		t.Errorf("path %+v, %v", p, ok)
	}
	_ = s.Close()
	a, b := net.Pipe()
	if err := s.AdoptTCP(a); !errors.Is(err, lite.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := b.Write([]byte{0}); err == nil {
		t.Error("a refused connection was left open")
	}
}

func dialUDP(t *testing.T, s *server) *net.UDPConn {
	t.Helper()
	c, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(s.Sockets()[0].Addr()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func readUDP(t *testing.T, c *net.UDPConn) string {
	t.Helper()
	buf := make([]byte, 1500)
	_ = c.SetReadDeadline(time.Now().Add(patience))
	n, err := c.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}
