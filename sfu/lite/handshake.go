package lite

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/pion/dtls/v3"

	"github.com/turnout-rtc/turnout/sfu/lite/record"
	"github.com/turnout-rtc/turnout/sfu/netio"
	"github.com/turnout-rtc/turnout/sfu/srtpkeys"
)

var errNoState = errors.New("lite: DTLS has ended, or has no state to export from")

// control takes over a datagram of DTLS, and returns the connection if it has something to send. The first one begins the
// handshake; those after it are the connection's.
func (t *Transport) control(now time.Time, p netio.Packet) *connection {
	if c := t.conn.Load(); c != nil {
		return c.control(now, p)
	}
	t.mu.Lock()
	begin := t.queue == nil && !t.life.shaken
	if begin {
		t.queue = t.newQueue()
	}
	q := t.queue
	t.mu.Unlock()
	taken := q != nil && q.push(p)
	if begin {
		t.server.start(t, func() { t.shake(q) })
	}
	if taken {
		return nil
	}
	if c := t.conn.Load(); c != nil { // the handshake was finished meanwhile
		return c.control(now, p)
	}
	p.Release()
	return nil
}

func (t *Transport) newQueue() *queue {
	return newQueue(t.server.cfg.Limits.Control, &t.server.count.controlFull, t.send)
}

// call begins the handshake where that is our part, as soon as there is a path.
func (t *Transport) call() {
	t.mu.Lock()
	begin := t.life.calls && t.queue == nil && !t.life.shaken && !t.life.closed && t.path.Load() != nil
	if begin {
		t.queue = t.newQueue()
	}
	q := t.queue
	t.mu.Unlock()
	if begin {
		t.server.start(t, func() { t.shake(q) })
	}
}

// send sends a datagram of DTLS.
func (t *Transport) send(b []byte) {
	switch p := t.path.Load(); {
	case p == nil:
		t.server.count.noPath.Add(1)
	case p.TCP != nil:
		p.TCP.Send(b)
	default:
		_ = p.Socket.WriteTo(b, p.Remote) // counted by the socket; it is sent again
	}
}

// shake does the handshake, and has the connection take over.
func (t *Transport) shake(q *queue) {
	c, err := t.handshake(q)
	_ = q.Close()
	t.mu.Lock()
	late := t.life.closed
	if err == nil && !late {
		t.conn.Store(c)
	}
	t.queue, t.life.shaken = nil, true
	changed := t.publish()
	t.mu.Unlock()
	early := q.leave()
	switch {
	case err != nil:
		t.end()
	case late:
		c.goodbye()
	default:
		t.tell(changed)
	}
	for _, p := range early {
		if err != nil || late {
			p.Release()
		} else if due := c.control(time.Now(), p); due != nil {
			t.server.pump.mark(due)
		}
	}
}

// handshake has pion do it, and takes the connection over. Nothing of pion's is reachable after it.
func (t *Transport) handshake(q *queue) (*connection, error) {
	t.mu.Lock()
	client := t.life.calls
	t.mu.Unlock()
	shaking, err := t.dtls(q, client)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(t.ctx, t.server.cfg.Limits.Handshake)
	defer cancel()
	if err := shaking.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	sent, alive := q.mute() // from here on no record is sent but ours: a sequence number used twice would break GCM
	state, ok := shaking.ConnectionState()
	profile, _ := shaking.SelectedSRTPProtectionProfile()
	_ = shaking.Close() // its goodbye goes nowhere
	if !alive || !ok {
		return nil, errNoState
	}
	if err := t.export(&state, profile, client); err != nil {
		return nil, err
	}
	secrets, err := record.Export(&state, sent.next)
	if err != nil {
		return nil, err
	}
	layer, err := record.New(secrets)
	if err != nil {
		return nil, err
	}
	c := newConnection(t, layer)
	if !client { // the last flight is the server's
		c.flight = sent.flight
	}
	return c, nil
}

// export takes the keys of SRTP.
func (t *Transport) export(state *dtls.State, profile dtls.SRTPProtectionProfile, client bool) error {
	keys, err := srtpkeys.Export(state, profile)
	if errors.Is(err, srtpkeys.ErrNoProfile) { // a peer with data channels only may offer none
		return nil
	}
	if err != nil {
		return err
	}
	if client {
		keys = keys.OfClient()
	}
	t.keys.Store(&keys)
	return nil
}

// dtls is our end of a handshake that has not begun.
func (t *Transport) dtls(q *queue, client bool) (*dtls.Conn, error) {
	common := slices.Concat(t.server.id.options, []dtls.Option{dtls.WithVerifyPeerCertificate(t.verify)})
	if client {
		var options []dtls.ClientOption
		for _, o := range common {
			options = append(options, o)
		}
		return dtls.ClientWithOptions(q, nowhere, options...)
	}
	options := []dtls.ServerOption{
		dtls.WithClientAuth(dtls.RequireAnyClientCert), // against the offer's fingerprint, see verify
		dtls.WithInsecureSkipVerifyHello(true),         // the path is proven by ICE, a cookie would cost a round trip
	}
	for _, o := range common {
		options = append(options, o)
	}
	return dtls.ServerWithOptions(q, nowhere, options...)
}
