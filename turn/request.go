package turn

import (
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/pion/stun/v4"
	pion "github.com/pion/turn/v5"

	"github.com/turnout-rtc/turnout/turn/frame"
	"github.com/turnout-rtc/turnout/turn/policy"
	"github.com/turnout-rtc/turnout/turn/quota"
)

// request is the STUN message that pion is working on.
type request struct {
	from      netip.AddrPort
	raw       []byte         // valid until the next read
	user      string         // whom it names
	key       []byte         // of the message integrity, once a user was named
	authentic bool           // the integrity was right
	answered  bool           // pion has sent its answer
	refusal   stun.ErrorCode // what we refuse it with; 0 when pion decides
}

// Message types of RFC 8656 §17.
const (
	refreshRequest          = 0x0004
	createPermissionRequest = 0x0008
	channelBindRequest      = 0x0009
)

func (q *request) kind() uint16 {
	if len(q.raw) < 2 {
		return 0
	}
	return uint16(q.raw[0])<<8 | uint16(q.raw[1])
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

// settle answers what pion has left unanswered: a request of an authenticated client that has no allocation (437) or whose
// allocation is another user's (441), RFC 8656 §7.3, §10.2 and §5.
func (s *socket) settle() {
	q := &s.req
	if !q.authentic || q.answered {
		return
	}
	switch q.kind() {
	case refreshRequest, createPermissionRequest, channelBindRequest:
	default:
		return
	}
	m := &stun.Message{Raw: q.raw}
	if m.Decode() != nil {
		return
	}
	code := stun.CodeAllocMismatch
	if r := s.relay(q.from); r != nil && r.user != q.user {
		code = stun.CodeWrongCredentials
	}
	answer, err := stun.Build(stun.NewTransactionIDSetter(m.TransactionID), stun.NewType(m.Type.Method, stun.ClassErrorResponse),
		code, stun.MessageIntegrity(q.key))
	if err == nil {
		_ = s.transport.write(answer.Raw, q.from)
	}
}

// challenges says whether an unauthorized answer may be sent. Over UDP the source of a request may be forged, and the
// answer is longer than the request.
func (s *socket) challenges(b []byte, to netip.AddrPort) bool {
	const errorClass = 0x0110
	isError := len(b) > 1 && (uint16(b[0])<<8|uint16(b[1]))&errorClass == errorClass
	if s.stream() || !isError || to.Addr().IsLoopback() {
		return true
	}
	if s.srv.challenges.Load().Take(time.Now(), to.Addr()) {
		return true
	}
	s.srv.count.drop(dropChallenge)
	return false
}

// authenticate gives pion the key of the user that a request names.
func (s *socket) authenticate(a *pion.RequestAttributes) (user string, key []byte, ok bool) {
	cfg, now := s.srv.settings.Load(), time.Now()
	c, err := cfg.keys.Verify(a.Username)
	if err == nil && (cfg.Strict || a.Method == stun.MethodAllocate) {
		err = c.Check(now, longestTTL)
	}
	if err != nil || s.srv.revoked.has(c.User, c.Expires) {
		s.srv.count.authFailed.Add(1)
		return "", nil, false
	}
	s.req.user, s.req.key = c.User, pion.GenerateAuthKey(a.Username, a.Realm, c.Password)
	return c.User, s.req.key, true
}

// permitted judges the peer of a CreatePermission or ChannelBind request.
func (s *socket) permitted(_ net.Addr, ip net.IP) bool {
	addr, ok := netip.AddrFromSlice(ip)
	if !ok {
		return false
	}
	addr = addr.Unmap()
	if reason := s.judge(addr); reason != policy.Allowed {
		s.srv.count.deny(reason)
		s.req.refusal = stun.CodeForbidden
		return false
	}
	r := s.relay(s.req.from)
	if r == nil {
		return false
	}
	if which, ok := s.room(r, addr); !ok {
		s.srv.count.refuse(which)
		s.req.refusal = stun.CodeInsufficientCapacity
		return false
	}
	return true
}

// judge looks at the port too when the request has one to say: a channel is bound to a port, a permission is not.
func (s *socket) judge(addr netip.Addr) policy.Reason {
	pol := s.srv.policy.Load()
	if s.req.kind() == channelBindRequest {
		if peer, ok := frame.PeerAddress(s.req.raw); ok {
			return pol.Peer(peer, s.srv.live)
		}
	}
	return pol.Address(addr)
}

// room says whether r may have one more peer, and if not, which limit it has reached.
func (s *socket) room(r *relay, addr netip.Addr) (limited, bool) {
	cfg := s.srv.settings.Load()
	var channel uint16
	if s.req.kind() == channelBindRequest {
		channel = frame.ChannelNumber(s.req.raw)
	}
	which, known, ok := r.peers.room(addr, channel, cfg.Limits)
	switch {
	case !ok:
		return which, false
	case !known && !r.newPeers.Take(time.Now(), cfg.peerRate, 1):
		return limitNewPeers, false
	}
	return 0, true
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
			on(client, func(r *relay) { withAddr(ip, r.peers.permit) })
		},
		OnPermissionDeleted: func(client, _ net.Addr, _, _, _ string, _ net.Addr, ip net.IP) {
			on(client, func(r *relay) { withAddr(ip, r.peers.forbid) })
		},
		OnChannelCreated: func(client, _ net.Addr, _, _, _ string, _, peer net.Addr, number uint16) {
			on(client, func(r *relay) {
				a := addrPort(peer)
				r.peers.bind(a, s.srv.inside(a), number)
			})
		},
		OnChannelDeleted: func(client, _ net.Addr, _, _, _ string, _, peer net.Addr, number uint16) {
			on(client, func(r *relay) { r.peers.unbind(addrPort(peer), number) })
		},
	}
}

