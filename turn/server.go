// Package turn gets packets through NATs: a STUN and TURN server (RFC 8489, RFC 8656) on pion/turn, with time-limited
// credentials and a policy of who may be reached.
//
// A socket is a transport (UDP, or one TCP or TLS connection) with a pion server of its own. pion decides what is asked once:
// allocations, permissions, channels. A relay is the data side of an allocation; its datagrams never reach pion.
package turn

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/turnout-rtc/turnout/turn/policy"
)

// ICEServer is an RTCIceServer (W3C WebRTC §4.2.4).
type ICEServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username,omitempty"`
	Credential string   `json:"credential,omitempty"`
}

// Server is a running TURN server.
type Server struct {
	// Set at construction, never changed.
	cfg   settings
	log   *slog.Logger
	media []netip.AddrPort
	ports *portRange
	stop  context.CancelFunc
	ctx   context.Context //nolint:containedctx // ends the server's own goroutines

	network atomic.Pointer[network]
	policy  atomic.Pointer[policy.Policy]
	count   counters

	mu        sync.Mutex
	sockets   map[*socket]bool    // Guarded by mu.
	listeners []*listener         // Guarded by mu.
	udp       map[netip.Addr]bool // Guarded by mu: the addresses that have a socket
	udpHost   netip.AddrPort      // Guarded by mu: what is listened on, with the port that was found
	tcpHost   netip.AddrPort      // Guarded by mu

	running sync.WaitGroup // sockets, relays, and our own goroutines
}

// New opens the sockets of cfg and serves. allow are the addresses that may always be relayed to: the SFU's own. An
// unspecified address among them stands for every address of this machine, port 0 for every port.
func New(cfg Config, allow []netip.AddrPort, log *slog.Logger) (*Server, error) {
	parsed, err := cfg.parse()
	if err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		cfg: parsed, log: log, media: allow, ports: newPortRange(parsed.MinPort, parsed.MaxPort),
		sockets: map[*socket]bool{}, udp: map[netip.Addr]bool{},
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	n, err := readNetwork(parsed.public)
	if err != nil {
		return nil, fmt.Errorf("turn: reading this machine's addresses: %w", err)
	}
	s.network.Store(n)
	s.renewPolicy()
	if !parsed.Enabled {
		return s, nil
	}
	if err := s.open(); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Server) open() error {
	if s.cfg.UDP != "" {
		if err := s.openUDP(); err != nil {
			return err
		}
	}
	if s.cfg.TCP != "" {
		if err := s.openTCP(); err != nil {
			return err
		}
	}
	s.renewPolicy()
	s.running.Go(s.watch)
	return nil
}

// watchInterval is how often this machine's addresses are read again.
const watchInterval = time.Minute

// watch follows the machine's addresses: the policy must know them, and each needs a socket.
func (s *Server) watch() {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
			s.refresh()
		}
	}
}

func (s *Server) refresh() {
	n, err := readNetwork(s.cfg.public)
	if err != nil || n.equal(s.network.Load()) {
		return
	}
	s.network.Store(n)
	s.renewPolicy()
	if err := s.followUDP(); err != nil {
		s.log.Warn("turn: an address of this machine has no socket", "error", err)
	}
}

func (s *Server) renewPolicy() {
	s.mu.Lock()
	var ports []uint16
	for _, h := range []netip.AddrPort{s.udpHost, s.tcpHost} {
		if h.IsValid() {
			ports = append(ports, h.Port())
		}
	}
	s.mu.Unlock()
	s.policy.Store(s.network.Load().policy(s.cfg, s.media, ports))
}

func (s *Server) judge(p *policy.Policy, peer netip.AddrPort) policy.Reason {
	return p.Peer(peer, s.ports.live)
}

func (s *Server) relayAddress(in netip.Addr, v6 bool) netip.Addr {
	return s.network.Load().relayAddress(in, v6)
}

func (s *Server) outside(a netip.AddrPort) netip.AddrPort { return s.network.Load().outside(a) }
func (s *Server) inside(a netip.AddrPort) netip.AddrPort  { return s.network.Load().inside(a) }

// add starts a socket over t, which it owns from now on.
func (s *Server) add(t transport) error {
	k := newSocket(s, t)
	s.mu.Lock()
	closed := s.ctx.Err() != nil
	if !closed {
		s.sockets[k] = true
		s.running.Add(1)
	}
	s.mu.Unlock()
	if closed {
		_ = t.close()
		return net.ErrClosed
	}
	if err := k.serve(); err != nil {
		k.end()
		return err
	}
	return nil
}

func (s *Server) remove(k *socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sockets, k)
}

// ICEServers mints credentials for a user that are valid for the configured time: one entry for STUN, one for TURN.
func (s *Server) ICEServers(user string) (servers []ICEServer, expires time.Time) {
	expires = time.Now().Add(s.cfg.TTL).Truncate(time.Second)
	stun, turn := s.urls()
	if len(stun) > 0 {
		servers = append(servers, ICEServer{URLs: stun})
	}
	if len(turn) > 0 {
		name, password := s.cfg.keys.Mint(user, expires)
		servers = append(servers, ICEServer{URLs: turn, Username: name, Credential: password})
	}
	return servers, expires
}

// Advertised lists the URLs under which the server can be reached.
func (s *Server) Advertised() []string {
	stun, turn := s.urls()
	return append(stun, turn...)
}

func (s *Server) urls() (stun, turn []string) {
	s.mu.Lock()
	udp, tcp := s.udpHost, s.tcpHost
	s.mu.Unlock()
	n := s.network.Load()
	list := func(h netip.AddrPort, format string) (urls []string) {
		if !h.IsValid() {
			return nil
		}
		for _, a := range n.advertised(h.Addr()) {
			urls = append(urls, fmt.Sprintf(format, netip.AddrPortFrom(a, h.Port())))
		}
		return urls
	}
	stun = list(udp, "stun:%s")
	turn = append(list(udp, "turn:%s?transport=udp"), list(tcp, "turn:%s?transport=tcp")...)
	return stun, turn
}

// Stats are counters since the start, safe to read at any time.
func (s *Server) Stats() Stats { return s.count.stats() }

// Close ends every allocation and waits. It may be called twice.
func (s *Server) Close() error {
	s.mu.Lock()
	s.stop()
	listeners := s.listeners
	sockets := make([]*socket, 0, len(s.sockets))
	for k := range s.sockets {
		sockets = append(sockets, k)
	}
	s.mu.Unlock()
	for _, l := range listeners {
		_ = l.Close()
	}
	for _, k := range sockets {
		_ = k.Close()
	}
	s.running.Wait()
	return nil
}
