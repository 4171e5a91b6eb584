package turn

import (
	"net"
	"net/netip"
	"sync"
	"time"

	pion "github.com/pion/turn/v5"

	"github.com/turnout-rtc/turnout/turn/frame"
)

// transport is how the clients of a socket are reached: a UDP socket with many clients, or a stream with one.
type transport interface {
	// read returns one message of a client, in p. It fails only when the transport has ended.
	read(p []byte) (n int, from netip.AddrPort, err error)
	// write sends one message. Several goroutines may call it.
	write(b []byte, to netip.AddrPort) error
	// hold says whether the client has an allocation, so that a stream without one can be ended.
	hold(allocated bool)
	close() error
}

// batcher is a transport that relays data itself, in batches.
type batcher interface {
	// attach says whose data it is, before the first read.
	attach(s *socket)
	// open makes a relay's outlet of conn, which it takes over unless it fails.
	open(conn *net.UDPConn) (outlet, error)
}

// Kinds of transport, as they appear in Allocation.
const (
	kindUDP = "udp"
	kindTCP = "tcp"
	kindTLS = "tls"
)

// socket is one transport with the pion server that speaks for it. pion does what is asked once and answered: allocations,
// permissions, channels and their life times. Data goes past it. Each transport has a pion server of its own, so that all
// callbacks of a request come from the one goroutine that read it, and what is known about the request is at hand.
type socket struct {
	// Set at construction, never changed.
	srv       *Server
	transport transport
	kind      string
	local     netip.AddrPort

	mu      sync.RWMutex
	relays  map[netip.AddrPort]*relay // Guarded by mu: by client
	leaving map[netip.AddrPort]*relay // Guarded by mu: by client, closed and not yet forgotten by pion

	req   request // Owned by pion's read loop, which runs all callbacks of a request.
	ended sync.Once
}

func newSocket(srv *Server, t transport, kind string, local netip.AddrPort) *socket {
	s := &socket{srv: srv, transport: t, kind: kind, local: local, relays: map[netip.AddrPort]*relay{}, leaving: map[netip.AddrPort]*relay{}}
	if b, ok := t.(batcher); ok {
		b.attach(s)
	}
	return s
}

// serve starts the pion server, whose read loop ends when the transport does.
func (s *socket) serve() error {
	_, err := pion.NewServer(pion.ServerConfig{
		Realm:         s.srv.settings.Load().Realm,
		LoggerFactory: logFactory{s.srv.log},
		AuthHandler:   s.authenticate,
		EventHandler:  s.events(),
		InboundMTU:    frame.Max + 1, // pion drops what fills its buffer
		PacketConnConfigs: []pion.PacketConnConfig{{
			PacketConn: s, RelayAddressGenerator: generator{s}, PermissionHandler: s.permitted,
		}},
	})
	return err
}

// stream says whether messages are padded to four bytes.
func (s *socket) stream() bool { return s.kind != kindUDP }

// ReadFrom gives pion the next request. Data is relayed here and never returned.
func (s *socket) ReadFrom(p []byte) (int, net.Addr, error) {
	s.settle()
	for {
		n, from, err := s.transport.read(p)
		if err != nil {
			s.end()
			return 0, nil, net.ErrClosed
		}
		if s.data(time.Now(), p[:n], from) || s.loop(from) {
			continue
		}
		s.req = request{from: from, raw: p[:n]}
		if s.tooSoon() {
			continue
		}
		return n, net.UDPAddrFromAddrPort(from), nil
	}
}

// end is the read loop's last word.
func (s *socket) end() {
	s.ended.Do(func() {
		_ = s.transport.close()
		s.srv.remove(s)
		s.srv.running.Done()
	})
}

// loop says whether a request comes out of one of our own relays, which only somebody who builds a loop would do.
func (s *socket) loop(from netip.AddrPort) bool {
	if s.stream() || s.srv.relayAt(from) == nil { // relays speak UDP; a TCP port of the same number is somebody else's
		return false
	}
	s.srv.count.drop(dropLoop)
	return true
}

