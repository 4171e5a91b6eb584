package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/turnout-rtc/turnout/datachannel"
)

type serveCommand struct {
	options
}

func (c *serveCommand) Run(p *process) error {
	log := newLogger(c.Config.Log, p.stderr)
	cfg, err := c.prepare(log)
	if err != nil {
		return err
	}
	return runServer(lifecycle{
		open: func() (*server, error) { return open(cfg, nil, log) },
		read: func() (Config, error) {
			var again commands
			if _, err := parse(p.args, &again, p.stdout, p.stderr); err != nil {
				return Config{}, err
			}
			return again.Serve.prepare(log)
		},
		announce: func(s *server) error {
			log.Info("serving", "version", version(), "listen", s.http[0].addr.String(), "media", mediaList(s), "batching", s.media.Batching(), "turn", turnList(s))
			mode, because := s.media.ICE()
			log.Info("ICE", "mode", mode, "because", because)
			s.announceSecure()
			return nil
		},
	})
}

// prepare is the Config with its secrets.
func (c *serveCommand) prepare(log *slog.Logger) (Config, error) {
	cfg := c.Config.resolved()
	if cfg.Data == "" {
		var err error
		if cfg.Data, err = defaultData(); err != nil {
			return cfg, err
		}
	}
	if err := openDataIfNeeded(cfg); err != nil {
		return cfg, err
	}
	return cfg, keepSecrets(&cfg, log)
}

// openDataIfNeeded leaves the disk alone when the configuration brings all the secrets and there are no documents and no
// certificate to keep.
func openDataIfNeeded(cfg Config) error {
	if len(cfg.Signaling.Keys) > 0 && !needsTURNSecret(cfg) && !cfg.keepsCertificate() && cfg.Datachannel.Store != datachannel.StoreBolt {
		return nil
	}
	return openData(cfg.Data)
}

// lifecycle is how a command opens its server, reads the configuration once more, and says where the server is.
type lifecycle struct {
	open     func() (*server, error)
	read     func() (Config, error)
	announce func(*server) error
}

// runServer serves until the first SIGINT or SIGTERM and then stops in good order; the second one stops it at once. SIGHUP
// reloads.
func runServer(how lifecycle) (err error) {
	signals, again := make(chan os.Signal, 2), make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(signals)
	signal.Notify(again, syscall.SIGHUP)
	defer signal.Stop(again)

	s, err := how.open()
	if err != nil {
		return err
	}
	defer s.close()
	if err := how.announce(s); err != nil {
		return err
	}
	for stopping := false; !stopping; {
		select {
		case <-again:
			s.reload(how.read)
		case err = <-s.failed:
			stopping = true
		case got := <-signals:
			s.log.Info("stopping", "signal", got.String(), "deadline", s.cfg.Shutdown)
			stopping = true
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.Shutdown)
	defer cancel()
	go func() {
		select {
		case <-signals:
			s.log.Warn("stopping at once")
			cancel()
		case <-ctx.Done(): // ends this goroutine, at the latest when runServer returns
		}
	}()
	s.drain(ctx)
	return err
}

func newLogger(cfg LogConfig, w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(cfg.Level)) // one of the enum
	options := &slog.HandlerOptions{Level: level}
	if cfg.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// announceSecure says where HTTPS is and whom to trust.
func (s *server) announceSecure() {
	if s.https != nil {
		s.log.Info("serving HTTPS", "url", s.secureURL(), "listen", s.https.front.Addr().String())
	}
	if sum := s.fingerprint(); sum != "" {
		s.log.Info("the certificate signs itself", "sha256", sum)
	}
}

func mediaList(s *server) []string {
	var list []string
	for _, a := range s.media.Advertised() {
		list = append(list, fmt.Sprintf("%s %s", a.Protocol, a.Addr))
	}
	return list
}

func turnList(s *server) []string {
	if s.turn == nil {
		return nil
	}
	return s.turn.Advertised()
}
