package turn

import (
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/pion/stun/v4"
	pion "github.com/pion/turn/v5"

	"github.com/turnout-rtc/turnout/turn/frame"
	"github.com/turnout-rtc/turnout/turn/quota"
)

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
	if err := s.srv.holdings.reserve(s.srv.settings.Load().caps(), c.UserID, s.req.from.Addr()); err != nil {
		s.refuseHolding(err)
		return nil, nil, err
	}
	r, err := g.open(ip, c)
	if err != nil {
		s.srv.holdings.release(c.UserID, s.req.from.Addr())
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
		created: time.Now(), gone: make(chan struct{}), peers: newPeerTable(),
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