// tooSoon says whether the request is for an allocation by a client whose last one is still being taken down. pion's
// goroutine of the old allocation ends by deleting whatever allocation the client has then. Over UDP the client asks again
// anyway; over a stream the request waits, and nobody else with it.
func (s *socket) tooSoon() bool {
	if s.req.kind() != allocateRequest {
		return false
	}
	s.mu.RLock()
	r := s.leaving[s.req.from]
	s.mu.RUnlock()
	switch {
	case r == nil:
		return false
	case s.stream():
		<-r.gone
		return false
	}
	s.srv.count.drop(dropTooSoon)
	return true
}

// data relays b if it is ChannelData or a Send indication, and says whether it was.
func (s *socket) data(now time.Time, b []byte, from netip.AddrPort) bool {
	r, to, payload, why, ok, isData := s.route(now, b, from)
	switch {
	case !isData:
		return false
	case !ok:
		s.srv.count.drop(why)
	default:
		r.send(payload, to)
	}
	return true
}

// route says through which relay and where the payload of b goes, if b is data at all.
func (s *socket) route(now time.Time, b []byte, from netip.AddrPort) (
	r *relay, to netip.AddrPort, payload []byte, why drop, ok, isData bool,
) {
	if frame.IsChannel(b) {
		channel, payload, whole := frame.Channel(b)
		if !whole {
			return nil, to, nil, dropMalformed, false, true
		}
		if r = s.relay(from); r == nil {
			return nil, to, nil, dropNoAllocation, false, true
		}
		to, why, ok = r.toChannel(now, channel, len(payload))
		return r, to, payload, why, ok, true
	}
	addr, payload, isData := frame.Send(b)
	if !isData {
		return nil, to, nil, 0, false, false
	}
	if r = s.relay(from); r == nil {
		return nil, to, nil, dropNoAllocation, false, true
	}
	to, why, ok = r.toPeer(now, addr, len(payload))
	return r, to, payload, why, ok, true
}

// relay finds the relay of a client, nil when it has none.
func (s *socket) relay(client netip.AddrPort) *relay {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.relays[client]
}

func (s *socket) remember(r *relay) {
	s.mu.Lock()
	s.relays[r.client] = r
	s.mu.Unlock()
	s.transport.hold(true)
}

func (s *socket) forget(r *relay) {
	s.mu.Lock()
	last := s.relays[r.client] == r
	if last {
		delete(s.relays, r.client)
		s.leaving[r.client] = r
	}
	s.mu.Unlock()
	if last {
		s.transport.hold(false)
	}
}

// left is when pion has forgotten r.
func (s *socket) left(r *relay) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaving[r.client] == r {
		delete(s.leaving, r.client)
	}
	close(r.gone)
}

// outlet opens what a new relay sends and receives through.
func (s *socket) outlet(ip netip.Addr, port int) (outlet, error) {
	if s.srv.handover != nil && s.srv.settings.Load().Relay.Mode == relaySelf {
		return &memoryOutlet{handover: s.srv.handover, closed: make(chan struct{})}, nil
	}
	conn, err := openRelay(ip, port)
	if err != nil {
		return nil, err
	}
	b, ok := s.transport.(batcher)
	if !ok {
		return udpOutlet{conn}, nil
	}
	out, err := b.open(conn)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return out, nil
}

// WriteTo sends pion's answer, with the refusal that we know better.
func (s *socket) WriteTo(p []byte, _ net.Addr) (int, error) {
	s.req.answered = true
	out := p
	switch {
	case s.req.refusal != 0 && s.req.authentic:
		out = refuse(p, s.req.refusal, s.req.key)
	case !s.req.authentic && !s.challenges(p, s.req.from):
		return len(p), nil
	}
	if err := s.transport.write(out, s.req.from); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close ends the transport, and with it pion's read loop and every allocation.
func (s *socket) Close() error { return s.transport.close() }

func (s *socket) LocalAddr() net.Addr              { return net.UDPAddrFromAddrPort(s.local) }
func (s *socket) SetDeadline(time.Time) error      { return nil }
func (s *socket) SetReadDeadline(time.Time) error  { return nil }
func (s *socket) SetWriteDeadline(time.Time) error { return nil }
