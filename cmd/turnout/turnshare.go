package main

import (
	"net"
	"net/netip"

	"github.com/turnout-rtc/turnout/sfu"
	"github.com/turnout-rtc/turnout/turn"
)

// Two keys with the same address share a port: rtc.udp and turn.udp over UDP; rtc.tcp, turn.tcp and tls.listen over TCP, where
// the one of HTTPS decides (package front).

// Defaults of rtc.udp and rtc.tcp, and of turn.udp and turn.tcp. A test compares them with the tags.
const (
	mediaPort = ":7882"
	turnPort  = ":3478"
)

// onTLS moves what is at its default to the address of HTTPS.
func (c *Config) onTLS() {
	for _, a := range []struct {
		key     *string
		usually string
	}{{&c.RTC.UDP, mediaPort}, {&c.RTC.TCP, mediaPort}, {&c.TURN.UDP, turnPort}, {&c.TURN.TCP, turnPort}} {
		if *a.key == a.usually {
			*a.key = c.TLS.Listen
		}
	}
}

// sameAddress says whether two addresses to listen on are one. Port 0 is another one each time.
func sameAddress(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if hostA == "" {
		hostA = "::"
	}
	if hostB == "" {
		hostB = "::"
	}
	return errA == nil && errB == nil && hostA == hostB && portA == portB && portA != "0"
}

// openMedia opens the media plane. ICE-TCP on the port of HTTPS comes by way of the front.
func (s *server) openMedia() (err error) {
	cfg := s.cfg.RTC
	var options []sfu.Option
	if s.https != nil && sameAddress(cfg.TCP, s.cfg.TLS.Listen) {
		cfg.TCP = ""
		if at, err := netip.ParseAddrPort(s.https.front.Addr().String()); err == nil {
			options = append(options, sfu.WithTCP(at))
		}
	}
	s.media, err = sfu.New(cfg, s.log.With("plane", "rtc"), options...)
	return explain(err, "--rtc-udp", "--rtc-tcp")
}

// sharesMedia says whether STUN and TURN are on media's UDP port.
func (s *server) sharesMedia() bool {
	return s.media != nil && sameAddress(s.cfg.TURN.UDP, s.cfg.RTC.UDP)
}

// turnShares are the options that say where TURN shares a port.
func (s *server) turnShares() (options []turn.Option) {
	if s.sharesMedia() {
		options = append(options, turn.WithSharedUDP())
	}
	if s.https != nil && sameAddress(s.cfg.TURN.TCP, s.cfg.TLS.Listen) {
		options = append(options, turn.WithSharedTCP())
	}
	return options
}
