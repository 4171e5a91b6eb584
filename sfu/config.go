package sfu

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
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

	Sockets Sockets `yaml:"sockets" embed:"" prefix:"socket-"`
	Limits  Limits  `yaml:"limits" embed:"" prefix:"limit-"`
	MaxREMB int     `yaml:"max_remb" default:"10000000" help:"Bits per second that a publisher without transport-wide feedback is told to send at most."`
}

// Values of Config.ICE. Nothing means ICEAuto.
const (
	ICEAuto = "auto" // ICELite if clients can reach the server, as far as its addresses tell, else ICEFull
	ICELite = "lite" // the server only answers connectivity checks, which costs least
	ICEFull = "full" // it sends some, too, which opens a NAT that it is behind
)

// maxSTUN is more servers than anybody needs: each is asked about every address.
const maxSTUN = 8

// Defaults of limits.
const (
	defaultMaxSlots        = 100
	defaultMaxPublications = 16
	defaultMaxSDPBytes     = 1 << 20
	defaultMaxREMB         = 10_000_000
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
	if !slices.Contains([]string{"", ICEAuto, ICELite, ICEFull}, c.ICE) {
		return fmt.Errorf("ice is %q: it must be %q, %q or %q", c.ICE, ICEAuto, ICELite, ICEFull)
	}
	for _, err := range []error{c.stun(), c.Sockets.validate(), c.Limits.validate()} {
		if err != nil {
			return err
		}
	}
	for _, l := range []struct {
		key   string
		value int
	}{{"max_slots", c.MaxSlots}, {"max_publications", c.MaxPublications}, {"max_sdp_bytes", c.MaxSDPBytes}, {"max_remb", c.MaxREMB}} {
		if l.value < 0 {
			return fmt.Errorf("%s is %d: it must not be negative, leave it out for the default", l.key, l.value)
		}
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
	for _, l := range []struct {
		value *int
		or    int
	}{{&c.MaxSlots, defaultMaxSlots}, {&c.MaxPublications, defaultMaxPublications}, {&c.MaxSDPBytes, defaultMaxSDPBytes}, {&c.MaxREMB, defaultMaxREMB}} {
		if *l.value == 0 {
			*l.value = l.or
		}
	}
	return c
}
