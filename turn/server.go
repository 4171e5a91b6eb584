// Package turn gets packets through NATs: a STUN and TURN server (RFC 8489, RFC 8656) on pion/turn, with time-limited
// credentials and a policy of who may be reached.
package turn

import (
	"log/slog"
	"net/netip"
	"time"
)

// Config of the TURN server. The zero value of a limit means its default.
type Config struct {
	Enabled bool          `yaml:"enabled" default:"true" negatable:"" help:"Run the TURN server."`
	UDP     string        `yaml:"udp" default:":3478" help:"Address for STUN and TURN over UDP."`
	TCP     string        `yaml:"tcp" default:":3478" help:"Address for TURN over TCP; empty turns it off."`
	Public  []string      `yaml:"public" help:"IP addresses to advertise instead of the interfaces' own."`
	Realm   string        `yaml:"realm" default:"turnout" help:"Realm of the long-term credentials."`
	Secret  string        `yaml:"secret" help:"Shared secret of the time-limited credentials (coturn's static-auth-secret)."`
	TTL     time.Duration `yaml:"ttl" default:"1h" help:"Life time of a credential."`
}

// Validate says what is wrong with c and what to do about it.
func (c Config) Validate() error { return nil }

// ICEServer is an RTCIceServer (W3C WebRTC §4.2.4).
type ICEServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username,omitempty"`
	Credential string   `json:"credential,omitempty"`
}

// Server is a running TURN server.
type Server struct{}

// New opens the sockets of cfg and serves. allow are the addresses that may always be relayed to: the SFU's own.
func New(cfg Config, allow []netip.AddrPort, log *slog.Logger) (*Server, error) { panic("not built") }

// ICEServers mints credentials for a user that are valid for the configured time: one entry for STUN, one for TURN.
func (s *Server) ICEServers(user string) (servers []ICEServer, expires time.Time) { panic("not built") }

// Advertised lists the URLs under which the server can be reached.
func (s *Server) Advertised() []string { panic("not built") }

// Stats are counters since the start, safe to read at any time.
func (s *Server) Stats() Stats { panic("not built") }

// Close ends every allocation and waits. It may be called twice.
func (s *Server) Close() error { panic("not built") }

// Stats of a server.
type Stats struct {
	Allocations      int64 // now
	AllocationsTotal uint64
	AuthFailed       uint64
	Denied           map[string]uint64 // by reason, a fixed small set
}
