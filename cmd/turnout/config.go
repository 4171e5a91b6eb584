package main

import (
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/turnout-rtc/turnout/datachannel"
	"github.com/turnout-rtc/turnout/sfu"
	"github.com/turnout-rtc/turnout/signaling"
	"github.com/turnout-rtc/turnout/turn"
)

// Config is the whole configuration: what concerns the process, and the Config of every plane.
//
// Every key is a flag (turn.udp is --turn-udp) and an environment variable (TURNOUT_TURN_UDP); see load for which one wins.
type Config struct {
	Listen   string        `yaml:"listen" default:"${listen}" help:"Address of the HTTP server: the app, the API and signaling."`
	Data     string        `yaml:"data" placeholder:"DIR" help:"Directory for what must survive a restart. Default: turnout in $XDG_DATA_HOME or ~/.local/share."`
	PublicIP []string      `yaml:"public_ip" placeholder:"IP" help:"Public IP addresses of this machine, for media and TURN. Wins over rtc.public and turn.public."`
	Metrics  string        `yaml:"metrics" placeholder:"ADDRESS" help:"Address of its own for /metrics; \"off\" for nowhere. Default: next to the app, on listen only."`
	Shutdown time.Duration `yaml:"shutdown" default:"${shutdown}" help:"Time that participants have to leave when the server stops."`
	Domain   string        `yaml:"domain" placeholder:"NAME" help:"Host name of this server. HTTPS and TURN over TLS share tls.listen; the certificate comes from tls.cert or by ACME."`
	OnePort  bool          `yaml:"one_port" default:"true" negatable:"" help:"With a domain: media, STUN and TURN have the address of tls.listen, over UDP and TCP, unless their own keys are changed."`
	Operator string        `yaml:"operator_key" placeholder:"KEY" help:"Key of the operator for /v1, at least 32 bytes. Default: one that is kept in the data directory."`
	APIRate  int           `yaml:"api_rate" default:"20" help:"Requests a second to /v1 from one address; twice as many at once. The operator's do not count."`

	TLS         TLSConfig          `embed:"" prefix:"tls-" group:"HTTPS" yaml:"tls"`
	ACME        ACMEConfig         `embed:"" prefix:"acme-" group:"HTTPS" yaml:"acme"`
	Log         LogConfig          `embed:"" prefix:"log-" yaml:"log"`
	Signaling   signaling.Config   `embed:"" prefix:"signaling-" group:"Signaling" yaml:"signaling"`
	RTC         sfu.Config         `embed:"" prefix:"rtc-" group:"Media" yaml:"rtc"`
	TURN        turn.Config        `embed:"" prefix:"turn-" group:"TURN" yaml:"turn"`
	Datachannel datachannel.Config `embed:"" prefix:"datachannel-" group:"Data" yaml:"datachannel"`
}

// LogConfig says what is written to stderr.
type LogConfig struct {
	Level  string `yaml:"level" default:"info" enum:"debug,info,warn,error" help:"Least important level that is written: debug, info, warn or error."`
	Format string `yaml:"format" default:"text" enum:"text,json" help:"Format of a line: text or json."`
}

// Validate says what is wrong with c, which must have its secrets, and what to do about it. Errors name the key.
func (c Config) Validate() error {
	if err := c.validateOwn(); err != nil {
		return err
	}
	if err := c.validateListen(); err != nil { // turnout turn needs none
		return err
	}
	for _, section := range []struct {
		name     string
		validate func() error
	}{
		{"signaling", c.Signaling.Validate}, {"rtc", c.RTC.Validate}, {"turn", c.TURN.Validate}, {"datachannel", c.Datachannel.Validate},
	} {
		err := section.validate()
		if err != nil && !strings.HasPrefix(err.Error(), section.name+".") {
			err = fmt.Errorf("%s: %w", section.name, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c Config) validateListen() error {
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return fmt.Errorf("listen: %q: write it as host:port or :port", c.Listen)
	}
	return nil
}

// resolved is c with public_ip and domain carried to the planes that advertise them.
func (c Config) resolved() Config {
	if len(c.PublicIP) > 0 {
		c.RTC.Public, c.TURN.Public = c.PublicIP, c.PublicIP
	}
	if c.TURN.TLS.Domain == "" {
		c.TURN.TLS.Domain = c.Domain
	}
	if host, port, err := net.SplitHostPort(c.Listen); err == nil && host == "" && c.secure() {
		c.Listen = net.JoinHostPort("127.0.0.1", port) // others have HTTPS
	}
	if c.OnePort && c.Domain != "" {
		c.onTLS()
	}
	return c
}
