package turn

import (
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/pion/stun/v4"
	pion "github.com/pion/turn/v5"

	"github.com/turnout-rtc/turnout/turn/credential"
	"github.com/turnout-rtc/turnout/turn/frame"
	"github.com/turnout-rtc/turnout/turn/policy"
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
	allocateRequest         = 0x0003
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
	if s.srv.challenges.Load().take(time.Now(), to.Addr()) {
		return true
	}
	s.srv.count.drop(dropChallenge)
	return false
}

// authenticate gives pion the key of the user that a request names.
func (s *socket) authenticate(a *pion.RequestAttributes) (user string, key []byte, ok bool) {
	c, v := s.srv.verify(a.Username, a.Method == stun.MethodAllocate, time.Now())
	if v != authOK {
		s.srv.count.auth[v].Add(1)
		return "", nil, false
	}
	s.req.user, s.req.key = c.User, pion.GenerateAuthKey(a.Username, a.Realm, c.Password)
	return c.User, s.req.key, true
}

// verify judges a user name; the password is judged by the message integrity afterwards. The first request of an
// allocation has its time judged too.
func (s *Server) verify(username string, first bool, now time.Time) (credential.Credential, verdict) {
	cfg := s.settings.Load()
	c, err := cfg.keys.Verify(username)
	if err == nil && (first || cfg.Strict) {
		err = c.Check(now, longestTTL)
	}
	switch {
	case errors.Is(err, credential.ErrExpired):
		return c, authExpired
	case errors.Is(err, credential.ErrTooLong):
		return c, authTooLong
	case err != nil:
		return c, authMalformed
	case s.revoked.has(c.User, c.Expires):
		return c, authRevoked
	}
	return c, authOK
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
			r, _ := pol.Peer(peer, s.srv.live)
			return r
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
	// The same client may have a new relay while pion is still taking down the old one.
	on := func(client, relayed net.Addr, do func(*relay)) {
		if r := s.relay(addrPort(client)); r != nil && r.relayed == addrPort(relayed) {
			do(r)
		}
	}
	return pion.EventHandler{
		OnAuth: func(_, _ net.Addr, _, _, _, _ string, right bool) {
			s.req.authentic = right
			v := authOK
			if !right {
				v = authWrong
			}
			s.srv.count.auth[v].Add(1)
		},
		OnPermissionCreated: func(client, _ net.Addr, _, _, _ string, relayed net.Addr, ip net.IP) {
			on(client, relayed, func(r *relay) { withAddr(ip, r.peers.permit) })
		},
		OnPermissionDeleted: func(client, _ net.Addr, _, _, _ string, relayed net.Addr, ip net.IP) {
			on(client, relayed, func(r *relay) { withAddr(ip, r.peers.forbid) })
		},
		OnChannelCreated: func(client, _ net.Addr, _, _, _ string, relayed, peer net.Addr, number uint16) {
			on(client, relayed, func(r *relay) {
				a := addrPort(peer)
				r.peers.bind(a, s.srv.inside(a), number)
			})
		},
		OnChannelDeleted: func(client, _ net.Addr, _, _, _ string, relayed, peer net.Addr, number uint16) {
			on(client, relayed, func(r *relay) { r.peers.unbind(addrPort(peer), number) })
		},
	}
}

func withAddr(ip net.IP, do func(netip.Addr)) {
	if a, ok := netip.AddrFromSlice(ip); ok {
		do(a.Unmap())
	}
}
