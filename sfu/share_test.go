package sfu_test

import (
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/pion/webrtc/v4"

	"github.com/turnout-rtc/turnout/sfu"
)

// A port of HTTPS, say, hands ICE-TCP connections over, and clients are told of it.
func TestTCPPortOfSomebodyElseIsAdvertisedAndServed(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	shared := l.Addr().(*net.TCPAddr).AddrPort()
	e, err := sfu.New(sfu.Config{UDP: "127.0.0.1:0"}, slog.New(slog.DiscardHandler), sfu.WithTCP(shared))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if want := (sfu.Advertised{Protocol: "tcp", Addr: shared}); !slices.Contains(e.Advertised(), want) {
		t.Errorf("advertised: %v", e.Advertised())
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = e.AdoptTCP(c)
		}
	}()
	c := joinOver(t, e.NewRouter("room"), []webrtc.NetworkType{webrtc.NetworkTypeTCP4}, 0, 1, nil)
	c.negotiate(nil)
	c.connected()
}

func TestPublicAddressIsAdvertisedWithTheTCPPortOfSomebodyElse(t *testing.T) {
	cfg := sfu.Config{UDP: "127.0.0.3:17882", Public: []string{"203.0.113.7"}}
	e, err := sfu.New(cfg, slog.New(slog.DiscardHandler), sfu.WithTCP(netip.MustParseAddrPort("[::]:443")))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	want := []sfu.Advertised{
		{Protocol: "udp", Addr: netip.MustParseAddrPort("203.0.113.7:17882")}, {Protocol: "tcp", Addr: netip.MustParseAddrPort("203.0.113.7:443")},
	}
	if !slices.Equal(e.Advertised(), want) {
		t.Errorf("advertised: %v", e.Advertised())
	}
}

func TestDatagramsForTURNAreHandedOut(t *testing.T) {
	e := newEngine(t)
	got := make(chan string, 9)
	if err := e.Foreign(func(c net.PacketConn) error {
		if c.LocalAddr().(*net.UDPAddr).AddrPort() != e.Advertised()[0].Addr {
			t.Errorf("a connection of %v", c.LocalAddr())
		}
		go func() {
			buf := make([]byte, 100)
			for {
				n, from, err := c.ReadFrom(buf)
				if err != nil {
					return
				}
				got <- string(buf[:n])
				_, _ = c.WriteTo([]byte("pong"), from)
			}
		}()
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	c, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(e.Advertised()[0].Addr))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_, _ = c.Write([]byte("\x40\x00\x00\x04ping"))
	if g := <-got; g != "\x40\x00\x00\x04ping" {
		t.Errorf("%q", g)
	}
	buf := make([]byte, 100)
	if n, err := c.Read(buf); err != nil || string(buf[:n]) != "pong" {
		t.Errorf("%q, %v", buf[:n], err)
	}
}
