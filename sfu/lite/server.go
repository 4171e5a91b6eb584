package lite

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3"

	"github.com/turnout-rtc/turnout/sfu/demux"
	"github.com/turnout-rtc/turnout/sfu/lite/answer"
	"github.com/turnout-rtc/turnout/sfu/lite/icefull"
	"github.com/turnout-rtc/turnout/sfu/lite/icelite"
	"github.com/turnout-rtc/turnout/sfu/netio"
)

// ErrClosed says that the server or the transport was closed.
var ErrClosed = errors.New("lite: closed")

// Server owns the sockets that all transports share.
type Server struct {
	// Set at construction, never changed.
	cfg         Config
	sockets     []*netio.Socket
	foreign     []atomic.Pointer[Foreign] // by the number of the socket
	listeners   []*net.TCPListener
	advertised  []answer.Candidate // but for those that a NAT makes of them
	base        []int              // number of the first socket of the same address, by number
	fingerprint answer.Fingerprint
	secure      []dtls.Option
	count       counters
	streams     streamLimits
	asking      *asking // nil with ICE-lite
	done        chan struct{}
	running     sync.WaitGroup // everything that Close waits for

	mu sync.RWMutex
	// Guarded by mu.
	table  *demux.Table[*Transport]
	all    map[*Transport]struct{}
	closed bool
}

// Open opens the sockets. An address in use or not ours is an error that names it.
func Open(cfg Config) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.Limits = cfg.Limits.withDefaults()
	s := &Server{cfg: cfg, done: make(chan struct{}), table: demux.NewTable[*Transport](cfg.Paths), all: map[*Transport]struct{}{}}
	s.streams.init(cfg.Limits)
	if err := s.certify(); err != nil {
		return nil, err
	}
	if err := s.listen(); err != nil {
		s.closeSockets()
		return nil, err
	}
	s.foreign = make([]atomic.Pointer[Foreign], len(s.sockets))
	if cfg.Full {
		s.asking = newAsking(s)
	}
	for i := range s.sockets {
		s.running.Go(func() { s.read(i) })
	}
	for _, l := range s.listeners {
		s.running.Go(func() { s.accept(l) })
	}
	s.running.Go(s.clock)
	if s.asking != nil {
		s.ask()
	}
	return s, nil
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

func (s *Server) listen() error {
	udp, err := expand(s.cfg.UDP)
	if err != nil {
		return err
	}
	for _, a := range udp {
		c := s.cfg.Net
		c.Addr = a
		if a.Port() == 0 && len(s.sockets) > 0 {
			c.Addr = withPort(a, s.sockets[0].Addr().Port())
		}
		opened, err := netio.Open(c)
		if err != nil {
			return fmt.Errorf("lite: %w", err)
		}
		for range opened {
			s.base = append(s.base, len(s.sockets))
		}
		s.sockets = append(s.sockets, opened...)
		s.offer("udp", opened[0].Addr())
	}
	tcp, err := expand(s.cfg.TCP)
	if err != nil {
		return err
	}
	for _, a := range tcp {
		if a.Port() == 0 && len(s.listeners) > 0 {
			a = withPort(a, addrOf(s.listeners[0]).Port())
		}
		l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(a))
		if err != nil {
			return fmt.Errorf("lite: listen on TCP %s: %w", a, err)
		}
		s.listeners = append(s.listeners, l)
		s.offer("tcp", addrOf(l))
	}
	shared, err := expand(s.cfg.Shared)
	if err != nil {
		return err
	}
	for _, a := range shared {
		s.offer("tcp", a)
	}
	if len(s.cfg.Advertise) > 0 {
		s.advertised = s.cfg.Advertise
	}
	return nil
}

// Advertised is what answers contain.
func (s *Server) Advertised() []answer.Candidate {
	if s.asking == nil {
		return s.advertised
	}
	all := slices.Clone(s.advertised)
	for _, m := range s.asking.mappings() {
		c := answer.Candidate{Protocol: "udp", Addr: m.Addr, Base: m.Base.Addr}
		if !slices.ContainsFunc(all, func(have answer.Candidate) bool { return have.Protocol == c.Protocol && have.Addr == c.Addr }) {
			all = append(all, c)
		}
	}
	return all
}

// bases are the sockets that checks are sent from, one of each address.
func (s *Server) bases() []icefull.Base {
	var all []icefull.Base
	for i, base := range s.base {
		if i == base {
			all = append(all, icefull.Base{Socket: i, Addr: s.sockets[i].Addr()})
		}
	}
	return all
}

// basePath is a path with the socket that checks of its address are sent from: the kernel chooses among those of one address
// which one gets the answer.
func (s *Server) basePath(p demux.Path) demux.Path {
	if p.Socket < len(s.base) {
		p.Socket = s.base[p.Socket]
	}
	return p
}

// egress is the basePath of a path in use.
func (s *Server) egress(p demux.Path, ok bool) demux.Path {
	if !ok {
		return demux.Path{}
	}
	return s.basePath(p)
}

// sendFrom sends a check over UDP. One that is lost is sent again.
func (s *Server) sendFrom(p demux.Path, raw []byte) {
	if p.Socket < len(s.sockets) {
		_ = s.sockets[p.Socket].WriteTo(raw, p.Remote)
	}
}

// Sockets are the UDP sockets, for writers to be made of.
func (s *Server) Sockets() []*netio.Socket { return s.sockets }

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
	s.all[t] = struct{}{}
	return t, nil
}

// register gives t a ufrag that nobody has.
func (s *Server) register(t *Transport) (icelite.Credentials, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.all[t]; !ok {
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
	if _, ok := s.all[t]; ok {
		delete(s.all, t)
		s.table.Remove(t)
		if s.asking != nil {
			s.asking.forget(t)
		}
		s.running.Go(end)
	}
}

// start runs f while t lives, for Close to wait for. It says whether it did.
func (s *Server) start(t *Transport, f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.all[t]
	if ok {
		s.running.Go(f)
	}
	return ok
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
			for t := range s.all {
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
	for t := range s.all {
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
	for _, l := range s.listeners {
		_ = l.Close()
	}
	s.streams.closeAll()
	for i := range s.foreign {
		if f := s.foreign[i].Load(); f != nil {
			_ = f.Close()
		}
	}
	for _, k := range s.sockets {
		_ = k.Close()
	}
}
