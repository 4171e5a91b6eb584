package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"sync/atomic"

	"github.com/turnout-rtc/turnout/cmd/turnout/handover"
	"github.com/turnout-rtc/turnout/cmd/turnout/metrics"
	"github.com/turnout-rtc/turnout/cmd/turnout/site"
	"github.com/turnout-rtc/turnout/sfu"
	"github.com/turnout-rtc/turnout/signaling"
	"github.com/turnout-rtc/turnout/turn"
	"github.com/turnout-rtc/turnout/web"
)

// server is a running turnout. Set by open, never changed.
type server struct {
	cfg      Config
	log      *slog.Logger
	media    *sfu.Engine
	turn     *turn.Server      // nil when it is turned off
	handover *handover.Carrier // from TURN to media, nil without both
	docs     *documents        // nil when none are kept
	rooms    *signaling.Server // nil in turnout turn, and so is media
	mux      *http.ServeMux
	http     []*endpoint // the plain one first
	https    *secured    // nil without a certificate
	failed   chan error  // of the HTTP server; room for one

	draining atomic.Bool
}

// open builds a server from the ground up: media, TURN, documents, rooms, and the HTTP server in front of them. routes are the
// command's own.
func open(cfg Config, routes map[string]http.Handler, log *slog.Logger) (_ *server, err error) {
	if err := cfg.Validate(); err != nil {
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
	if err := s.openMedia(); err != nil {
		return nil, err
	}
	if err := s.openTURN(mediaAddrs(s.media), "--turn-udp", "--turn-tcp"); err != nil {
		return nil, err
	}
	if s.docs, err = openDocuments(cfg); err != nil {
		return nil, err
	}
	planes := signaling.Planes{Media: s.media, Data: cfg.Datachannel, TURN: s.turn}
	if s.docs != nil {
		planes.Documents = s.docs.writer
	}
	if s.rooms, err = signaling.New(cfg.Signaling, planes, version(), log.With("plane", "signaling")); err != nil {
		return nil, err
	}
	app, err := site.New(web.Dist())
	if err != nil {
		return nil, err
	}
	s.mux.Handle("/", app)
	for pattern, handler := range routes {
		s.mux.Handle(pattern, handler)
	}
	s.rooms.Register(s.mux)
	return s, s.listen(metrics.Handler(version(), s.counters))
}

// listen opens the addresses of the HTTP server and serves.
func (s *server) listen(exposition http.Handler) error {
	s.mux.HandleFunc("GET /healthz", healthy)
	s.mux.HandleFunc("GET /readyz", s.ready)
	s.serveAPI()
	plain := http.NewServeMux()
	plain.Handle("/", s.mux)
	if s.cfg.Metrics == "" {
		plain.Handle("GET /metrics", exposition)
	}
	if s.cfg.Listen != "" {
		flag := "--listen"
		if s.rooms == nil {
			flag = "--http" // of turnout turn
		}
		if err := s.endpoint(s.cfg.Listen, flag, plain); err != nil {
			return err
		}
	}
	if err := s.serveSecure(); err != nil {
		return err
	}
	if s.cfg.Metrics == "" || s.cfg.Metrics == "off" {
		return nil
	}
	own := http.NewServeMux()
	own.Handle("GET /metrics", exposition)
	return s.endpoint(s.cfg.Metrics, "--metrics", own)
}

// drain stops the server in good order: no new participants, goodbye to the present ones, then the sockets. It returns when
// ctx is done at the latest, and close is still to be called.
func (s *server) drain(ctx context.Context) {
	s.draining.Store(true)
	if s.rooms != nil {
		s.rooms.Drain(ctx)
	} else if err := s.turn.Shutdown(ctx); err != nil {
		s.log.Info("allocations were ended", "err", err)
	}
	for _, e := range s.http {
		_ = e.server.Shutdown(ctx) // what is left is closed by close
	}
}

// close takes everything down at once, from the roof to the ground.
func (s *server) close() {
	if s.https != nil {
		s.logError("closing HTTPS", s.https.front.Close())
	}
	for _, e := range s.http {
		e.close()
	}
	if s.rooms != nil {
		s.rooms.Close()
	}
	if s.docs != nil {
		s.logError("closing the documents", s.docs.close())
	}
	if s.turn != nil {
		s.logError("closing TURN", s.turn.Close())
	}
	if s.handover != nil {
		s.handover.Close()
	}
	if s.media != nil {
		s.logError("closing media", s.media.Close())
	}
	if s.https != nil {
		s.https.close()
	}
}

func (s *server) logError(what string, err error) {
	if err != nil {
		s.log.Warn(what, "err", err)
	}
}

func (s *server) counters() metrics.Snapshot {
	var now metrics.Snapshot
	if s.rooms != nil {
		now.Media, now.Signaling = s.media.Stats(), s.rooms.Stats()
	}
	if s.docs != nil {
		now.Store = s.docs.writer.Stats()
	}
	if s.https != nil {
		now.Front = s.https.front.Stats()
		if end := s.https.certificate.NotAfter(); !end.IsZero() {
			now.CertNotAfter = end.Unix()
		}
	}
	if s.turn != nil {
		now.TURN = s.turn.Stats()
	}
	if s.handover != nil {
		now.Handover = s.handover.Stats()
	}
	return now
}

func healthy(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) }

// ready says whether new participants are welcome, for whoever spreads them over servers.
func (s *server) ready(w http.ResponseWriter, _ *http.Request) {
	if s.draining.Load() {
		http.Error(w, "draining", http.StatusServiceUnavailable)
		return
	}
	healthy(w, nil)
}

// mediaAddrs are where TURN may always relay to: the engine's own sockets.
func mediaAddrs(media *sfu.Engine) []netip.AddrPort {
	var addrs []netip.AddrPort
	for _, a := range media.Advertised() {
		addrs = append(addrs, a.Addr)
	}
	return addrs
}
