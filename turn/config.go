package turn

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/turnout-rtc/turnout/turn/credential"
)

// Config of the TURN server. The zero value of a limit means its default.
type Config struct {
	Enabled bool          `yaml:"enabled" default:"true" negatable:"" help:"Run the TURN server."`
	UDP     string        `yaml:"udp" default:":3478" help:"Address for STUN and TURN over UDP; empty turns it off."`
	TCP     string        `yaml:"tcp" default:":3478" help:"Address for TURN over TCP; empty turns it off."`
	Public  []string      `yaml:"public" help:"IP addresses to advertise instead of the interfaces' own."`
	Realm   string        `yaml:"realm" default:"turnout" help:"Realm of the long-term credentials."`
	Secret  string        `yaml:"secret" help:"Shared secret of the time-limited credentials (coturn's static-auth-secret)."`
	TTL     time.Duration `yaml:"ttl" default:"1h" help:"Life time of a credential."`

	MinPort uint16 `yaml:"min_port" default:"49152" help:"First port of the relay addresses."`
	MaxPort uint16 `yaml:"max_port" default:"65535" help:"Last port of the relay addresses."`

	AllowPeers []string `yaml:"allow_peers" help:"Prefixes that may be relayed to although they are private or special."`
	DenyPeers  []string `yaml:"deny_peers" help:"Prefixes that may not be relayed to, besides the private and special ones."`
}

const (
	defaultRealm   = "turnout"
	defaultTTL     = time.Hour
	defaultMinPort = 49152
	defaultMaxPort = 65535
	// longestTTL is the longest life of a credential that is accepted, whoever minted it.
	longestTTL = 48 * time.Hour
)

// Validate says what is wrong with c and what to do about it.
func (c Config) Validate() error {
	_, err := c.parse()
	return err
}

// settings are a Config with its strings understood and its defaults filled in.
type settings struct {
	Config
	keys   credential.Keys
	public []netip.Addr
	allow  []netip.Prefix
	deny   []netip.Prefix
}

func (c Config) parse() (settings, error) {
	s := settings{Config: c.withDefaults()}
	if !c.Enabled {
		return s, nil
	}
	if c.Secret == "" {
		return s, errors.New("turn.secret is empty: give the shared secret of the TURN credentials")
	}
	s.keys = credential.Keys{{Secret: []byte(c.Secret)}}
	if c.UDP == "" && c.TCP == "" {
		return s, errors.New("turn.udp and turn.tcp are both empty: give one, or set turn.enabled to false")
	}
	for name, addr := range map[string]string{"turn.udp": c.UDP, "turn.tcp": c.TCP} {
		if err := checkListen(name, addr); err != nil {
			return s, err
		}
	}
	if s.TTL < time.Second || s.TTL > longestTTL {
		return s, fmt.Errorf("turn.ttl %s: give a time between 1s and %s", s.TTL, longestTTL)
	}
	if s.MinPort > s.MaxPort || s.MinPort == 0 {
		return s, fmt.Errorf("turn.min_port %d, turn.max_port %d: give a range of ports", s.MinPort, s.MaxPort)
	}
	return s, s.parseAddresses()
}

func (c Config) withDefaults() Config {
	if c.Realm == "" {
		c.Realm = defaultRealm
	}
	if c.TTL == 0 {
		c.TTL = defaultTTL
	}
	if c.MinPort == 0 {
		c.MinPort = defaultMinPort
	}
	if c.MaxPort == 0 {
		c.MaxPort = defaultMaxPort
	}
	return c
}

func (s *settings) parseAddresses() error {
	for _, p := range s.Public {
		a, err := netip.ParseAddr(p)
		if err != nil || a.IsUnspecified() || a.IsMulticast() {
			return fmt.Errorf("turn.public %q: give an IP address that clients can reach", p)
		}
		s.public = append(s.public, a.Unmap())
	}
	var err error
	if s.allow, err = parsePrefixes("turn.allow_peers", s.AllowPeers); err != nil {
		return err
	}
	s.deny, err = parsePrefixes("turn.deny_peers", s.DenyPeers)
	return err
}

// parsePrefixes reads prefixes and single addresses.
func parsePrefixes(name string, list []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			a, aerr := netip.ParseAddr(s)
			if aerr != nil {
				return nil, fmt.Errorf("%s %q: give a prefix such as 10.1.0.0/16", name, s)
			}
			p = netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen())
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

func checkListen(name, addr string) error {
	if addr == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%s %q: give host:port, or :port for every address", name, addr)
	}
	if _, err := net.LookupPort("udp", port); err != nil {
		return fmt.Errorf("%s %q: %q is not a port", name, addr, port)
	}
	if host != "" && host != "localhost" {
		if _, err := netip.ParseAddr(host); err != nil {
			return fmt.Errorf("%s %q: %q is not an IP address", name, addr, host)
		}
	}
	return nil
}
