package sfu_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"

	"github.com/turnout-rtc/turnout/sfu"
)

func TestAddressInUseIsNamed(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			var addr string
			cfg := sfu.Config{UDP: "127.0.0.1:0"}
			if network == "udp" {
				c, err := net.ListenPacket("udp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close() //nolint:errcheck // a test's
				addr = c.LocalAddr().String()
				cfg.UDP = addr
			} else {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close() //nolint:errcheck // a test's
				addr = l.Addr().String()
				cfg.TCP = addr
			}
			e, err := sfu.New(cfg, slog.New(slog.DiscardHandler))
			if err == nil {
				_ = e.Close()
				t.Fatal("the engine opened an address in use")
			}
			if !strings.Contains(err.Error(), addr) {
				t.Errorf("error %q does not name %s", err, addr)
			}
		})
	}
}

func TestConfigIsValidated(t *testing.T) {
	good := sfu.Config{UDP: ":7882", TCP: ":7882", ICE: sfu.ICEFull, STUN: []string{"stun.example.org", "192.0.2.1:3478", "[2001:db8::1]:3478", "2001:db8::1"}}
	if err := good.Validate(); err != nil {
		t.Errorf("good config: %v", err)
	}
	for name, change := range map[string]func(*sfu.Config){
		"udp":              func(c *sfu.Config) { c.UDP = "7882" },
		"tcp":              func(c *sfu.Config) { c.TCP = "example.org:7882" },
		"ice":              func(c *sfu.Config) { c.ICE = "light" },
		"public":           func(c *sfu.Config) { c.Public = []string{"0.0.0.0"} },
		"max_slots":        func(c *sfu.Config) { c.MaxSlots = -1 },
		"max_publications": func(c *sfu.Config) { c.MaxPublications = -1 },
		"max_sdp_bytes":    func(c *sfu.Config) { c.MaxSDPBytes = -1 },
		"gop_packets":      func(c *sfu.Config) { c.GOPPackets = -1 },
		"gop_age":          func(c *sfu.Config) { c.GOPAge = -1 },
		"pace_kbps":        func(c *sfu.Config) { c.PaceKbps = -1 },
		"rtx_percent":      func(c *sfu.Config) { c.RTXPercent = -1 },
		"rtx_floor_kbps":   func(c *sfu.Config) { c.RTXFloorKbps = -1 },
		"gso_burst":        func(c *sfu.Config) { c.GSOBurst = 65 },
		"lane_queue":       func(c *sfu.Config) { c.LaneQueue = -1 },
		"stun":             func(c *sfu.Config) { c.STUN = []string{"stun.example.org", "stun:stun.example.org:3478"} },
		"stun has":         func(c *sfu.Config) { c.STUN = make([]string, 9) },

		"limits.candidates":        func(c *sfu.Config) { c.Limits.Candidates = -1 },
		"limits.handshake_timeout": func(c *sfu.Config) { c.Limits.Handshake = -1 },
		"sockets.write_wait":       func(c *sfu.Config) { c.Sockets.WriteWait = -1 },
		"sockets.per_address is":   func(c *sfu.Config) { c.Sockets.PerAddress = 99 },
	} {
		c := good
		change(&c)
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), name+" ") {
			t.Errorf("bad %s: error %v", name, err)
		}
	}
}

func TestWildcardAdvertisesEveryAddressOnOnePort(t *testing.T) {
	e := newEngine(t, func(c *sfu.Config) { c.UDP, c.TCP = ":0", ":0" })
	ports := map[string]uint16{}
	loopback := false
	for _, a := range e.Advertised() {
		if p := ports[a.Protocol]; p != 0 && p != a.Addr.Port() {
			t.Errorf("%v is on another port than %d", a, p)
		}
		ports[a.Protocol] = a.Addr.Port()
		loopback = loopback || a.Addr.Addr().IsLoopback()
	}
	if len(ports) != 2 || !loopback {
		t.Errorf("advertised: %v", e.Advertised())
	}
	c := join(t, e.NewRouter("room"), 1, 1)
	answer := c.negotiate(nil)
	for _, a := range e.Advertised() {
		if !strings.Contains(answer.SDP, " "+a.Addr.Addr().String()+" ") {
			t.Errorf("the answer has no candidate for %v", a)
		}
	}
	c.connected()
}

func TestLiteAdvertisesPublicAddressesWithItsPorts(t *testing.T) {
	cfg := sfu.Config{UDP: "127.0.0.1:0", ICE: sfu.ICELite, Public: []string{"203.0.113.7"}}
	if e, err := sfu.New(cfg, slog.New(slog.DiscardHandler)); err == nil {
		_ = e.Close()
		t.Error("a port that nobody knows was advertised")
	}
	free := newEngine(t).Advertised()[0].Addr.Port() // of another engine, on another address
	cfg.UDP = fmt.Sprintf("127.0.0.2:%d", free)
	e, err := sfu.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if all := e.Advertised(); len(all) != 1 || all[0].Addr.String() != fmt.Sprintf("203.0.113.7:%d", free) {
		t.Errorf("advertised: %v", all)
	}
	c := join(t, e.NewRouter("room"), 0, 1)
	if a := c.negotiate(nil); !strings.Contains(a.SDP, " 203.0.113.7 ") || strings.Contains(a.SDP, "127.0.0.2") {
		t.Errorf("answer:\n%s", a.SDP)
	}
}

func testClientConnectsOverTCP(t *testing.T) {
	e := newEngine(t)
	r := e.NewRouter("room")
	_, _, p := publisher(t, r, 'x')
	c := joinOver(t, r, []webrtc.NetworkType{webrtc.NetworkTypeTCP4}, 0, 1, nil)
	c.negotiate(nil)
	c.connected()
	c.transport.Subscribe(p)
	c.receive(c.video, of('x'))
}

func testClosedEngineRefusesTransports(t *testing.T) {
	e := newEngine(t)
	r := e.NewRouter("room")
	c := join(t, r, 1, 1)
	c.negotiate(nil)
	c.connected()
	for range 2 {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, r := range []*sfu.Router{r, e.NewRouter("late")} {
		if _, err := r.NewTransport("late", func(sfu.Event) {}); !errors.Is(err, sfu.ErrClosed) {
			t.Errorf("error %v", err)
		}
		r.Close()
	}
	if s := e.Stats(); s.Transports != 0 {
		t.Errorf("%d transports are left", s.Transports)
	}
	c.transport.Close()
	c.transport.Negotiate(sfu.Offer{})
	c.transport.Ready(1)
	c.transport.AddCandidate(sfu.Candidate{})
}
