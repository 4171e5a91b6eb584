package sfu

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"
)

// Config of the media plane. The zero value of a limit means its default.
type Config struct {
	UDP    string   `yaml:"udp" default:":7882" help:"Address for media over UDP, one port for everyone."`
	TCP    string   `yaml:"tcp" default:":7882" help:"Address for ICE over TCP; empty turns it off."`
	Public []string `yaml:"public" help:"IP addresses to advertise instead of the interfaces' own."`
	ICE    string   `yaml:"ice" default:"lite" help:"lite: for servers that clients can reach."`

	MaxSlots        int `yaml:"max_slots" default:"100" help:"Slots one participant may have."`
	MaxPublications int `yaml:"max_publications" default:"16" help:"Tracks one participant may publish."`
	MaxSDPBytes     int `yaml:"max_sdp_bytes" default:"1048576" help:"Size of the largest SDP offer."`

	GOPPackets   int           `yaml:"gop_packets" default:"512" help:"A newcomer is shown the last key frame and what followed, if that are at most so many packets; 1 turns it off."`
	GOPAge       time.Duration `yaml:"gop_age" default:"3s" help:"How old that key frame may be."`
	PaceKbps     int           `yaml:"pace_kbps" default:"10000" help:"Rate at which such repeats and retransmissions leave, for each participant, in kbit/s."`
	RTXPercent   int           `yaml:"rtx_percent" default:"50" help:"Retransmissions a participant gets at most, as a share of what is sent to it."`
	RTXFloorKbps int           `yaml:"rtx_floor_kbps" default:"500" help:"Retransmissions a participant gets in any case, in kbit/s."`
	GSOBurst     int           `yaml:"gso_burst" default:"10" help:"Packets to one participant that leave back to back, up to 64."`
	LaneQueue    int           `yaml:"lane_queue" default:"256" help:"Batches of packets that wait for one processor before the oldest is dropped."`
}

// ICELite is the value of Config.ICE for servers that clients can reach. Nothing means the same.
const ICELite = "lite"

// Defaults of limits.
const (
	defaultMaxSlots        = 100
	defaultMaxPublications = 16
	defaultMaxSDPBytes     = 1 << 20
	defaultGOPPackets      = 512
	defaultGOPAge          = 3 * time.Second
	defaultPaceKbps        = 10_000
	defaultRTXPercent      = 50
	defaultRTXFloorKbps    = 500
	defaultGSOBurst        = 10
	defaultLaneQueue       = 256
	maxGSOBurst            = 64
)

// Validate says what is wrong with c and what to do about it.
func (c Config) Validate() error {
	if err := address("udp", c.UDP); err != nil {
		return err
	}
	if c.TCP != "" {
		if err := address("tcp", c.TCP); err != nil {
			return err
		}
	}
	if _, err := c.public(); err != nil {
		return err
	}
	if c.ICE != "" && c.ICE != ICELite {
		return fmt.Errorf("ice is %q: it must be %q", c.ICE, ICELite)
	}
	for _, l := range []struct {
		key   string
		value int
	}{
		{"max_slots", c.MaxSlots}, {"max_publications", c.MaxPublications}, {"max_sdp_bytes", c.MaxSDPBytes},
		{"gop_packets", c.GOPPackets}, {"gop_age", int(c.GOPAge)}, {"pace_kbps", c.PaceKbps}, {"rtx_percent", c.RTXPercent},
		{"rtx_floor_kbps", c.RTXFloorKbps}, {"gso_burst", c.GSOBurst}, {"lane_queue", c.LaneQueue},
	} {
		if l.value < 0 {
			return fmt.Errorf("%s is %d: it must not be negative, leave it out for the default", l.key, l.value)
		}
	}
	if c.GSOBurst > maxGSOBurst {
		return fmt.Errorf("gso_burst is %d: it must be at most %d", c.GSOBurst, maxGSOBurst)
	}
	return nil
}

// address checks host:port, with an IP address or nothing as host.
func address(key, value string) error {
	host, port, err := net.SplitHostPort(value)
	if err != nil {
		return fmt.Errorf("%s is %q: write it as host:port or :port", key, value)
	}
	if _, err := netip.ParseAddr(host); host != "" && err != nil {
		return fmt.Errorf("%s is %q: the host must be an IP address, or nothing for all of them", key, value)
	}
	if _, err := net.LookupPort(key, port); err != nil {
		return fmt.Errorf("%s is %q: the port must be a number from 0 to 65535", key, value)
	}
	return nil
}

// public parses the addresses to advertise.
func (c Config) public() ([]netip.Addr, error) {
	var all []netip.Addr
	for _, s := range c.Public {
		a, err := netip.ParseAddr(s)
		if err != nil || a.IsUnspecified() || a.Zone() != "" {
			return nil, fmt.Errorf("public has %q: it must be an IP address that clients can reach", s)
		}
		if !slices.Contains(all, a.Unmap()) {
			all = append(all, a.Unmap())
		}
	}
	return all, nil
}

// withDefaults fills in the limits left out.
func (c Config) withDefaults() Config {
	for _, l := range []struct {
		value *int
		or    int
	}{
		{&c.MaxSlots, defaultMaxSlots}, {&c.MaxPublications, defaultMaxPublications}, {&c.MaxSDPBytes, defaultMaxSDPBytes},
		{&c.GOPPackets, defaultGOPPackets}, {&c.PaceKbps, defaultPaceKbps}, {&c.RTXPercent, defaultRTXPercent},
		{&c.RTXFloorKbps, defaultRTXFloorKbps}, {&c.GSOBurst, defaultGSOBurst}, {&c.LaneQueue, defaultLaneQueue},
	} {
		if *l.value == 0 {
			*l.value = l.or
		}
	}
	if c.GOPAge == 0 {
		c.GOPAge = defaultGOPAge
	}
	return c
}
