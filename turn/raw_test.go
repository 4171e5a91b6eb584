package turn

import (
	"bytes"
	"crypto/md5" //nolint:gosec // RFC 8489 §9.2.2
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun/v4"
)

// raw is a client that sends whatever a test wants and sees what comes back.
type raw struct {
	t           testing.TB
	conn        net.Conn
	user, pass  string
	realm       string
	nonce       string
	readTimeout time.Duration
}

func newRaw(t testing.TB, s *Server, network, user string) *raw {
	t.Helper()
	servers, _ := s.ICEServers(user)
	last := servers[len(servers)-1]
	conn, err := net.Dial(network, serverAddr(t, s, network))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &raw{t: t, conn: conn, user: last.Username, pass: last.Credential, readTimeout: 5 * time.Second}
}

func (c *raw) key() stun.MessageIntegrity {
	sum := md5.Sum([]byte(c.user + ":" + c.realm + ":" + c.pass)) //nolint:gosec // RFC 8489 §9.2.2
	return sum[:]
}

// send sends b; a failure is the test's to see in what comes back.
func (c *raw) send(b []byte) { _, _ = c.conn.Write(b) }

// receive returns the next message, nil when none comes in time.
func (c *raw) receive() *stun.Message {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(c.readTimeout))
	buf := make([]byte, 2048)
	n, err := c.conn.Read(buf)
	if err != nil {
		return nil
	}
	m := &stun.Message{Raw: buf[:n]}
	if err := m.Decode(); err != nil {
		c.t.Fatalf("answer %x: %v", buf[:n], err)
	}
	return m
}

// bare sends a request without credentials.
func (c *raw) bare(method stun.Method, set ...stun.Setter) *stun.Message {
	c.t.Helper()
	return c.exchange(c.build(method, set...))
}

// exchange sends a request and returns its answer, nil when none comes in time. Over UDP it sends again, as everybody does.
func (c *raw) exchange(b []byte) *stun.Message {
	c.t.Helper()
	_, again := c.conn.(*net.UDPConn)
	buf := make([]byte, 2048)
	deadline := time.Now().Add(c.readTimeout)
	for wait := 20 * time.Millisecond; ; wait *= 2 {
		c.send(b)
		until := deadline
		if next := time.Now().Add(wait); again && next.Before(deadline) {
			until = next
		}
		_ = c.conn.SetReadDeadline(until)
		for {
			n, err := c.conn.Read(buf)
			if err != nil {
				break
			}
			m := &stun.Message{Raw: buf[:n]}
			if m.Decode() == nil && bytes.Equal(m.TransactionID[:], b[8:20]) {
				return m
			}
		}
		if !again || !time.Now().Before(deadline) {
			return nil
		}
	}
}

func (c *raw) build(method stun.Method, set ...stun.Setter) []byte {
	c.t.Helper()
	m, err := stun.Build(append([]stun.Setter{stun.TransactionID, stun.NewType(method, stun.ClassRequest)}, set...)...)
	if err != nil {
		c.t.Fatal(err)
	}
	return m.Raw
}

// request sends an authenticated request, after a challenge when there is no nonce yet. An error response other than to
// the challenge must have a right integrity.
func (c *raw) request(method stun.Method, set ...stun.Setter) *stun.Message {
	c.t.Helper()
	if c.nonce == "" {
		m := c.bare(method, set...)
		if m == nil {
			c.t.Fatalf("no challenge to %v", c.conn.LocalAddr())
		}
		var nonce stun.Nonce
		var realm stun.Realm
		if nonce.GetFrom(m) != nil || realm.GetFrom(m) != nil {
			c.t.Fatalf("no challenge: %v", m)
		}
		c.nonce, c.realm = nonce.String(), realm.String()
	}
	m := c.exchange(c.build(method, append(set, stun.NewUsername(c.user), stun.NewRealm(c.realm), stun.NewNonce(c.nonce), c.key())...))
	if m != nil && m.Contains(stun.AttrMessageIntegrity) {
		if err := c.key().Check(m); err != nil {
			c.t.Errorf("integrity of the answer %v: %v", m, err)
		}
	}
	return m
}

// allocate asks for a relay of a transport protocol and returns the answer.
func (c *raw) allocate(set ...stun.Setter) *stun.Message {
	c.t.Helper()
	return c.request(stun.MethodAllocate, append([]stun.Setter{protocolUDP}, set...)...)
}

// mustAllocate returns the relayed address.
func (c *raw) mustAllocate(set ...stun.Setter) netip.AddrPort {
	c.t.Helper()
	m := c.allocate(set...)
	if code(m) != 0 {
		c.t.Fatalf("allocate: %v", m)
	}
	var a stun.XORMappedAddress
	if err := a.GetFromAs(m, stun.AttrXORRelayedAddress); err != nil {
		c.t.Fatal(err)
	}
	return addrPort(&net.UDPAddr{IP: a.IP, Port: a.Port})
}

// code is the error code of an answer: 0 for success, -1 for none.
func code(m *stun.Message) int {
	if m == nil {
		return -1
	}
	var e stun.ErrorCodeAttribute
	if e.GetFrom(m) != nil {
		return 0
	}
	return int(e.Code)
}

// attr is an attribute with any value.
type attr struct {
	kind  stun.AttrType
	value []byte
}

func (a attr) AddTo(m *stun.Message) error {
	m.Add(a.kind, a.value)
	return nil
}

var (
	protocolUDP = attr{stun.AttrRequestedTransport, []byte{17, 0, 0, 0}}
	protocolTCP = attr{stun.AttrRequestedTransport, []byte{6, 0, 0, 0}}
)

type toPeer netip.AddrPort

func (p toPeer) AddTo(m *stun.Message) error {
	a := netip.AddrPort(p)
	return stun.XORMappedAddress{IP: a.Addr().AsSlice(), Port: int(a.Port())}.AddToAs(m, stun.AttrXORPeerAddress)
}

func peerAt(s string) toPeer { return toPeer(netip.MustParseAddrPort(s)) }

func channel(n uint16) attr {
	return attr{stun.AttrChannelNumber, binary.BigEndian.AppendUint16(nil, n)[:2:2]}.padded()
}

// padded fills the value to four bytes.
func (a attr) padded() attr {
	for len(a.value)%4 != 0 {
		a.value = append(a.value, 0)
	}
	return a
}

func lifetime(d time.Duration) attr {
	return attr{stun.AttrLifetime, binary.BigEndian.AppendUint32(nil, uint32(d.Seconds()))}
}
