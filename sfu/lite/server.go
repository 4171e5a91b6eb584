package lite

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3"

	"github.com/turnout-rtc/turnout/sfu/demux"
	"github.com/turnout-rtc/turnout/sfu/lite/answer"
	"github.com/turnout-rtc/turnout/sfu/lite/icelite"
)

// ErrClosed says that the server or the transport was closed.
var ErrClosed = errors.New("lite: closed")

// Server owns the sockets that all transports share.
type Server struct {
	// Set at construction, never changed.
	cfg     Config
	tcp     []listener
	id      identity
	count   counters
	streams streamLimits
	asking  *asking // nil with ICE-lite
	pump    *pump
	done    chan struct{}
	running sync.WaitGroup // everything that Close waits for

	ports atomic.Pointer[[]*port] // UDP sockets by their number; nil where there is none any more. A new slice for every change

	mu sync.RWMutex
	// Guarded by mu.
	table      *demux.Table[*Transport]
	transports map[*Transport]struct{}
	advertised []answer.Candidate   // but for those that a NAT makes of them
	adopt      func(*Foreign) error // nil while nobody asks for foreign datagrams
	closed     bool
}

// listener of TCP, and the address that was asked for, with its port.
type listener struct {
	*net.TCPListener
	at netip.AddrPort
}

// identity is who we are for DTLS.
type identity struct {
	fingerprint answer.Fingerprint
	options     []dtls.Option // what all handshakes have in common
}

// Open opens the sockets. An address in use or not ours is an error that names it.
func Open(cfg Config) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.Limits = cfg.Limits.withDefaults()
	if cfg.Interfaces == nil {
		cfg.Interfaces = interfaces
	}
	s := &Server{cfg: cfg, done: make(chan struct{}), table: demux.NewTable[*Transport](cfg.Paths), transports: map[*Transport]struct{}{}}
	s.pump = newPump(s)
	s.ports.Store(new([]*port))
	s.streams.init(cfg.Limits)
	if err := s.certify(); err != nil {
		return nil, err
	}
	if cfg.Full {
		s.asking = newAsking(s)
	}
	if err := s.listen(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	for _, l := range s.tcp {
		s.running.Go(func() { s.accept(l.TCPListener) })
	}
	s.running.Go(s.clock)
	s.running.Go(s.pump.run)
	if cfg.wildcard() {
		s.running.Go(s.watch)
	}
	if s.asking != nil {
		s.ask()
	}
	return s, nil
}

// listen opens what is configured.
func (s *Server) listen() error {
	own, err := s.cfg.Interfaces()
	if err != nil {
		return err
	}
	for _, a := range expand(s.cfg.UDP, own) {
		if err := s.open(a); err != nil && !errors.Is(err, ErrAddressLimit) {
			return err
		}
	}
	for _, a := range s.cfg.TCP {
		if a.Port() == 0 && len(s.tcp) > 0 {
			a = netip.AddrPortFrom(a.Addr(), s.tcp[0].at.Port())
		}
		network := "tcp" // a wildcard one has both families
		if a.Addr().Is4() {
			network = "tcp4"
		}
		l, err := net.ListenTCP(network, net.TCPAddrFromAddrPort(a))
		if err != nil {
			return fmt.Errorf("lite: listen on TCP %s: %w", a, err)
		}
		s.tcp = append(s.tcp, listener{l, netip.AddrPortFrom(a.Addr(), addrOf(l).Port())})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.advertised = s.candidates(own)
	return nil
}

// ask begins to ask STUN servers, and waits a moment for the answers.
func (s *Server) ask() {
	s.running.Go(s.asking.run)
	if len(s.cfg.STUN) == 0 {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.running.Go(func() {
		<-s.done
		cancel()
	})
	s.running.Go(func() { s.asking.survey(ctx) })
	select {
	case <-s.asking.settled:
	case <-time.After(introduction):
	}
}

// Advertised is what answers contain now.
func (s *Server) Advertised() []answer.Candidate {
	s.mu.RLock()
	all := s.advertised
	s.mu.RUnlock()
	if s.asking == nil {
		return all
	}
	all = slices.Clone(all)
	for _, m := range s.asking.mappings() {
		c := answer.Candidate{Protocol: "udp", Addr: m.Addr, Base: m.Base.Addr}
		if !slices.ContainsFunc(all, func(have answer.Candidate) bool { return have.Protocol == c.Protocol && have.Addr == c.Addr }) {
			all = append(all, c)
		}
	}
	return all
}

// NewTransport makes a participant's transport. For emit see Event.
func (s *Server) NewTransport(emit func(Event)) (*Transport, error) {
	t := newTransport(s, emit)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		if s.asking != nil {
			s.asking.forget(t)
		}
		return nil, ErrClosed
	}
	s.transports[t] = struct{}{}
	return t, nil
}

// register gives t a ufrag that nobody has.
func (s *Server) register(t *Transport) (icelite.Credentials, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.transports[t]; !ok {
		return icelite.Credentials{}, ErrClosed
	}
	for {
		c := icelite.NewCredentials()
		if s.table.AddUfrag(c.Ufrag, t) == nil {
			return c, nil
		}
	}
}

func (s *Server) retire(ufrag string) {
	if ufrag != "" {
		s.mu.Lock()
		s.table.RemoveUfrag(ufrag)
		s.mu.Unlock()
	}
}

// remove forgets t and runs end, which Close waits for. The second time it does nothing.
func (s *Server) remove(t *Transport, end func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.transports[t]; ok {
		delete(s.transports, t)
		s.table.Remove(t)
		if s.asking != nil {
			s.asking.forget(t)
		}
		s.running.Go(end)
	}
}

// start runs f while t lives, for Close to wait for.
func (s *Server) start(t *Transport, f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.transports[t]; ok {
		s.running.Go(f)
	}
}

// clock is the one timer of all transports.
func (s *Server) clock() {
	ticker := time.NewTicker(s.cfg.Timing.Step())
	defer ticker.Stop()
	var all []*Transport
	for {
		select {
		case <-s.done:
			return
		case now := <-ticker.C:
			s.mu.RLock()
			all = all[:0]
			for t := range s.transports {
				all = append(all, t)
			}
			s.mu.RUnlock()
			for _, t := range all {
				t.tick(now)
			}
			clear(all)
		}
	}
}

// Close closes all transports and sockets and waits for their goroutines. It may be called twice.
func (s *Server) Close() error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	var all []*Transport
	for t := range s.transports {
		all = append(all, t)
	}
	s.mu.Unlock()
	for _, t := range all {
		t.Close()
	}
	if first {
		close(s.done)
		s.closeSockets()
	}
	s.running.Wait()
	return nil
}

func (s *Server) closeSockets() {
	for _, l := range s.tcp {
		_ = l.Close()
	}
	s.streams.closeAll()
	for _, p := range s.all() {
		if f := p.foreign.Load(); f != nil {
			_ = f.Close()
		}
		_ = p.sock.Close()
	}
}
