package turn

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/turnout-rtc/turnout/turn/credential"
	"github.com/turnout-rtc/turnout/turn/quota"
)

// Config of the TURN server. The zero value of a limit means its default, a negative one means no limit.
type Config struct {
	Enabled bool          `yaml:"enabled" default:"true" negatable:"" help:"Run the TURN server."`
	UDP     string        `yaml:"udp" default:":3478" help:"Address for STUN and TURN over UDP; empty turns it off."`
	TCP     string        `yaml:"tcp" default:":3478" help:"Address for TURN over TCP; empty turns it off."`
	TLS     TLS           `yaml:"tls" embed:"" prefix:"tls-"`
	Public  []string      `yaml:"public" help:"IP addresses to advertise instead of the interfaces' own."`
	URLs    []string      `yaml:"urls" help:"More turn: and turns: URLs to hand out, for ports that lead here from elsewhere."`
	Realm   string        `yaml:"realm" default:"turnout" help:"Realm of the long-term credentials."`
	Secret  string        `yaml:"secret" help:"Shared secret of the time-limited credentials (coturn's static-auth-secret)."`
	Keys    []string      `yaml:"keys" help:"Further secrets as id:secret. The first one mints, all are accepted, and so is secret."`
	TTL     time.Duration `yaml:"ttl" default:"1h" help:"Life time of a credential."`
	Strict  bool          `yaml:"strict" help:"Check the expiry of a credential at every request, not only at the first."`
	Relay   Relay         `yaml:"relay" embed:"" prefix:"relay-"`
	Limits  Limits        `yaml:"limits" embed:"" prefix:"limit-"`
}

// TLS is where and as whom the server speaks TURN over TLS.
type TLS struct {
	Listen string `yaml:"listen" help:"Address for TURN over TLS, such as :5349; empty turns it off."`
	Domain string `yaml:"domain" help:"Host name of the certificate, put into the turns: URLs."`
}

// Relay is to whom datagrams are relayed, and from where.
type Relay struct {
	Mode     string   `yaml:"mode" default:"public" enum:"public,self" help:"public: whoever the peer policy allows; self: the SFU only."`
	MinPort  uint16   `yaml:"min_port" default:"49152" help:"First port of the relay addresses."`
	MaxPort  uint16   `yaml:"max_port" default:"65535" help:"Last port of the relay addresses."`
	Allow    []string `yaml:"allow" help:"Prefixes that may be relayed to although they are private or special."`
	Deny     []string `yaml:"deny" help:"Prefixes that may not be relayed to, besides the private and special ones."`
	NoLow    bool     `yaml:"no_low_ports" help:"Refuse peer ports below 1024, but for 443."`
	Portable bool     `yaml:"portable" help:"Relay without batches, as on systems other than Linux."`
	Sockets  int      `yaml:"sockets" default:"1" help:"UDP sockets per address, each with a reader (Linux)."`
}

// Relay modes.
const (
	relayPublic = "public"
	relaySelf   = "self"
)

// Limits of what a client, a user and a source address may take. A source may be an office whose hundred people join one
// meeting at the same minute, each with two to four allocations.
type Limits struct {
	Allocations          int           `yaml:"allocations" default:"4096" help:"Allocations in total."`
	AllocationsPerUser   int           `yaml:"allocations_per_user" default:"12" help:"Allocations of one user."`
	AllocationsPerSource int           `yaml:"allocations_per_source" default:"512" help:"Allocations from one IPv4 address or IPv6 /64."`
	Permissions          int           `yaml:"permissions" default:"64" help:"Permissions per allocation."`
	Channels             int           `yaml:"channels" default:"64" help:"Channels per allocation."`
	NewPeers             int           `yaml:"new_peers" default:"5" help:"New peer addresses per second and allocation; four times as many at once."`
	Packets              int           `yaml:"packets" default:"10000" help:"Datagrams per second and allocation, both directions."`
	Bytes                int           `yaml:"bytes" default:"12500000" help:"Payload bytes per second and allocation, both directions."`
	Challenges           int           `yaml:"challenges" default:"30" help:"Unauthorized answers per second over UDP to one source; loopback is exempt."`
	Connections          int           `yaml:"connections" default:"4096" help:"TCP and TLS connections in total."`
	ConnectionsPerSource int           `yaml:"connections_per_source" default:"256" help:"TCP and TLS connections from one source."`
	HandshakeTimeout     time.Duration `yaml:"handshake_timeout" default:"5s" help:"Time for a TLS handshake."`
	IdleTimeout          time.Duration `yaml:"idle_timeout" default:"10s" help:"Time a connection may live without an allocation."`
	WriteTimeout         time.Duration `yaml:"write_timeout" default:"5s" help:"Time a client on a connection may take to accept a message."`
}

const (
	defaultRealm   = "turnout"
	defaultTTL     = time.Hour
	defaultMinPort = 49152
	defaultMaxPort = 65535
	// longestTTL is the longest life of a credential that is accepted, whoever minted it.
	longestTTL = 48 * time.Hour
	// maxSockets per address: more than any machine has cores to serve them.
	maxSockets = 256
)

// Validate says what is wrong with c and what to do about it.
func (c Config) Validate() error {
	_, err := c.parse()
	return err
}

// settings are a Config with its strings understood and its defaults filled in. They are immutable.
type settings struct {
	Config
	keys     credential.Keys
	public   []netip.Addr
	allow    []netip.Prefix
	deny     []netip.Prefix
	peerRate quota.Rate
	packets  quota.Rate
	bytes    quota.Rate
}

