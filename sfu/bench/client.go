//go:build linux

package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/rtcp"
)

// patience is how long a client waits for what must happen.
const patience = 10 * time.Second

// client is a participant that costs this process as little as it can: ICE with one pair, DTLS, SRTP, feedback, and no jitter
// buffer. A full one is woken up by what it receives and decrypts all of it. A light one is read by the loop, and decrypts one
// packet of sampleEvery, to learn which it is.
type client struct {
	// Set at construction, never changed.
	socket      *socket
	certificate tls.Certificate
	local       credentials
	control     *inbox // DTLS
	full        bool

	// Set by connect, before the goroutines that use them.
	remote credentials
	secure *dtls.Conn

	bound   chan struct{} // closed when a check has succeeded
	binding sync.Once
	running sync.WaitGroup
	done    chan struct{}

	received received
	protect  protection
	notes    notes
	source   atomic.Pointer[publisher] // what it publishes, to be told that a key frame is asked for
}

func newClient(certificate tls.Certificate, full bool, sent *sendings) (*client, error) {
	s, err := newSocket()
	if err != nil {
		return nil, err
	}
	c := &client{
		socket: s, certificate: certificate, local: credentials{rand.Text()[:8], rand.Text()}, full: full,
		bound: make(chan struct{}), done: make(chan struct{}), received: received{sent: sent},
	}
	c.control = newInbox(s, c.done)
	return c, nil
}

// connect finishes what an answer has begun.
func (c *client) connect(answer string) error {
	var server netip.AddrPort
	c.remote, server = remoteOf(answer)
	if !server.IsValid() {
		return errors.New("the answer has no UDP candidate on loopback")
	}
	c.control.server, c.control.to = server, destination(server)
	reading := make(chan struct{})
	c.running.Go(func() {
		defer close(reading)
		c.socket.listen(c.take, c.ask)
	})
	c.running.Go(c.check)
	select {
	case <-c.bound:
	case <-time.After(patience):
		return errors.New("no check succeeded")
	}
	if err := c.handshake(); err != nil {
		return fmt.Errorf("DTLS: %w", err)
	}
	if c.full {
		c.running.Go(c.feedback)
		return nil
	}
	c.socket.quiet()
	<-reading
	return nil
}

func (c *client) handshake() error {
	conn, err := dtls.ClientWithOptions(c.control, net.UDPAddrFromAddrPort(c.control.server),
		dtls.WithCertificates(c.certificate), dtls.WithInsecureSkipVerify(true), dtls.WithExtendedMasterSecret(dtls.RequireExtendedMasterSecret),
		dtls.WithSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		return err
	}
	c.secure = conn
	return c.protect.start(conn)
}

// listener is a light client for the loop.
func (c *client) listener() *listener {
	return &listener{socket: c.socket, take: c.take, idle: c.ask, tell: c.tell}
}

// close ends the client and waits for its goroutines. The loop must have ended.
func (c *client) close() {
	close(c.done) // before DTLS, which waits for what its inbox may still get
	if c.secure != nil {
		_ = c.secure.Close()
	}
	c.socket.close()
	c.running.Wait()
}

// transmit sends a datagram to the server.
func (c *client) transmit(b []byte) error { return c.socket.send(b, c.control.to) }

// take is called with everything that arrives.
func (c *client) take(b []byte, at int64) {
	switch {
	case b[0] < 4:
		c.stun(b)
	case b[0] < 64:
		c.control.push(b)
	case len(b) >= 12 && b[1] >= 192 && b[1] <= 223:
		c.reports(b)
	case len(b) >= 12:
		c.media(b, at)
	}
}

// media counts a packet, and decrypts it or not.
func (c *client) media(b []byte, at int64) {
	first, sample := c.received.packet(b, at)
	if !first || !c.full && !sample {
		return
	}
	number, err := c.protect.open(b)
	if err != nil {
		c.received.broken(fmt.Errorf("stream %d, packet %d: %w", binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint16(b[2:]), err))
		return
	}
	c.received.opened(b, number, at, sample)
}

// reports reads the server's: a publisher is asked for key frames.
func (c *client) reports(b []byte) {
	p := c.source.Load()
	if p == nil {
		return
	}
	plain, err := c.protect.openReport(b)
	if err != nil {
		return
	}
	packets, err := rtcp.Unmarshal(plain)
	if err != nil {
		return
	}
	for _, one := range packets {
		switch one.(type) {
		case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
			p.key.Store(true)
		}
	}
}
