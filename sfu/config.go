package sfu

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Config of the media plane. The zero value of a limit means its default.
type Config struct {
	UDP    string   `yaml:"udp" default:":7882" help:"Address for media over UDP, one port for everyone."`
	TCP    string   `yaml:"tcp" default:":7882" help:"Address for ICE over TCP; empty turns it off."`
	Public []string `yaml:"public" help:"IP addresses to advertise instead of the interfaces' own."`
	ICE    string   `yaml:"ice" default:"auto" help:"lite for a server that clients can reach; full for one behind a NAT, which sends connectivity checks, too; auto looks at its addresses. See Reachability."`
	STUN   []string `yaml:"stun" placeholder:"HOST:PORT" help:"STUN servers that tell a server behind a NAT its public address, as host or host:port. For full only."`

	VideoOrientation bool `yaml:"video_orientation" default:"false" help:"Let publishers leave the turning of pictures to receivers; Firefox does not turn them."`

	MaxSlots        int `yaml:"max_slots" default:"100" help:"Slots one participant may have."`
	MaxPublications int `yaml:"max_publications" default:"16" help:"Tracks one participant may publish."`
	MaxSDPBytes     int `yaml:"max_sdp_bytes" default:"1048576" help:"Size of the largest SDP offer."`
	MaxREMB         int `yaml:"max_remb" default:"10000000" help:"Bits per second that a publisher without transport-wide feedback is told to send at most."`

	GOPPackets   int           `yaml:"gop_packets" default:"512" help:"A newcomer is shown the last key frame and what followed, if that are at most so many packets; 1 turns it off."`
	GOPAge       time.Duration `yaml:"gop_age" default:"3s" help:"How old that key frame may be."`
	PaceKbps     int           `yaml:"pace_kbps" default:"10000" help:"Rate at which such repeats and retransmissions leave, for each participant, in kbit/s."`
	RTXPercent   int           `yaml:"rtx_percent" default:"50" help:"Retransmissions a participant gets at most, as a share of what is sent to it."`
	RTXFloorKbps int           `yaml:"rtx_floor_kbps" default:"500" help:"Retransmissions a participant gets in any case, in kbit/s."`
	GSOBurst     int           `yaml:"gso_burst" default:"10" help:"Packets to one participant that leave back to back, up to 64."`
	LaneQueue    int           `yaml:"lane_queue" default:"256" help:"Batches of packets that wait for one processor before the oldest is dropped."`

	Sockets Sockets `yaml:"sockets" embed:"" prefix:"socket-"`
	Limits  Limits  `yaml:"limits" embed:"" prefix:"limit-"`
}

// Values of Config.ICE. Nothing means ICEAuto.
const (
	ICEAuto = "auto" // ICELite if clients can reach the server, as far as its addresses tell, else ICEFull
	ICELite = "lite" // the server only answers connectivity checks, which costs least
	ICEFull = "full" // it sends some, too, which opens a NAT that it is behind
)

// maxSTUN is more servers than anybody needs: each is asked about every address.
const maxSTUN = 8

const (
	defaultGOPAge = 3 * time.Second
	maxGSOBurst   = 64 // what a kernel takes at once
)

// limit is a key of Config, its value, and its default.
type limit struct {
	key   string
	value *int
	or    int
}

// limits are all numbers of Config for which nothing means a default.
func (c *Config) limits() []limit {
	return []limit{
		{"max_slots", &c.MaxSlots, 100},
		{"max_publications", &c.MaxPublications, 16},
		{"max_sdp_bytes", &c.MaxSDPBytes, 1 << 20},
		{"max_remb", &c.MaxREMB, 10_000_000},
		{"gop_packets", &c.GOPPackets, 512},
		{"pace_kbps", &c.PaceKbps, 10_000},
		{"rtx_percent", &c.RTXPercent, 50},
		{"rtx_floor_kbps", &c.RTXFloorKbps, 500},
		{"gso_burst", &c.GSOBurst, 10},
		{"lane_queue", &c.LaneQueue, 256},
	}
}

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
	if !slices.Contains([]string{"", ICEAuto, ICELite, ICEFull}, c.ICE) {
		return fmt.Errorf("ice is %q: it must be %q, %q or %q", c.ICE, ICEAuto, ICELite, ICEFull)
	}
	for _, err := range []error{c.stun(), c.Sockets.validate(), c.Limits.validate()} {
		if err != nil {
			return err
		}
	}
	for _, l := range c.limits() {
		if *l.value < 0 {
			return fmt.Errorf("%s is %d: it must not be negative, leave it out for the default", l.key, *l.value)
		}
	}
	if c.GOPAge < 0 {
		return fmt.Errorf("gop_age is %v: it must not be negative, leave it out for the default", c.GOPAge)
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

// stun checks the STUN servers.
func (c Config) stun() error {
	if len(c.STUN) > maxSTUN {
		return fmt.Errorf("stun has %d servers: %d are enough", len(c.STUN), maxSTUN)
	}
	for _, s := range c.STUN {
		host, port, err := net.SplitHostPort(s)
		if err != nil {
			host, port = s, "3478" // no port, or nonsense
			if _, err := netip.ParseAddr(s); err != nil && strings.ContainsAny(s, ":[]/ ") {
				host = ""
			}
		}
		if n, err := strconv.ParseUint(port, 10, 16); host == "" || err != nil || n == 0 {
			return fmt.Errorf("stun has %q: write it as host or host:port, without a scheme", s)
		}
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
	for _, l := range c.limits() {
		if *l.value == 0 {
			*l.value = l.or
		}
	}
	if c.GOPAge == 0 {
		c.GOPAge = defaultGOPAge
	}
	return c
}
