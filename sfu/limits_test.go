package sfu_test

import (
	"net"
	"testing"

	"github.com/pion/webrtc/v4"

	"github.com/turnout-rtc/turnout/sfu"
)

func TestLimitsAndSocketsAreThoseOfTheConfiguration(t *testing.T) {
	e := newEngine(t, func(c *sfu.Config) {
		c.Sockets = sfu.Sockets{PerAddress: 1, Portable: true}
		c.Limits.Channels, c.Limits.TCPUnauthenticated = 1, 1
	})
	var tcp net.Addr
	for _, a := range e.Advertised() {
		if a.Protocol == "tcp" {
			tcp = net.TCPAddrFromAddrPort(a.Addr)
		}
	}
	for range 2 {
		c, err := net.Dial("tcp", tcp.String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close() //nolint:errcheck // a test's
	}
	poll(t, e, "the second connection was not refused", func(s sfu.Stats) bool { return s.Dropped["tcp_limit"] == 1 })
	c := join(t, e.NewRouter("room"), 0, 0) // has a channel
	if _, err := c.pc.CreateDataChannel("one too many", nil); err != nil {
		t.Fatal(err)
	}
	c.negotiate(nil)
	poll(t, e, "the second channel was not refused", func(s sfu.Stats) bool { return s.Dropped["channel_limit"] == 1 })
	if _, ok := e.Stats().Dropped["udp_oversize"]; !ok {
		t.Error("what sockets drop is not in the stats")
	}
	if c.pc.ConnectionState() != webrtc.PeerConnectionStateConnected {
		t.Error(c.pc.ConnectionState())
	}
}
