package lite

import (
	"net/netip"
	"testing"
	"time"

	"github.com/turnout-rtc/turnout/sfu/demux"
	"github.com/turnout-rtc/turnout/sfu/netio"
)

func open(t *testing.T, own ...netip.Addr) *Server {
	t.Helper()
	s, err := Open(Config{
		UDP: []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:0")}, Net: netio.Config{Sockets: 2},
		Interfaces: func() ([]netip.Addr, error) { return own, nil },
		Limits:     Limits{Watch: time.Hour},
		Media:      func([]Received) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// The sockets of an address are closed when it has been gone for a while, its paths are lost then, and new sockets get their
// numbers.
func TestSocketsOfAnAddressThatStaysAwayAreClosed(t *testing.T) {
	first, second, third := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.3")
	s := open(t, first, second)
	now := time.Unix(1e9, 0)
	onFirst, onSecond := s.port(0), s.port(2)
	x, err := s.NewTransport(func(Event) {})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.register(x); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	for _, n := range []int{0, 2} {
		_ = s.table.Bind(now, demux.Path{Socket: n, Remote: netip.MustParseAddrPort("192.0.2.1:1")}, x)
	}
	s.mu.Unlock()
	known := func(n int) bool {
		s.mu.RLock()
		defer s.mu.RUnlock()
		_, ok := s.table.ByPath(demux.Path{Socket: n, Remote: netip.MustParseAddrPort("192.0.2.1:1")})
		return ok
	}
	if s.follow(now, []netip.Addr{first, second}) {
		t.Error("nothing has changed, but it says so")
	}
	if !s.follow(now, []netip.Addr{second}) || s.port(0) != onFirst {
		t.Error("the sockets were closed at once")
	}
	if !s.follow(now.Add(linger/2), []netip.Addr{first, second}) || s.follow(now.Add(2*linger), []netip.Addr{first, second}) {
		t.Error("the address that came back was not taken as it was")
	}
	now = now.Add(time.Hour)
	s.follow(now, []netip.Addr{second})
	s.follow(now.Add(linger), []netip.Addr{second})
	if s.port(0) != nil || s.port(1) != nil || s.port(2) != onSecond || known(0) || !known(2) {
		t.Error("the sockets of the address that is gone are still there")
	}
	s.follow(now.Add(linger), []netip.Addr{second, third})
	if p := s.port(0); p == nil || p.sock.Addr().Addr() != third || s.port(1) == nil || s.port(4) != nil || s.port(1).base != 0 {
		t.Error("the numbers were not used again")
	}
}
