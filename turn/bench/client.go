//go:build linux

package main

import (
	"crypto/md5" //nolint:gosec // RFC 8489 §9.2.2
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/stun/v4"

	"github.com/turnout-rtc/turnout/turn/frame"
)

const firstChannel = 0x4000

// client has an allocation with one channel.
type client struct {
	conn       *net.UDPConn
	user, pass string
	nonce      stun.Nonce
	realm      stun.Realm
	times      []time.Duration // Owned by receive until done.
	done       chan struct{}
	once       sync.Once
}

func dial(server netip.AddrPort, user, pass string, peer netip.AddrPort) (*client, error) {
	conn, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(server))
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadBuffer(1 << 20)
	c := &client{conn: conn, user: user, pass: pass, done: make(chan struct{})}
	if err := c.setUp(peer); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return c, nil
}

func (c *client) setUp(peer netip.AddrPort) error {
	transport := attribute{stun.AttrRequestedTransport, []byte{17, 0, 0, 0}}
	m, err := c.ask(stun.MethodAllocate, transport)
	if err != nil {
		return err
	}
	if err := m.Parse(&c.nonce, &c.realm); err != nil {
		return fmt.Errorf("no challenge: %v: %w", m, err)
	}
	sum := md5.Sum([]byte(c.user + ":" + c.realm.String() + ":" + c.pass)) //nolint:gosec // RFC 8489 §9.2.2
	auth := []stun.Setter{stun.NewUsername(c.user), c.realm, c.nonce, stun.MessageIntegrity(sum[:])}
	if m, err = c.ask(stun.MethodAllocate, append([]stun.Setter{transport}, auth...)...); err != nil || m.Type.Class != stun.ClassSuccessResponse {
		return fmt.Errorf("allocate: %v, %w", m, err)
	}
	channel := attribute{stun.AttrChannelNumber, []byte{firstChannel >> 8, firstChannel & 0xff, 0, 0}}
	m, err = c.ask(stun.MethodChannelBind, append([]stun.Setter{channel, peerAddress(peer)}, auth...)...)
	if err != nil || m.Type.Class != stun.ClassSuccessResponse {
		return fmt.Errorf("channel: %v, %w", m, err)
	}
	return nil
}

// ask sends a request until it is answered.
func (c *client) ask(method stun.Method, set ...stun.Setter) (*stun.Message, error) {
	request, err := stun.Build(append([]stun.Setter{stun.TransactionID, stun.NewType(method, stun.ClassRequest)}, set...)...)
	if err != nil {
		return nil, err
	}
	buf := make([]byte, 2048)
	for range 20 {
		_, _ = c.conn.Write(request.Raw) // a server that is still starting refuses
		_ = c.conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		n, err := c.conn.Read(buf)
		if err != nil {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		m := &stun.Message{Raw: buf[:n]}
		if m.Decode() == nil && m.TransactionID == request.TransactionID {
			_ = c.conn.SetReadDeadline(time.Time{})
			return m, nil
		}
	}
	return nil, fmt.Errorf("no answer to %v", method)
}

// receive notes the round-trip times until the client is closed.
func (c *client) receive() {
	defer close(c.done)
	buf := make([]byte, 2048)
	for {
		n, err := c.conn.Read(buf)
		if err != nil {
			return
		}
		if _, b, ok := frame.Channel(buf[:n]); ok && len(b) >= 8 {
			at := time.Unix(0, int64(binary.BigEndian.Uint64(b))) //nolint:gosec // our own clock
			c.times = append(c.times, time.Since(at))
		}
	}
}

func (c *client) close() { c.once.Do(func() { _ = c.conn.Close() }) }

type attribute struct {
	kind  stun.AttrType
	value []byte
}

func (a attribute) AddTo(m *stun.Message) error {
	m.Add(a.kind, a.value)
	return nil
}

type peerAddress netip.AddrPort

func (p peerAddress) AddTo(m *stun.Message) error {
	a := netip.AddrPort(p)
	return stun.XORMappedAddress{IP: a.Addr().AsSlice(), Port: int(a.Port())}.AddToAs(m, stun.AttrXORPeerAddress)
}
