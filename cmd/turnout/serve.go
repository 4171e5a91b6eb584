package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

type serveCommand struct {
	options
}

func (c *serveCommand) Run(p *process) error {
	cfg, log := c.Config.resolved(), newLogger(c.Config.Log, p.stderr)
	if cfg.Data == "" {
		var err error
		if cfg.Data, err = defaultData(); err != nil {
			return err
		}
	}
	if err := openDataIfNeeded(cfg); err != nil {
		return err
	}
	if err := keepSecrets(&cfg, log); err != nil {
		return err
	}
	return runServer(cfg, log, nil, func(s *server) error {
		log.Info("serving", "version", version(), "listen", s.http[0].addr.String(), "media", mediaList(s), "turn", turnList(s))
		return nil
	})
}

// openDataIfNeeded leaves the disk alone when the configuration brings all the secrets.
func openDataIfNeeded(cfg Config) error {
	if len(cfg.Signaling.Keys) > 0 && !needsTURNSecret(cfg) {
		return nil
	}
	return openData(cfg.Data)
}

// runServer serves until the first SIGINT or SIGTERM and then stops in good order; the second one stops it at once.
func runServer(cfg Config, log *slog.Logger, routes map[string]http.Handler, announce func(*server) error) (err error) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(signals)

	s, err := open(cfg, routes, log)
	if err != nil {
		return err
	}
	defer s.close()
	if err := announce(s); err != nil {
		return err
	}
	select {
	case err = <-s.failed:
	case got := <-signals:
		log.Info("stopping", "signal", got.String(), "deadline", cfg.Shutdown)
	}
	ctx, cancel := context.WithTimeout(context.Background(), cfg.Shutdown)
	defer cancel()
	go func() {
		select {
		case <-signals:
			log.Warn("stopping at once")
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