func (c Config) parse() (*settings, error) {
	s := &settings{Config: c.withDefaults()}
	s.peerRate = quota.Rate{PerSecond: float64(s.Limits.NewPeers), Burst: 4 * float64(s.Limits.NewPeers)}
	s.packets = quota.Rate{PerSecond: float64(s.Limits.Packets), Burst: float64(s.Limits.Packets)}
	s.bytes = quota.Rate{PerSecond: float64(s.Limits.Bytes), Burst: float64(s.Limits.Bytes)}
	if !c.Enabled {
		return s, nil
	}
	for _, check := range []func() error{s.parseKeys, s.checkListen, s.checkRelay, s.parseAddresses} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	if s.TTL < time.Second || s.TTL > longestTTL {
		return nil, fmt.Errorf("turn.ttl %s: give a time between 1s and %s", s.TTL, longestTTL)
	}
	return s, nil
}

func (c Config) withDefaults() Config {
	c.Realm = or(c.Realm, defaultRealm)
	c.TTL = or(c.TTL, defaultTTL)
	c.Relay.Mode = or(c.Relay.Mode, relayPublic)
	c.Relay.MinPort = or(c.Relay.MinPort, defaultMinPort)
	c.Relay.MaxPort = or(c.Relay.MaxPort, defaultMaxPort)
	c.Relay.Sockets = or(c.Relay.Sockets, 1)
	c.Limits = c.Limits.withDefaults()
	return c
}

func (l Limits) withDefaults() Limits {
	l.Allocations = limit(l.Allocations, 4096)
	l.AllocationsPerUser = limit(l.AllocationsPerUser, 12)
	l.AllocationsPerSource = limit(l.AllocationsPerSource, 512)
	l.Permissions = limit(l.Permissions, 64)
	l.Channels = limit(l.Channels, 64)
	l.NewPeers = limit(l.NewPeers, 5)
	l.Packets = limit(l.Packets, 10_000)
	l.Bytes = limit(l.Bytes, 12_500_000)
	l.Challenges = limit(l.Challenges, 30)
	l.Connections = limit(l.Connections, 4096)
	l.ConnectionsPerSource = limit(l.ConnectionsPerSource, 256)
	l.HandshakeTimeout = or(l.HandshakeTimeout, 5*time.Second)
	l.IdleTimeout = or(l.IdleTimeout, 10*time.Second)
	l.WriteTimeout = or(l.WriteTimeout, 5*time.Second)
	return l
}

func or[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// limit reads a limit: 0 is the default, negative is none.
func limit(v, def int) int {
	switch {
	case v == 0:
		return def
	case v < 0:
		return math.MaxInt
	}
	return v
}

// parseKeys puts the keys in order: the first one mints.
func (s *settings) parseKeys() error {
	for _, k := range s.Keys {
		id, secret, ok := strings.Cut(k, ":")
		if !ok || id == "" || secret == "" {
			return errors.New("turn.keys: write each key as id:secret")
		}
		s.keys = append(s.keys, credential.Key{ID: id, Secret: []byte(secret)})
	}
	if s.Secret != "" {
		s.keys = append(s.keys, credential.Key{Secret: []byte(s.Secret)})
	}
	if len(s.keys) == 0 {
		return errors.New("turn.secret is empty: give the shared secret of the TURN credentials")
	}
	if err := s.keys.Validate(); err != nil {
		return fmt.Errorf("turn.keys: %w", err)
	}
	return nil
}

func (s *settings) checkListen() error {
	for _, l := range []struct{ name, addr string }{{"turn.udp", s.UDP}, {"turn.tcp", s.TCP}, {"turn.tls.listen", s.TLS.Listen}} {
		if l.addr == "" {
			continue
		}
		if _, err := hostPort(l.addr); err != nil {
			return fmt.Errorf("%s %q: give ip:port, or :port for every address: %w", l.name, l.addr, err)
		}
	}
	if strings.ContainsAny(s.TLS.Domain, ":/ ?") {
		return fmt.Errorf("turn.tls.domain %q: give a host name", s.TLS.Domain)
	}
	return nil
}

func (s *settings) checkRelay() error {
	r := s.Relay
	switch {
	case r.Mode != relayPublic && r.Mode != relaySelf:
		return fmt.Errorf("turn.relay.mode %q: give public or self", r.Mode)
	case r.MinPort > r.MaxPort:
		return fmt.Errorf("turn.relay.min_port %d is above max_port %d", r.MinPort, r.MaxPort)
	case r.Sockets < 1 || r.Sockets > maxSockets:
		return fmt.Errorf("turn.relay.sockets %d: give a number from 1 to %d", r.Sockets, maxSockets)
	}
	return nil
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
	if s.allow, err = parsePrefixes("turn.relay.allow", s.Relay.Allow); err != nil {
		return err
	}
	s.deny, err = parsePrefixes("turn.relay.deny", s.Relay.Deny)
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

// hostPort reads a listen address. No host is the wildcard of both families.
func hostPort(addr string) (netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return netip.AddrPort{}, err
	}
	n, err := net.LookupPort("udp", port)
	if err != nil {
		return netip.AddrPort{}, err
	}
	ip := netip.IPv6Unspecified()
	switch host {
	case "":
	case "localhost":
		ip = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	default:
		if ip, err = netip.ParseAddr(host); err != nil {
			return netip.AddrPort{}, err
		}
	}
	return netip.AddrPortFrom(ip.Unmap(), uint16(n)), nil //nolint:gosec // LookupPort checked it
}
