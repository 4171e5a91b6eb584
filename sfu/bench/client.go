//go:build linux

package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/srtp/v3"
	"github.com/pion/stun/v4"
)

// patience is how long a client waits for what must happen.
const patience = 10 * time.Second

// client is a participant that costs this process as little as it can: ICE with one pair, DTLS, SRTP, feedback, and no jitter
// buffer. It decrypts one packet of many, to read when it was sent.
type client struct {
	// Set at construction, never changed.
	conn        *net.UDPConn
	certificate tls.Certificate
	local       credentials
	control     *inbox // DTLS

	// Set by connect, before the goroutines that use them.
	remote credentials
	secure *dtls.Conn

	bound   chan struct{} // closed when a check has succeeded
	binding sync.Once
	running sync.WaitGroup
	done    chan struct{}

	received received

	mu     sync.Mutex
	sealed [][]byte      // guarded by mu; used again
	out    *srtp.Context // guarded by mu; nil until DTLS is finished
	in     *srtp.Context // likewise; for RTCP, and for RTP that is sampled
	on     func()        // guarded by mu: a key frame is asked for
}

type credentials struct{ ufrag, password string }

func newClient(certificate tls.Certificate) (*client, error) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadBuffer(4 << 20)
	c := &client{
		conn: conn, certificate: certificate, local: credentials{rand.Text()[:8], rand.Text()},
		bound: make(chan struct{}), done: make(chan struct{}),
	}
	c.control = &inbox{conn: conn, packets: make(chan []byte, 64), done: c.done}
	return c, enableGRO(conn)
}

// connect finishes what an answer has begun.
func (c *client) connect(answer string) error {
	var server netip.AddrPort
	c.remote, server = remoteOf(answer)
	if !server.IsValid() {
		return errors.New("the answer has no UDP candidate on loopback")
	}
	c.control.server = server
	c.running.Go(c.read)
	c.running.Go(c.check)
	select {
	case <-c.bound:
	case <-time.After(patience):
		return errors.New("no check succeeded")
	}
	conn, err := dtls.ClientWithOptions(c.control, net.UDPAddrFromAddrPort(server),
		dtls.WithCertificates(c.certificate), dtls.WithInsecureSkipVerify(true), dtls.WithExtendedMasterSecret(dtls.RequireExtendedMasterSecret),
		dtls.WithSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("DTLS: %w", err)
	}
	c.secure = conn
	if err := c.takeKeys(); err != nil {
		return err
	}
	c.running.Go(c.feedback)
	return nil
}

func (c *client) takeKeys() error {
	state, _ := c.secure.ConnectionState()
	keys := srtp.Config{Profile: srtp.ProtectionProfileAeadAes128Gcm}
	if err := keys.ExtractSessionKeysFromDTLS(&state, true); err != nil {
		return err
	}
	out, err := srtp.CreateContext(keys.Keys.LocalMasterKey, keys.Keys.LocalMasterSalt, keys.Profile)
	if err != nil {
		return err
	}
	in, err := srtp.CreateContext(keys.Keys.RemoteMasterKey, keys.Keys.RemoteMasterSalt, keys.Profile)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.out, c.in = out, in
	c.mu.Unlock()
	return nil
}

// close ends the client and waits for its goroutines.
func (c *client) close() {
	if c.secure != nil {
		_ = c.secure.Close()
	}
	close(c.done)
	_ = c.conn.Close()
	c.running.Wait()
}

// send encrypts RTP packets and sends them in a row.
func (c *client) send(packets [][]byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.sealed) < len(packets) {
		c.sealed = append(c.sealed, make([]byte, 0, 2048))
	}
	for i, p := range packets {
		var err error
		if c.sealed[i], err = c.out.EncryptRTP(c.sealed[i][:0], p, nil); err != nil {
			return err
		}
	}
	for _, b := range c.sealed[:len(packets)] {
		if _, err := c.conn.WriteToUDPAddrPort(b, c.control.server); err != nil {
			return err
		}
	}
	return nil
}

