package main

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/turnout-rtc/turnout/sfu"
)

type devCommand struct {
	options
	InsecureLAN bool `name:"insecure-lan" help:"Allow --listen to be reached from other machines, though whoever reaches it gets into every room."`
}

// Run serves like serve, and hands a token to anyone who asks.
func (c *devCommand) Run(p *process) error {
	cfg, log := forThisNetwork(c.Config.resolved()), newLogger(c.Config.Log, p.stderr)
	if err := cfg.validateListen(); err != nil {
		return err
	}
	addresses := []string{cfg.Listen}
	if cfg.secure() {
		addresses = append(addresses, cfg.TLS.Listen)
	}
	for _, a := range addresses {
		if !c.InsecureLAN && !isLoopback(a) {
			return fmt.Errorf("turnout dev gives a token to anyone, and others could reach %s: listen on 127.0.0.1, add --insecure-lan if you trust your network, or use turnout serve", a)
		}
	}
	cleanup, err := devData(&cfg, log)
	if err != nil {
		return err
	}
	defer cleanup()
	if err := keepSecrets(&cfg, log); err != nil {
		return err
	}
	key := slices.Sorted(maps.Keys(cfg.Signaling.Keys))[0]
	routes := map[string]http.Handler{
		"GET /api/token": tokenDoor{key: key, secret: cfg.Signaling.Keys[key], anyHost: c.InsecureLAN},
	}
	return runServer(lifecycle{
		open:     func() (*server, error) { return open(cfg, routes, log) },
		read:     func() (Config, error) { return c.reread(p, cfg, log) },
		announce: func(s *server) error { return announce(p.stdout, s) },
	})
}

// reread reads the configuration once more. The data directory stays the one that was found.
func (*devCommand) reread(p *process, was Config, log *slog.Logger) (Config, error) {
	var again commands
	if _, err := parse(p.args, &again, p.stdout, p.stderr); err != nil {
		return Config{}, err
	}
	cfg := forThisNetwork(again.Dev.Config.resolved())
	cfg.Data = was.Data
	return cfg, keepSecrets(&cfg, log)
}

// forThisNetwork is cfg for clients on this machine and its network: they reach it, whatever its addresses look like.
func forThisNetwork(cfg Config) Config {
	if cfg.RTC.ICE == sfu.ICEAuto {
		cfg.RTC.ICE = sfu.ICELite
	}
	return cfg
}

// devData finds a directory that can be written to: the one asked for, or else the usual one, or else a temporary one.
func devData(cfg *Config, log *slog.Logger) (cleanup func(), err error) {
	if cfg.Data != "" {
		return func() {}, openData(cfg.Data)
	}
	usual, err := defaultData()
	if err == nil {
		if err = openData(usual); err == nil {
			cfg.Data = usual
			return func() {}, nil
		}
	}
	log.Warn("data is kept in a temporary directory: tokens end with this run", "because", err)
	if cfg.Data, err = os.MkdirTemp("", "turnout-"); err != nil {
		return nil, fmt.Errorf("nowhere to keep data: %w; say where with --data", err)
	}
	return func() { _ = os.RemoveAll(cfg.Data) }, nil
}

// announce prints where the server can be reached.
func announce(out io.Writer, s *server) error {
	data, _ := filepath.Abs(s.cfg.Data)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "turnout %s\n\n", version())
	fmt.Fprintf(w, "  Room\t%s/r/lobby\n", localURL(s.http[0].addr.String()))
	if url := s.secureURL(); url != "" {
		fmt.Fprintf(w, "  \t%s/r/lobby\n", url)
	}
	if sum := s.fingerprint(); sum != "" {
		fmt.Fprintf(w, "  SHA-256\t%s\n", sum)
	}
	fmt.Fprintf(w, "  Media\t%s\n", strings.Join(mediaList(s), "\n\t"))
	mode, _ := s.media.ICE()
	fmt.Fprintf(w, "  ICE\t%s\n", mode)
	fmt.Fprintf(w, "  TURN\t%s\n", orNone(strings.Join(turnList(s), "\n\t")))
	fmt.Fprintf(w, "  Data\t%s\n", data)
	fmt.Fprintf(w, "\nOpen the room in two windows. Ctrl-C stops the server.\n")
	return w.Flush()
}

func orNone(text string) string {
	if text == "" {
		return "off"
	}
	return text
}

// localURL is the address of the HTTP server for a browser on this machine. Browsers give a page on localhost the camera.
func localURL(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "http://" + addr
	}
	if ip, err := netip.ParseAddr(host); err == nil && (ip.IsUnspecified() || ip == netip.MustParseAddr("127.0.0.1")) {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// isLoopback says whether only this machine can reach an address to listen on.
func isLoopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil || host == "localhost" {
		return host == "localhost"
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
