// Package turn gets packets through NATs: a STUN and TURN server (RFC 8489, RFC 8656) on pion/turn, with time-limited
// credentials and a policy of who may be reached.
//
// A socket is a transport (UDP, or one TCP or TLS connection) with a pion server of its own. pion decides what is asked once:
// allocations, permissions, channels. A relay is the data side of an allocation; its datagrams never reach pion.
package turn

import (
	"context"
	"crypto/tls"
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
	wiring // Set at construction, never changed.
	state

	count       counters
	holdings    *holdings // allocations
	connections *holdings // TCP and TLS connections
	revoked     revocations
	draining    atomic.Bool

	mu        sync.Mutex
	sockets   map[*socket]bool // Guarded by mu.
	listening []listening      // Guarded by mu.

	relayMu sync.RWMutex
	relays  map[*relay]bool           // Guarded by relayMu.
	relayed map[netip.AddrPort]*relay // Guarded by relayMu: by local and by public address

	running  sync.WaitGroup // sockets, relays, and our own goroutines
	reloadMu sync.Mutex     // one Reload at a time
}

// wiring is what a server was made with.
type wiring struct {
	log      *slog.Logger
	media    []netip.AddrPort
	handover Handover
	getCert  func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	shared   map[string]bool // kinds of transport that somebody else listens for
	ports    *portRange
	buffers  *sync.Pool         // of *[relayBuf]byte, for Deliver
	ctx      context.Context    //nolint:containedctx // ends the server's own goroutines
	stop     context.CancelFunc // ends ctx
}

// state is what may be replaced while the server runs.
type state struct {
	settings   atomic.Pointer[settings]
	network    atomic.Pointer[network]
	policy     atomic.Pointer[policy.Policy]
	challenges atomic.Pointer[sources] // unauthorized answers
}

// listening is an address that the server listens on. A wildcard keeps its unspecified address, with the port that was found.
type listening struct {
	kind     string
	at       netip.AddrPort
	listener *listener // nil for UDP, and when somebody else listens
	shared   bool      // somebody else listens
}

// Option is something that the house hands to the server.
type Option func(*wiring)

// WithHandover makes the mode "self" hand datagrams over in memory instead of opening relay ports.
func WithHandover(h Handover) Option { return func(w *wiring) { w.handover = h } }

// WithCertificates gives the TLS listener its certificates. It needs them.
func WithCertificates(get func(*tls.ClientHelloInfo) (*tls.Certificate, error)) Option {
	return func(w *wiring) { w.getCert = get }
}

// WithSharedUDP says that somebody else listens at Config.UDP, whose port must not be 0, and hands over what is for the
// server (AdoptPacketConn). The server tells clients of the address and opens nothing.
func WithSharedUDP() Option { return func(w *wiring) { w.shared[kindUDP] = true } }

// WithSharedTCP is WithSharedUDP for Config.TCP and Adopt.
func WithSharedTCP() Option { return func(w *wiring) { w.shared[kindTCP] = true } }

// New opens the sockets of cfg and serves. allow are the addresses that may always be relayed to: the SFU's own. An
// unspecified address among them stands for every address of this machine, port 0 for every port.
func New(cfg Config, allow []netip.AddrPort, log *slog.Logger, options ...Option) (*Server, error) {
	parsed, err := cfg.parse()
	if err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		wiring: wiring{
			log: log, media: allow, ports: newPortRange(parsed.Relay.MinPort, parsed.Relay.MaxPort),
			buffers: &sync.Pool{New: func() any { return new([relayBuf]byte) }},
			shared:  map[string]bool{},
		},
		holdings: newHoldings(), connections: newHoldings(),
		sockets: map[*socket]bool{}, relays: map[*relay]bool{}, relayed: map[netip.AddrPort]*relay{},
	}
	for _, o := range options {
		o(&s.wiring)
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.settings.Store(parsed)
	s.challenges.Store(parsed.challengeTable())
	n, err := findNetwork(parsed.public)
	if err != nil {
		return nil, fmt.Errorf("turn: reading this machine's addresses: %w", err)
	}
	s.network.Store(n)
	if err := s.open(parsed); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Server) open(cfg *settings) error {
	s.renewPolicy()
	if !cfg.Enabled {
		return nil
	}
	for _, l := range []struct {
		name, kind, addr string
		open             func(netip.AddrPort) error
	}{{"turn.udp", kindUDP, cfg.UDP, s.openUDP}, {"turn.tcp", kindTCP, cfg.TCP, s.openTCP}, {"turn.tls.listen", kindTLS, cfg.TLS.Listen, s.openTLS}} {
		if l.addr == "" {
			continue
		}
		host, err := hostPort(l.addr)
		switch {
		case err != nil:
		case s.shared[l.kind]:
			s.listenAt(listening{kind: l.kind, at: host, shared: true})
		default:
			err = l.open(host)
		}
		if err != nil {
			return fmt.Errorf("%s %q: %w", l.name, l.addr, err)
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
			s.readNetwork()
			if err := s.followUDP(); err != nil {
				s.log.Warn("turn: an address of this machine has no socket", "error", err)
			}
		}
	}
}

// add starts a socket over t, which it owns from now on.
func (s *Server) add(t transport, kind string, local netip.AddrPort) error {
	k := newSocket(s, t, kind, local)
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

// remember and forget keep the books about a relay.

func (s *Server) remember(r *relay) {
	s.count.allocations.Add(1)
	s.count.allocationsTotal.Add(1)
	s.relayMu.Lock()
	defer s.relayMu.Unlock()
	s.relays[r] = true
	s.relayed[r.local], s.relayed[r.relayed] = r, r
}

func (s *Server) forget(r *relay) {
	s.relayMu.Lock()
	delete(s.relays, r)
	delete(s.relayed, r.local)
	delete(s.relayed, r.relayed)
	s.relayMu.Unlock()
	s.holdings.release(r.user, r.client.Addr())
	s.count.allocations.Add(-1)
	s.count.allocationTime.Add(int64(time.Since(r.created)))
}

// Stats are counters since the start, safe to read at any time.
func (s *Server) Stats() Stats {
	st := s.count.stats()
	st.RelayPortsFree = s.ports.free()
	for _, r := range s.allRelays() {
		st.AllocationsBy[r.sock.kind]++
		st.AllocationsOf[family(r.relayed.Addr())]++
	}
	return st
}

// Close ends every allocation and waits. It may be called twice.
func (s *Server) Close() error {
	s.mu.Lock()
	s.stop()
	listening := s.listening
	sockets := make([]*socket, 0, len(s.sockets))
	for k := range s.sockets {
		sockets = append(sockets, k)
	}
	s.mu.Unlock()
	for _, l := range listening {
		if l.listener != nil {
			_ = l.listener.Close()
		}
	}
	for _, k := range sockets {
		_ = k.Close()
	}
	s.running.Wait()
	return nil
}
