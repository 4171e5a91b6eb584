package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"

	"github.com/turnout-rtc/turnout/cmd/turnout/handover"
	"github.com/turnout-rtc/turnout/cmd/turnout/metrics"
	"github.com/turnout-rtc/turnout/cmd/turnout/turnapi"
	"github.com/turnout-rtc/turnout/signaling/auth"
	"github.com/turnout-rtc/turnout/turn"
)

// openRelay builds a server that has TURN and nothing else: no rooms, no media. Without cfg.Listen there is no plain HTTP.
func openRelay(cfg Config, log *slog.Logger) (_ *server, err error) {
	if err := errors.Join(cfg.validateOwn(), cfg.TURN.Validate()); err != nil {
		return nil, err
	}
	s := &server{cfg: cfg, log: log, mux: http.NewServeMux(), failed: make(chan error, 1)}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if err := s.openSecure(); err != nil {
		return nil, err
	}
	if err := s.openTURN(nil, "--listen", "--listen"); err != nil {
		return nil, err
	}
	return s, s.listen(metrics.HandlerOf(version(), s.counters, "turnout_turn_", "turnout_tls_"))
}

// openTURN opens the TURN server, unless it is turned off. media are where it may always relay to. The flags are those that
// change its addresses.
func (s *server) openTURN(media []netip.AddrPort, udpFlag, tcpFlag string) (err error) {
	if !s.cfg.TURN.Enabled {
		return nil
	}
	options := s.turnShares()
	if s.media != nil {
		s.handover = handover.New(s.media.AdoptTCP)
		options = append(options, turn.WithHandover(s.handover.Take)) // used with turn.relay.mode self
	}
	if s.https != nil {
		options = append(options, turn.WithCertificates(s.https.handshake))
	}
	s.turn, err = turn.New(s.advertised(s.cfg.TURN), media, s.log.With("plane", "turn"), options...)
	if err == nil && s.handover != nil {
		s.handover.Deliver(s.turn.Deliver)
	}
	if err == nil && s.sharesMedia() {
		err = s.media.Foreign(s.turn.AdoptPacketConn)
	}
	return explain(err, udpFlag, tcpFlag)
}

// advertised is cfg with the port that TURN shares with HTTPS. Without a name nobody could verify the certificate.
func (s *server) advertised(cfg turn.Config) turn.Config {
	if s.https != nil && s.cfg.Domain != "" {
		_, port, _ := net.SplitHostPort(s.https.front.Addr().String())
		url := fmt.Sprintf("turns:%s?transport=tcp", net.JoinHostPort(s.cfg.Domain, port))
		cfg.URLs = append(slices.Clone(cfg.URLs), url)
	}
	return cfg
}

// serveAPI adds /v1/turn.
func (s *server) serveAPI() {
	if s.turn == nil {
		return
	}
	keys, err := auth.NewKeys(s.cfg.Signaling.Keys)
	if err != nil {
		keys = auth.Keys{} // turnout turn has none; those of serve were validated
	}
	turnapi.New(s.turn, turnapi.Config{
		Tokens: keys, Operator: s.cfg.Operator, Origins: s.cfg.Signaling.Origins, Rate: s.cfg.APIRate,
	}).Register(s.mux)
}

// reload takes over what may change while the server runs: what turn.Server.Reload says, and certificate files.
func (s *server) reload(read func() (Config, error)) {
	cfg, err := read()
	if err == nil && s.turn != nil {
		err = s.turn.Reload(s.advertised(cfg.TURN))
	}
	if err == nil && s.https != nil {
		if files, ok := s.https.certificate.(interface{ Reload() error }); ok {
			err = files.Reload()
		}
	}
	if err != nil {
		s.log.Error("not reloaded, what was in force stays in force", "err", err)
		return
	}
	s.log.Info("reloaded", "turn", turnList(s))
}
