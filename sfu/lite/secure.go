package lite

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/selfsign"

	"github.com/turnout-rtc/turnout/sfu/lite/answer"
	"github.com/turnout-rtc/turnout/sfu/netio"
	"github.com/turnout-rtc/turnout/sfu/srtpkeys"
)

// dtlsReplay is the window of records that may arrive out of order.
const dtlsReplay = 64

var errFingerprint = errors.New("lite: the peer's certificate is not the one of its offer")

// certify makes the certificate if there is none, and what all handshakes have in common.
func (s *Server) certify() error {
	if s.cfg.Certificate.Certificate == nil {
		c, err := selfsign.GenerateSelfSigned()
		if err != nil {
			return fmt.Errorf("lite: make a certificate: %w", err)
		}
		s.cfg.Certificate = c
	}
	s.id.fingerprint = fingerprint("sha-256", s.cfg.Certificate.Certificate[0])
	s.id.options = []dtls.Option{
		dtls.WithCertificates(s.cfg.Certificate),
		dtls.WithSRTPProtectionProfiles(srtpkeys.Profiles()...),
		dtls.WithExtendedMasterSecret(dtls.RequireExtendedMasterSecret),
		dtls.WithInsecureSkipVerify(true), // there is verify
		dtls.WithReplayProtectionWindow(dtlsReplay),
		dtls.WithLoggerFactory(quiet{}),
	}
	return nil
}

func fingerprint(hash string, certificate []byte) answer.Fingerprint {
	var sum []byte
	switch hash {
	case "sha-384":
		h := sha512.Sum384(certificate)
		sum = h[:]
	case "sha-512":
		h := sha512.Sum512(certificate)
		sum = h[:]
	default:
		h := sha256.Sum256(certificate)
		sum = h[:]
	}
	pairs := make([]string, len(sum))
	for i := range sum {
		pairs[i] = strings.ToUpper(hex.EncodeToString(sum[i : i+1]))
	}
	return answer.Fingerprint{Hash: hash, Value: strings.Join(pairs, ":")}
}

// verify compares the peer's certificate with its offer (RFC 8122 §6.2).
func (t *Transport) verify(raw [][]byte, _ [][]*x509.Certificate) error {
	t.mu.Lock()
	known := t.fingerprints
	t.mu.Unlock()
	if len(raw) == 0 || !slices.ContainsFunc(known, func(f answer.Fingerprint) bool { return f == fingerprint(f.Hash, raw[0]) }) {
		return errFingerprint
	}
	return nil
}

// control takes over a datagram of DTLS. The first one begins the handshake.
func (t *Transport) control(p netio.Packet) {
	t.mu.Lock()
	begin := !t.life.shaking
	t.life.shaking = true
	t.mu.Unlock()
	t.queue.push(p)
	if begin {
		t.server.start(t, t.shake)
	}
}

// call begins the handshake where that is our part, as soon as there is a path.
func (t *Transport) call() {
	t.mu.Lock()
	begin := t.life.calls && !t.life.shaking && !t.life.closed && t.path.Load() != nil
	t.life.shaking = t.life.shaking || begin
	t.mu.Unlock()
	if begin {
		t.server.start(t, t.shake)
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
		_ = p.Socket.WriteTo(b, p.Remote) // counted by the socket; DTLS and SCTP send again
	}
}

// shake does the handshake, and then serves data channels if they were agreed on.
func (t *Transport) shake() {
	conn, err := t.handshake()
	if err != nil {
		_ = t.queue.Close()
		return
	}
	t.mu.Lock()
	late := t.life.closed
	if !late {
		t.life.conn = conn
	}
	data := t.data
	serve := t.life.startServing(data)
	changed := t.publish()
	t.mu.Unlock()
	if late {
		_ = conn.Close()
		return
	}
	t.tell(changed)
	if serve != nil {
		t.serve(serve, data)
	}
}

func (t *Transport) handshake() (*dtls.Conn, error) {
	t.mu.Lock()
	client := t.life.calls
	t.mu.Unlock()
	conn, err := t.dtls(client)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(t.ctx, t.server.cfg.Limits.Handshake)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	profile, _ := conn.SelectedSRTPProtectionProfile()
	state, ok := conn.ConnectionState()
	if !ok {
		return nil, errors.Join(errors.New("lite: DTLS has no state to export from"), conn.Close())
	}
	keys, err := srtpkeys.Export(&state, profile)
	switch {
	case err == nil && client:
		keys = keys.OfClient()
		t.keys.Store(&keys)
	case err == nil:
		t.keys.Store(&keys)
	case !errors.Is(err, srtpkeys.ErrNoProfile): // a peer with data channels only may offer none
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// dtls is our end of a handshake that has not begun.
func (t *Transport) dtls(client bool) (*dtls.Conn, error) {
	common := slices.Concat(t.server.id.options, []dtls.Option{dtls.WithVerifyPeerCertificate(t.verify)})
	if client {
		var options []dtls.ClientOption
		for _, o := range common {
			options = append(options, o)
		}
		return dtls.ClientWithOptions(t.queue, nowhere, options...)
	}
	options := []dtls.ServerOption{
		dtls.WithClientAuth(dtls.RequireAnyClientCert), // against the offer's fingerprint, see verify
		dtls.WithInsecureSkipVerifyHello(true),         // the path is proven by ICE, a cookie would cost a round trip
	}
	for _, o := range common {
		options = append(options, o)
	}
	return dtls.ServerWithOptions(t.queue, nowhere, options...)
}
