package link

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/turnout-rtc/turnout/sfu/netio"
)

func socket(t *testing.T) *netio.Socket {
	t.Helper()
	all, err := netio.Open(netio.Config{Addr: netip.MustParseAddrPort("127.0.0.1:0")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = all[0].Close() })
	return all[0]
}

// TestNothingIsLostWhenASocketTakesTheNumberOfAnother writes by two sockets with the same number before anything is flushed.
func TestNothingIsLostWhenASocketTakesTheNumberOfAnother(t *testing.T) {
	sink, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sink.Close() })
	to := sink.LocalAddr().(*net.UDPAddr).AddrPort()
	var o Outlet
	for i, s := range []*netio.Socket{socket(t), socket(t)} {
		w := o.Writer(3, s)
		w.Slot(1)[0] = byte(i)
		w.Commit(1, to)
		if o.Writer(3, s) != w {
			t.Error("a writer was made anew")
		}
	}
	o.Flush()
	_ = sink.SetReadDeadline(time.Now().Add(5 * time.Second))
	for i := range 2 {
		b := make([]byte, 10)
		if n, err := sink.Read(b); err != nil || n != 1 || b[0] != byte(i) {
			t.Fatalf("datagram %d: % x, %v", i, b[:n], err)
		}
	}
}