func withAddr(ip net.IP, do func(netip.Addr)) {
	if a, ok := netip.AddrFromSlice(ip); ok {
		do(a.Unmap())
	}
}

// generator opens the relays of a socket.
type generator struct{ sock *socket }

func (g generator) Validate() error { return nil }

// attrEvenPort is EVEN-PORT of RFC 8656 §18.6.
const attrEvenPort = 0x0018

var (
	errNoFamily = errors.New("this machine has no address of the wanted family")
	errNoTCP    = errors.New("TCP allocations (RFC 6062) are not offered")
	errDraining = errors.New("the server is shutting down")
)

// AllocatePacketConn opens a relay for the request at hand. pion also calls it without a user, to find an even port, and
// closes what it gets.
func (g generator) AllocatePacketConn(c pion.AllocateListenerConfig) (net.PacketConn, net.Addr, error) {
	s := g.sock
	if s.srv.draining.Load() {
		s.srv.count.refuse(limitDraining)
		return nil, nil, errDraining
	}
	ip := s.srv.network.Load().relayAddress(s.local.Addr(), c.Network == "udp6")
	if !ip.IsValid() {
		s.req.refusal = stun.CodeAddrFamilyNotSupported
		return nil, nil, errNoFamily
	}
	if c.UserID == "" {
		return g.probe(ip)
	}
	if err := s.srv.holdings.Reserve(s.srv.settings.Load().caps(), c.UserID, s.req.from.Addr()); err != nil {
		s.refuseHolding(err)
		return nil, nil, err
	}
	r, err := g.open(ip, c)
	if err != nil {
		s.srv.holdings.Release(c.UserID, s.req.from.Addr())
		return nil, nil, err
	}
	return r, r.LocalAddr(), nil
}

func (s *socket) refuseHolding(err error) {
	switch {
	case errors.Is(err, quota.ErrUser):
		s.req.refusal = stun.CodeAllocQuotaReached
		s.srv.count.refuse(limitUser)
	case errors.Is(err, quota.ErrSource):
		s.req.refusal = stun.CodeAllocQuotaReached
		s.srv.count.refuse(limitSource)
	default:
		s.req.refusal = stun.CodeInsufficientCapacity
		s.srv.count.refuse(limitTotal)
	}
}

func (c *settings) caps() quota.Caps {
	return quota.Caps{PerUser: c.Limits.AllocationsPerUser, PerSource: c.Limits.AllocationsPerSource, Total: c.Limits.Allocations}
}

func (g generator) open(ip netip.Addr, c pion.AllocateListenerConfig) (*relay, error) {
	s := g.sock
	var out outlet
	port, err := s.srv.ports.take(c.RequestedPort, 1, func(port int) (err error) {
		out, err = s.outlet(ip, port)
		return err
	})
	if err != nil {
		s.srv.count.refuse(limitPorts)
		return nil, err
	}
	local := netip.AddrPortFrom(ip, uint16(port)) //nolint:gosec // a port
	r := &relay{
		sock: s, client: s.req.from, user: c.UserID, local: local, relayed: s.srv.network.Load().outside(local), out: out,
		created: time.Now(), closed: make(chan struct{}), peers: newPeerTable(),
	}
	if m, ok := out.(*memoryOutlet); ok {
		m.from = r.relayed
	}
	s.srv.running.Add(1)
	s.srv.remember(r)
	s.remember(r)
	return r, nil
}

// probe finds an even port for pion.
func (g generator) probe(ip netip.Addr) (net.PacketConn, net.Addr, error) {
	s, step := g.sock, 1
	if frame.Has(s.req.raw, attrEvenPort) {
		step = 2
	}
	var conn *net.UDPConn
	port, err := s.srv.ports.take(0, step, func(port int) (err error) {
		conn, err = openRelay(ip, port)
		return err
	})
	if err != nil {
		s.srv.count.refuse(limitPorts)
		return nil, nil, err
	}
	return probe{conn, func() { s.srv.ports.release(port) }}, conn.LocalAddr(), nil
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

// AllocateListener refuses TCP allocations (RFC 6062): pion would dial peers inside the read loop of all clients.
func (g generator) AllocateListener(pion.AllocateListenerConfig) (net.Listener, net.Addr, error) {
	g.sock.req.refusal = stun.CodeUnsupportedTransProto
	return nil, nil, errNoTCP
}

// AllocateConn refuses as AllocateListener does.
func (g generator) AllocateConn(pion.AllocateConnConfig) (net.Conn, error) { return nil, errNoTCP }
