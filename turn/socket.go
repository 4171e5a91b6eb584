package turn

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/stun/v4"
	pion "github.com/pion/turn/v5"

	"github.com/turnout-rtc/turnout/turn/frame"
	"github.com/turnout-rtc/turnout/turn/policy"
)

// transport is how the clients of a socket are reached: a UDP socket with many clients, or a stream with one.
type transport interface {
	// read returns one message of a client, in p. It fails only when the transport has ended.
	read(p []byte) (n int, from netip.AddrPort, err error)
	// write sends one message. It may be called by several goroutines.
	write(b []byte, to netip.AddrPort) error
	// stream says whether messages are padded to four bytes.
	stream() bool
	local() net.Addr
	close() error
}

// socket is one transport with the pion server that speaks for it. pion does what is asked once and answered: allocations,
// permissions, channels and their life times. Data goes past it. Each transport has a pion server of its own, so that all
// callbacks of a request come from the one goroutine that read it, and what is known about the request is at hand.
type socket struct {
	// Set at construction, never changed.
	srv       *Server
	transport transport

	mu     sync.RWMutex
	relays map[netip.AddrPort]*relay // Guarded by mu: by client

	req   request // Owned by pion's read loop, which runs all callbacks of a request.
	ended sync.Once
}

// request is the STUN message that pion is working on.
type request struct {
	from      netip.AddrPort
	raw       []byte         // valid until the next read
	key       []byte         // of the message integrity, once a user was named
	authentic bool           // the integrity was right
	refusal   stun.ErrorCode // what we refuse it with; 0 when pion decides
}

func newSocket(srv *Server, t transport) *socket {
	return &socket{srv: srv, transport: t, relays: map[netip.AddrPort]*relay{}}
}

