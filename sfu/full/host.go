package full

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"
	"github.com/pion/webrtc/v4"

	"github.com/turnout-rtc/turnout/sfu/link"
)

// Timeouts of ICE. pion drops all candidates of a failed connection, so it must have time to come back by itself; a browser
// that changes its network restarts ICE within that time.
const (
	disconnectedAfter = 15 * time.Second
	failedAfter       = 30 * time.Second
	keepAlive         = 2 * time.Second
)

// Config of a Host.
type Config struct {
	UDP    string       // host:port; no host or an unspecified one means all addresses of this machine
	TCP    string       // likewise, "" for no ICE over TCP
	Public []netip.Addr // advertised instead of the local addresses
	Log    *slog.Logger
}

var _ link.Host = (*Host)(nil)

// Host owns the sockets that all peers share.
type Host struct {
	// Set at construction, never changed.
	udp         *udpSockets
	tcp         *tcpSocket // nil without ICE over TCP
	advertised  []link.Address
	rewrite     bool // advertised differs from what the sockets are bound to
	api         *webrtc.API
	certificate webrtc.Certificate
	log         *slog.Logger

	closed atomic.Bool
}

// Open opens the sockets. An address in use or not ours is an error that names it.
func Open(c Config) (*Host, error) {
	h := &Host{log: c.Log}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	certificate, err := webrtc.GenerateCertificate(key)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	h.certificate = *certificate
	logs := logFactory{c.Log}
	if h.udp, err = listenUDP(c.UDP, logs); err != nil {
		return nil, err
	}
	if c.TCP != "" {
		if h.tcp, err = listenTCP(c.TCP, logs); err != nil {
			return nil, errors.Join(err, h.Close())
		}
	}
	h.advertised, h.rewrite = h.advertise(c.Public), len(c.Public) > 0
	if h.api, err = h.newAPI(logs); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

// Advertised lists the addresses that answers contain, best first.
func (h *Host) Advertised() []link.Address { return h.advertised }

// Dropped adds nothing: pion does not tell.
func (h *Host) Dropped(map[string]uint64) {}

// Close closes the sockets. It may be called twice. Peers must be closed before.
func (h *Host) Close() error {
	if h.closed.Swap(true) {
		return nil
	}
	var errs []error
	if h.udp != nil {
		errs = append(errs, h.udp.close())
	}
	if h.tcp != nil {
		errs = append(errs, h.tcp.close())
	}
	return errors.Join(errs...)
}

// newAPI says how all peers behave.
func (h *Host) newAPI(logs logFactory) (*webrtc.API, error) {
	var s webrtc.SettingEngine
	s.LoggerFactory = logs
	if err := s.SetAnsweringDTLSRole(webrtc.DTLSRoleServer); err != nil {
		return nil, err
	}
	// As DTLS server the choice is ours. GCM costs a seventh of the other one per packet; the last one is for peers that
	// have nothing else.
	s.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80)
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetIncludeLoopbackCandidate(true)
	s.SetICETimeouts(disconnectedAfter, failedAfter, keepAlive)
	// Otherwise pion looks at a track's first packet to find its codec, and gives the track up for good if that packet is a
	// repeat by RTX, with which browsers like to begin.
	s.SetFireOnTrackBeforeFirstRTP(true)
	s.SetReceiveMTU(link.MTU)
	s.DisableActiveTCP(true)
	s.SetICEUDPMux(h.udp.mux)
	networks := []webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6}
	if h.tcp != nil {
		s.SetICETCPMux(h.tcp.mux)
		networks = append(networks, webrtc.NetworkTypeTCP4, webrtc.NetworkTypeTCP6)
	}
	s.SetNetworkTypes(networks)
	// The client decides which pair is used (RFC 8445 §8.1.1); without this pion stays on the pair of higher priority.
	s.SetICEBindingRequestHandler(func(m *stun.Message, _, _ ice.Candidate, pair *ice.CandidatePair) bool {
		return pair != nil && m.Contains(stun.AttrUseCandidate)
	})
	media, err := newMedia()
	if err != nil {
		return nil, err
	}
	interceptors, err := newInterceptors(media, logs)
	if err != nil {
		return nil, err
	}
	return webrtc.NewAPI(webrtc.WithSettingEngine(s), webrtc.WithMediaEngine(media),
		webrtc.WithInterceptorRegistry(interceptors)), nil
}
