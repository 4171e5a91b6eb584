package lite_test

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/turnout-rtc/turnout/sfu/lite"
	"github.com/turnout-rtc/turnout/sfu/netio"
)

// machine is one whose addresses change.
type machine struct {
	mu  sync.Mutex
	own []netip.Addr
}

func (m *machine) has(all ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.own = nil
	for _, a := range all {
		m.own = append(m.own, netip.MustParseAddr(a))
	}
}

func (m *machine) addresses() ([]netip.Addr, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.own), nil
}

func (s *server) advertises(want ...string) func() bool {
	return func() bool {
		var got []string
		for _, c := range s.Advertised() {
			got = append(got, c.Protocol+" "+c.Addr.Addr().String())
		}
		return slices.Equal(got, want)
	}
}

func TestAddressThatAppearsIsAdvertisedAndServedAndOneThatGoesIsNot(t *testing.T) {
	m := &machine{}
	m.has("127.0.0.1")
	any4 := netip.MustParseAddrPort("0.0.0.0:0")
	s := open(t, lite.Config{
		UDP: []netip.AddrPort{any4}, TCP: []netip.AddrPort{any4}, Net: netio.Config{Sockets: 2}, Interfaces: m.addresses,
		Limits: lite.Limits{Watch: 5 * time.Millisecond, Addresses: 3}, Full: true,
	})
	stays := s.transport(t)
	connect(t, stays, clientConfig{})
	foreign := make(chan netip.Addr, 9)
	if err := s.Foreign(func(f *lite.Foreign) error {
		foreign <- f.LocalAddr().(*net.UDPAddr).AddrPort().Addr()
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if !s.advertises("udp 127.0.0.1", "tcp 127.0.0.1")() {
		t.Error(s.Advertised())
	}

	m.has("127.0.0.2", "127.0.0.1", "203.0.113.254") // the last one is not ready to be listened on
	eventually(t, "the new address is advertised", s.advertises("udp 127.0.0.2", "udp 127.0.0.1", "tcp 127.0.0.2", "tcp 127.0.0.1", "tcp 203.0.113.254"))
	for _, c := range s.Advertised() {
		if c.Addr.Port() != s.Advertised()[0].Addr.Port() && c.Protocol == "udp" {
			t.Errorf("%v is on another port", c)
		}
	}
	if len(s.Sockets()) != 4 {
		t.Errorf("%d sockets", len(s.Sockets()))
	}
	for range 2 {
		<-foreign
	}
	for range 2 { // those of the new address
		if a := <-foreign; a != netip.MustParseAddr("127.0.0.2") {
			t.Errorf("foreign datagrams of %v", a)
		}
	}

	m.has("127.0.0.2", "127.0.0.5")
	eventually(t, "the address that is gone is not advertised", s.advertises("udp 127.0.0.2", "udp 127.0.0.5", "tcp 127.0.0.2", "tcp 127.0.0.5"))
	connect(t, s.transport(t), clientConfig{})
	if stays.State() != lite.Connected {
		t.Errorf("who is on the old address is %v", stays.State())
	}

	m.has("127.0.0.2", "127.0.0.5", "127.0.0.6")
	eventually(t, "an address too many is counted", func() bool { return s.Stats().Dropped[lite.DropAddressLimit] > 0 })
}