// serve starts the pion server, whose read loop ends when the transport does.
func (s *socket) serve() error {
	_, err := pion.NewServer(pion.ServerConfig{
		Realm:         s.srv.cfg.Realm,
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

// ReadFrom gives pion the next request. Data is relayed here and never returned.
func (s *socket) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		n, from, err := s.transport.read(p)
		if err != nil {
			s.end()
			return 0, nil, net.ErrClosed
		}
		if s.data(p[:n], from) {
			continue
		}
		s.req = request{from: from, raw: p[:n]}
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

// data relays b if it is ChannelData or a Send indication, and says whether it was.
func (s *socket) data(b []byte, from netip.AddrPort) bool {
	if frame.IsChannel(b) {
		s.channelData(b, from)
		return true
	}
	addr, payload, ok := frame.Send(b)
	if !ok {
		return false
	}
	r := s.relay(from)
	if r == nil {
		s.srv.count.drop(dropNoAllocation)
		return true
	}
	to, why, ok := r.sendPeer(addr)
	if !ok {
		s.srv.count.drop(why)
		return true
	}
	r.send(payload, to)
	return true
}

func (s *socket) channelData(b []byte, from netip.AddrPort) {
	channel, payload, ok := frame.Channel(b)
	if !ok {
		s.srv.count.drop(dropMalformed)
		return
	}
	r := s.relay(from)
	if r == nil {
		s.srv.count.drop(dropNoAllocation)
		return
	}
	to, why, ok := r.channelPeer(channel)
	if !ok {
		s.srv.count.drop(why)
		return
	}
	r.send(payload, to)
}

// relay finds the relay of a client, nil when it has none.
func (s *socket) relay(client netip.AddrPort) *relay {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.relays[client]
}

func (s *socket) remember(r *relay) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.relays[r.client] = r
}

func (s *socket) forget(r *relay) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.relays[r.client] == r {
		delete(s.relays, r.client)
	}
}

// WriteTo sends pion's answer, with the refusal that we know better.
func (s *socket) WriteTo(p []byte, _ net.Addr) (int, error) {
	out := p
	if s.req.refusal != 0 && s.req.authentic {
		out = refuse(p, s.req.refusal, s.req.key)
	}
	if err := s.transport.write(out, s.req.from); err != nil {
		return 0, err
	}
	return len(p), nil
}

// refuse makes of an error response the one with another code.
func refuse(answer []byte, code stun.ErrorCode, key []byte) []byte {
	m := &stun.Message{Raw: answer}
	if err := m.Decode(); err != nil || m.Type.Class != stun.ClassErrorResponse {
		return answer
	}
	other, err := stun.Build(stun.NewTransactionIDSetter(m.TransactionID), m.Type, code, stun.MessageIntegrity(key))
	if err != nil {
		return answer
	}
	return other.Raw
}

// Close ends the transport, and with it pion's read loop and every allocation.
func (s *socket) Close() error { return s.transport.close() }

func (s *socket) LocalAddr() net.Addr              { return s.transport.local() }
func (s *socket) SetDeadline(time.Time) error      { return nil }
func (s *socket) SetReadDeadline(time.Time) error  { return nil }
func (s *socket) SetWriteDeadline(time.Time) error { return nil }

// authenticate gives pion the key of the user that a request names.
func (s *socket) authenticate(a *pion.RequestAttributes) (user string, key []byte, ok bool) {
	c, err := s.srv.cfg.keys.Verify(a.Username)
	if err == nil && a.Method == stun.MethodAllocate {
		err = c.Check(time.Now(), longestTTL)
	}
	if err != nil {
		s.srv.count.authFailed.Add(1)
		return "", nil, false
	}
	s.req.key = pion.GenerateAuthKey(a.Username, a.Realm, c.Password)
	return c.User, s.req.key, true
}

// permitted judges the peer of a CreatePermission or ChannelBind request.
func (s *socket) permitted(_ net.Addr, ip net.IP) bool {
	addr, ok := netip.AddrFromSlice(ip)
	if !ok {
		return false
	}
	reason := s.judge(addr.Unmap())
	if reason != policy.Allowed {
		s.srv.count.deny(reason)
		s.req.refusal = stun.CodeForbidden
		return false
	}
	return true
}

// judge looks at the port too when the request has one to say: a channel is bound to a port, a permission is not.
func (s *socket) judge(addr netip.Addr) policy.Reason {
	pol := s.srv.policy.Load()
	if messageType(s.req.raw) == channelBindRequest {
		if peer, ok := frame.PeerAddress(s.req.raw); ok {
			return s.srv.judge(pol, peer)
		}
	}
	return pol.Address(addr)
}

// events tells relays what pion granted. pion calls with its own locks held, so these take the relay's lock and no other.
func (s *socket) events() pion.EventHandler {
	on := func(client net.Addr, do func(*relay)) {
		if r := s.relay(addrPort(client)); r != nil {
			do(r)
		}
	}
	return pion.EventHandler{
		OnAuth: func(_, _ net.Addr, _, _, _, _ string, verdict bool) {
			s.req.authentic = verdict
			if !verdict {
				s.srv.count.authFailed.Add(1)
			}
		},
		OnPermissionCreated: func(client, _ net.Addr, _, _, _ string, _ net.Addr, ip net.IP) {
			on(client, func(r *relay) { withAddr(ip, r.permit) })
		},
		OnPermissionDeleted: func(client, _ net.Addr, _, _, _ string, _ net.Addr, ip net.IP) {
			on(client, func(r *relay) { withAddr(ip, r.forbid) })
		},
		OnChannelCreated: func(client, _ net.Addr, _, _, _ string, _, peer net.Addr, number uint16) {
			on(client, func(r *relay) { r.bound(addrPort(peer), number) })
		},
		OnChannelDeleted: func(client, _ net.Addr, _, _, _ string, _, peer net.Addr, number uint16) {
			on(client, func(r *relay) { r.unbound(addrPort(peer), number) })
		},
	}
}

func withAddr(ip net.IP, do func(netip.Addr)) {
	if a, ok := netip.AddrFromSlice(ip); ok {
		do(a.Unmap())
	}
}

// Message types of RFC 8656 §17.
const channelBindRequest = 0x0009

func messageType(b []byte) uint16 {
	if len(b) < 2 {
		return 0
	}
	return uint16(b[0])<<8 | uint16(b[1])
}

// generator opens the relays of a socket.
type generator struct{ sock *socket }

func (g generator) Validate() error { return nil }

// attrEvenPort is EVEN-PORT of RFC 8656 §18.6.
const attrEvenPort = 0x0018

// AllocatePacketConn opens a relay for the request at hand. pion also calls it without a user, to find an even port, and
// closes what it gets.
func (g generator) AllocatePacketConn(c pion.AllocateListenerConfig) (net.PacketConn, net.Addr, error) {
	s := g.sock
	v6 := c.Network == "udp6"
	ip := s.srv.relayAddress(addrPort(s.transport.local()).Addr(), v6)
	if !ip.IsValid() {
		s.req.refusal = stun.CodeAddrFamilyNotSupported
		return nil, nil, errNoFamily
	}
	step := 1
	if c.RequestedPort == 0 && frame.Has(s.req.raw, attrEvenPort) {
		step = 2
	}
	var conn *net.UDPConn
	port, err := s.srv.ports.take(c.RequestedPort, step, func(port int) (err error) {
		conn, err = openRelay(ip, port)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	local := netip.AddrPortFrom(ip, uint16(port)) //nolint:gosec // a port
	if c.UserID == "" {
		return probe{conn, func() { s.srv.ports.release(port) }}, conn.LocalAddr(), nil
	}
	r := &relay{
		sock: s, client: s.req.from, user: c.UserID, local: local, relayed: s.srv.outside(local), conn: conn,
		created: time.Now(), closed: make(chan struct{}),
		peers: map[netip.AddrPort]*peer{}, channels: map[uint16]*peer{}, permits: map[netip.Addr]bool{},
	}
	s.remember(r)
	s.srv.running.Add(1)
	s.srv.count.allocations.Add(1)
	s.srv.count.allocationsTotal.Add(1)
	return r, r.LocalAddr(), nil
}

// probe is a relay socket that only shows that its port is free.
type probe struct {
	*net.UDPConn
	release func()
}

func (p probe) Close() error {
	err := p.UDPConn.Close()
	p.release()
	return err
}

var (
	errNoFamily = errors.New("this machine has no address of the wanted family")
	errNoTCP    = errors.New("TCP allocations (RFC 6062) are not offered")
)

// AllocateListener refuses TCP allocations (RFC 6062): pion would dial peers inside the read loop of all clients.
func (g generator) AllocateListener(pion.AllocateListenerConfig) (net.Listener, net.Addr, error) {
	g.sock.req.refusal = stun.CodeUnsupportedTransProto
	return nil, nil, errNoTCP
}

// AllocateConn refuses as AllocateListener does.
func (g generator) AllocateConn(pion.AllocateConnConfig) (net.Conn, error) { return nil, errNoTCP }