// check sends connectivity checks, and later renews the server's consent.
func (c *client) check() {
	next := 20 * time.Millisecond
	for {
		m, err := stun.Build(stun.TransactionID, stun.BindingRequest, stun.NewUsername(c.remote.ufrag+":"+c.local.ufrag), ice.AttrControlling(1),
			ice.PriorityAttr(1<<30), ice.UseCandidate(), stun.NewShortTermIntegrity(c.remote.password), stun.Fingerprint)
		if err != nil {
			panic(err)
		}
		_, _ = c.conn.WriteToUDPAddrPort(m.Raw, c.control.server)
		select {
		case <-c.done:
			return
		case <-c.bound:
			next = 4 * time.Second
		default:
		}
		select {
		case <-c.done:
			return
		case <-time.After(next):
		}
	}
}

// stun takes an answer to a check of ours, and answers those of the server.
func (c *client) stun(b []byte, from netip.AddrPort) {
	m := &stun.Message{Raw: append([]byte(nil), b...)}
	if m.Decode() != nil {
		return
	}
	switch m.Type {
	case stun.BindingSuccess:
		c.binding.Do(func() { close(c.bound) })
	case stun.BindingRequest:
		r, err := stun.Build(m, stun.BindingSuccess, &stun.XORMappedAddress{IP: from.Addr().AsSlice(), Port: int(from.Port())},
			stun.NewShortTermIntegrity(c.local.password), stun.Fingerprint)
		if err == nil {
			_, _ = c.conn.WriteToUDPAddrPort(r.Raw, from)
		}
	}
}

// read takes everything that arrives.
func (c *client) read() {
	buf, oob := make([]byte, 64<<10), make([]byte, 64)
	for {
		n, oobn, _, from, err := c.conn.ReadMsgUDPAddrPort(buf, oob)
		if err != nil {
			return
		}
		size := segment(oob[:oobn], n)
		now := time.Now()
		for b := buf[:n]; len(b) > 0; b = b[min(size, len(b)):] {
			c.take(b[:min(size, len(b))], from, now)
		}
	}
}

func (c *client) take(b []byte, from netip.AddrPort, now time.Time) {
	switch {
	case b[0] < 4:
		c.stun(b, from)
	case b[0] < 64:
		c.control.push(b)
	case len(b) >= 12 && b[1] >= 192 && b[1] <= 223:
		c.reports(b)
	case len(b) >= 12:
		c.received.packet(b, now, c.sample)
	}
}

// inbox is the datagrams of DTLS as a net.PacketConn.
type inbox struct {
	conn    *net.UDPConn
	server  netip.AddrPort // set before it is used
	packets chan []byte
	done    chan struct{}
}

func (i *inbox) push(b []byte) {
	select {
	case i.packets <- append([]byte(nil), b...):
	default: // DTLS sends again
	}
}

// ReadFrom waits for a datagram.
func (i *inbox) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case p := <-i.packets:
		return copy(b, p), net.UDPAddrFromAddrPort(i.server), nil
	case <-i.done:
		return 0, nil, net.ErrClosed
	}
}

// WriteTo sends to the server.
func (i *inbox) WriteTo(b []byte, _ net.Addr) (int, error) {
	return i.conn.WriteToUDPAddrPort(b, i.server)
}

// Close leaves the socket open: it is the client's.
func (i *inbox) Close() error { return nil }

// LocalAddr is the socket's.
func (i *inbox) LocalAddr() net.Addr { return i.conn.LocalAddr() }

// SetDeadline does nothing: the handshake has a deadline of its own, and reading ends with the client.
func (i *inbox) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing, see SetDeadline.
func (i *inbox) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing, see SetDeadline.
func (i *inbox) SetWriteDeadline(time.Time) error { return nil }

// remoteOf reads what a client must know of an answer.
func remoteOf(answer string) (r credentials, server netip.AddrPort) {
	for line := range strings.Lines(answer) {
		line = strings.TrimSpace(line)
		if v, ok := strings.CutPrefix(line, "a=ice-ufrag:"); ok && r.ufrag == "" {
			r.ufrag = v
		}
		if v, ok := strings.CutPrefix(line, "a=ice-pwd:"); ok && r.password == "" {
			r.password = v
		}
		// a=candidate:1 1 udp 2130706431 127.0.0.1 7882 typ host
		f := strings.Fields(line)
		if strings.HasPrefix(line, "a=candidate:") && len(f) > 5 && strings.EqualFold(f[2], "udp") && f[4] == "127.0.0.1" && !server.IsValid() {
			server, _ = netip.ParseAddrPort(f[4] + ":" + f[5])
		}
	}
	return r, server
}
