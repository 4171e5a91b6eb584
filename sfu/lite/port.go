package lite

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/turnout-rtc/turnout/sfu/demux"
	"github.com/turnout-rtc/turnout/sfu/lite/icefull"
	"github.com/turnout-rtc/turnout/sfu/netio"
)

// linger is how long the sockets of an address are kept that the machine has no more: it may come back, when a cable was pulled
// or a lease renewed.
const linger = time.Minute

// port is one UDP socket.
type port struct {
	// Set at construction, never changed.
	sock   *netio.Socket
	number int // of its paths; used again when the socket is gone
	base   int // number of the first socket of the same address, which checks are sent from

	foreign atomic.Pointer[Foreign] // nil while nobody asks
	done    chan struct{}           // closed when its reader has ended
	gone    time.Time               // owned by who calls follow: since when the machine does not have its address
}

// ErrAddressLimit says that the machine has more addresses than are listened on.
var ErrAddressLimit = errors.New("lite: more addresses than are listened on")

// open opens the sockets of an address.
func (s *Server) open(a netip.AddrPort) error {
	all := s.all()
	if len(bases(all)) >= s.cfg.Limits.Addresses {
		s.count.addressLimit.Add(1)
		return ErrAddressLimit
	}
	c := s.cfg.Net
	c.Addr = a
	if a.Port() == 0 && len(all) > 0 {
		c.Addr = netip.AddrPortFrom(a.Addr(), all[0].sock.Addr().Port())
	}
	opened, err := netio.Open(c)
	if err != nil {
		return fmt.Errorf("lite: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		for _, k := range opened {
			_ = k.Close()
		}
		return ErrClosed
	}
	ports := slices.Clone(*s.ports.Load())
	base := -1
	for _, k := range opened {
		n := slices.Index(ports, nil)
		if n < 0 {
			n, ports = len(ports), append(ports, nil)
		}
		if base < 0 {
			base = n
		}
		p := &port{sock: k, number: n, base: base, done: make(chan struct{})}
		ports[n] = p
		s.running.Go(func() { s.read(p) })
	}
	s.ports.Store(&ports)
	return nil
}

// shut closes a socket: its paths are lost.
func (s *Server) shut(p *port) {
	_ = p.sock.Close()
	<-p.done
	if f := p.foreign.Load(); f != nil {
		_ = f.Close()
	}
	s.mu.Lock()
	s.table.RemoveSocket(p.number)
	s.count.shut(p.sock)
	ports := slices.Clone(*s.ports.Load())
	ports[p.number] = nil
	s.ports.Store(&ports)
	var all []*Transport
	for t := range s.transports {
		all = append(all, t)
	}
	s.mu.Unlock()
	for _, t := range all {
		t.lostSocket(p.number)
	}
}

// follow opens and closes sockets as the machine gets and loses addresses. It says whether anything is another now.
func (s *Server) follow(now time.Time, own []netip.Addr) bool {
	wanted := expand(s.cfg.UDP, own)
	changed := false
	var have []netip.Addr
	for _, p := range s.all() {
		a := p.sock.Addr().Addr()
		has := slices.ContainsFunc(wanted, func(w netip.AddrPort) bool { return w.Addr() == a })
		switch {
		case has:
			p.gone = time.Time{}
		case p.gone.IsZero():
			p.gone = now
		case now.Sub(p.gone) >= linger:
			s.shut(p)
			continue
		}
		have = append(have, a)
	}
	for _, w := range wanted {
		if !slices.Contains(have, w.Addr()) && s.open(w) == nil { // it may be in use, or not ready yet: tried again
			_ = s.share() // who has no use for them any more
			changed = true
		}
	}
	all := s.candidates(own)
	s.mu.Lock()
	changed = changed || !slices.Equal(all, s.advertised)
	s.advertised = all
	s.mu.Unlock()
	return changed
}

// watch is the goroutine that follows the machine's addresses.
func (s *Server) watch() {
	ticker := time.NewTicker(s.cfg.Limits.Watch)
	defer ticker.Stop()
	for {
		select {
		case <-s.done:
			return
		case now := <-ticker.C:
			own, err := s.cfg.Interfaces()
			if err == nil && s.follow(now, own) && s.asking != nil {
				s.asking.moved()
			}
		}
	}
}

// all are the ports there are.
func (s *Server) all() []*port {
	return slices.DeleteFunc(slices.Clone(*s.ports.Load()), func(p *port) bool { return p == nil })
}

// port is the one with a number, nil if there is none.
func (s *Server) port(number int) *port {
	if ports := *s.ports.Load(); number < len(ports) {
		return ports[number]
	}
	return nil
}

// listening are the addresses of UDP sockets that the machine has.
func (s *Server) listening(own []netip.Addr) (all []netip.AddrPort) {
	wanted := expand(s.cfg.UDP, own)
	for _, w := range wanted {
		for _, b := range bases(s.all()) {
			if b.Addr.Addr() == w.Addr() && (w.Port() == 0 || w.Port() == b.Addr.Port()) {
				all = append(all, b.Addr)
			}
		}
	}
	return all
}

// Sockets are the UDP sockets.
func (s *Server) Sockets() (all []*netio.Socket) {
	for _, p := range s.all() {
		all = append(all, p.sock)
	}
	return all
}

// bases are the sockets that checks are sent from, one of each address.
func bases(all []*port) (out []icefull.Base) {
	for _, p := range all {
		if p.number == p.base {
			out = append(out, icefull.Base{Socket: p.number, Addr: p.sock.Addr()})
		}
	}
	return out
}

// basePath is a path with the socket that checks of its address are sent from: the kernel chooses among those of one address
// which one gets the answer.
func (s *Server) basePath(p demux.Path) demux.Path {
	if of := s.port(p.Socket); of != nil {
		p.Socket = of.base
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
	if from := s.port(p.Socket); from != nil {
		_ = from.sock.WriteTo(raw, p.Remote)
	}
}
