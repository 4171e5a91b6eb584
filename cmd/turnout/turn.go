package main

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/alecthomas/kong"

	"github.com/turnout-rtc/turnout/turn"
)

type turnCommand struct {
	Run  relayCommand       `cmd:"" default:"withargs" help:"Run the TURN server alone, without rooms and media."`
	List allocationsCommand `cmd:"" help:"Print the allocations of a running server."`
}

type relayCommand struct {
	relayOptions
}

// relayOptions are the part of the configuration that a TURN server alone has, and shorter names for what is said most.
type relayOptions struct {
	File       string   `name:"config" short:"c" placeholder:"FILE" help:"Configuration file (YAML) as of turnout serve; what is about rooms is left aside."`
	Listen     string   `placeholder:"ADDRESS" help:"Address of STUN and TURN over UDP and TCP, instead of turn.udp and turn.tcp."`
	AllowPeer  []string `placeholder:"CIDR" help:"Prefixes that may be relayed to although they are private or special, besides turn.relay.allow."`
	SecretFile string   `placeholder:"FILE" help:"File that holds turn.secret."`
	HTTP       string   `name:"http" placeholder:"ADDRESS" help:"Address of plain HTTP for /healthz, /readyz, /metrics and /v1/turn. Default: none."`
	Keys       turnKeys `embed:""`
}

// turnKeys are the keys of Config that concern a TURN server alone.
type turnKeys struct {
	Data     string        `yaml:"data" placeholder:"DIR" help:"Directory for the secret and certificates. Default: that of turnout serve, unless there is a secret."`
	PublicIP []string      `yaml:"public_ip" placeholder:"IP" help:"Public IP addresses of this machine."`
	Shutdown time.Duration `yaml:"shutdown" default:"${shutdown}" help:"Time that allocations have to end when the server stops."`
	Domain   string        `yaml:"domain" placeholder:"NAME" help:"Host name of this server, for its certificate."`
	Operator string        `yaml:"operator_key" placeholder:"KEY" help:"Key of the operator for /v1, at least 32 bytes. Default: one that is kept in the data directory."`
	APIRate  int           `yaml:"api_rate" default:"20" help:"Requests a second to /v1 from one address; twice as many at once. The operator's do not count."`
	TLS      TLSConfig     `embed:"" prefix:"tls-" group:"TLS" yaml:"tls"`
	ACME     ACMEConfig    `embed:"" prefix:"acme-" group:"TLS" yaml:"acme"`
	Log      LogConfig     `embed:"" prefix:"log-" yaml:"log"`
	TURN     turn.Config   `embed:"" prefix:"turn-" group:"TURN" yaml:"turn"`
}

func (k turnKeys) config() Config {
	return Config{
		Data: k.Data, PublicIP: k.PublicIP, Shutdown: k.Shutdown, Domain: k.Domain, Operator: k.Operator, APIRate: k.APIRate,
		TLS: k.TLS, ACME: k.ACME, Log: k.Log, TURN: k.TURN,
	}
}

func turnKeysOf(c Config) turnKeys {
	return turnKeys{
		Data: c.Data, PublicIP: c.PublicIP, Shutdown: c.Shutdown, Domain: c.Domain, Operator: c.Operator, APIRate: c.APIRate,
		TLS: c.TLS, ACME: c.ACME, Log: c.Log, TURN: c.TURN,
	}
}

// BeforeApply is that of options.
func (c *relayOptions) BeforeApply(ctx *kong.Context) error {
	cfg := c.Keys.config()
	if err := loadFile(configFile(ctx), &cfg); err != nil {
		return err
	}
	c.Keys = turnKeysOf(cfg)
	return loadEnv(slices.DeleteFunc(ctx.Flags(), func(f *kong.Flag) bool {
		return slices.Contains([]string{"listen", "allow-peer", "secret-file", "http"}, f.Name) // flags only: TURNOUT_LISTEN is another key
	}))
}

func (c *relayCommand) Run(p *process) error {
	log := newLogger(c.Keys.Log, p.stderr)
	cfg, err := c.prepare(log)
	if err != nil {
		return err
	}
	return runServer(lifecycle{
		open: func() (*server, error) { return openRelay(cfg, log) },
		read: func() (Config, error) {
			var again commands
			if _, err := parse(p.args, &again, p.stdout, p.stderr); err != nil {
				return Config{}, err
			}
			return again.Turn.Run.prepare(log)
		},
		announce: func(s *server) error {
			log.Info("relaying", "version", version(), "turn", turnList(s), "http", c.HTTP)
			s.announceSecure()
			return nil
		},
	})
}

// prepare is the Config with its secrets.
func (c *relayCommand) prepare(log *slog.Logger) (Config, error) {
	cfg := c.Keys.config()
	cfg.Listen, cfg.TURN.Enabled = c.HTTP, true // turn.enabled is for a server with rooms
	if c.Listen != "" {
		cfg.TURN.UDP, cfg.TURN.TCP = c.Listen, c.Listen
	}
	cfg.TURN.Relay.Allow = append(slices.Clone(cfg.TURN.Relay.Allow), c.AllowPeer...)
	if c.SecretFile != "" {
		secret, err := readSecret(c.SecretFile)
		if err != nil {
			return cfg, fmt.Errorf("--secret-file: %w", err)
		}
		cfg.TURN.Secret = secret
	}
	cfg = cfg.resolved()
	return cfg, c.keep(&cfg, log)
}

// keep opens the data directory when it is asked for or when something must be kept, and keeps secrets there.
func (c *relayCommand) keep(cfg *Config, log *slog.Logger) (err error) {
	if cfg.Data == "" && (needsTURNSecret(*cfg) || cfg.keepsCertificate()) {
		if cfg.Data, err = defaultData(); err != nil {
			return err
		}
	}
	if cfg.Data == "" {
		return nil
	}
	if err := openData(cfg.Data); err != nil {
		return err
	}
	return keepTURNSecrets(cfg, log)
}

// configFile is the file that --config or else TURNOUT_CONFIG names.
func configFile(ctx *kong.Context) string {
	file := ""
	for _, flag := range ctx.Flags() {
		if flag.Name == "config" {
			file, _ = ctx.FlagValue(flag).(string)
		}
	}
	if file == "" {
		file = os.Getenv("TURNOUT_CONFIG")
	}
	return file
}
