package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/turnout-rtc/turnout/signaling/auth"
)

// TLSConfig is the port that HTTPS and TURN over TLS share, and whose certificate it has.
type TLSConfig struct {
	Listen     string        `yaml:"listen" default:"${tls}" help:"Address of HTTPS, WSS and TURN over TLS; opened when there is a domain or a certificate."`
	Cert       string        `yaml:"cert" placeholder:"FILE" help:"PEM file of the certificate chain; read again when it changes."`
	Key        string        `yaml:"key" placeholder:"FILE" help:"PEM file of the private key."`
	SelfSigned bool          `yaml:"self_signed" help:"Make a certificate that signs itself, for a local network; its fingerprint is printed."`
	Redirect   string        `yaml:"redirect" default:":80" help:"With a domain: address of HTTP that leads to HTTPS and answers ACME; empty turns it off."`
	HSTS       time.Duration `yaml:"hsts" default:"4320h" help:"With a domain: time for which browsers insist on HTTPS (RFC 6797); 0 turns it off."`
	Timeout    time.Duration `yaml:"timeout" default:"10s" help:"Time until a connection must have said what it speaks, TLS handshake included."`
	Undecided  int           `yaml:"undecided" default:"1024" help:"Connections that have not yet said so, together."`
	PerSource  int           `yaml:"undecided_per_source" default:"64" help:"The same, from one IPv4 address or IPv6 /64."`
}

// ACMEConfig is where the certificate of a domain without files comes from.
type ACMEConfig struct {
	Directory string `yaml:"directory" placeholder:"URL" help:"ACME directory. Default: Let's Encrypt, whose terms are agreed to."`
	CAFile    string `yaml:"ca_file" placeholder:"FILE" help:"PEM file of the roots that the ACME server's own certificate is verified with."`
	Email     string `yaml:"email" help:"Address that the ACME server may write to."`
}

// secure says whether there is to be HTTPS.
func (c Config) secure() bool { return c.Domain != "" || c.TLS.Cert != "" || c.TLS.SelfSigned }

// acme says whether the certificate is to come from an ACME server.
func (c Config) acme() bool { return c.Domain != "" && c.TLS.Cert == "" && !c.TLS.SelfSigned }

// keepsCertificate says whether a certificate is kept in the data directory.
func (c Config) keepsCertificate() bool { return c.acme() || c.TLS.SelfSigned }

// validateOwn is about what no plane knows.
func (c Config) validateOwn() error {
	for _, ip := range c.PublicIP {
		if _, err := netip.ParseAddr(ip); err != nil {
			return fmt.Errorf("public_ip: %q is not an IP address", ip)
		}
	}
	switch {
	case c.Shutdown <= 0:
		return errors.New("shutdown must be longer than 0s")
	case strings.ContainsAny(c.Domain, ":/ ?@*") || strings.HasPrefix(c.Domain, "."):
		return fmt.Errorf("domain: %q is not a host name such as meet.example.com", c.Domain)
	case (c.TLS.Cert == "") != (c.TLS.Key == ""):
		return errors.New("tls.cert and tls.key belong together: give both")
	case c.TLS.Cert != "" && c.TLS.SelfSigned:
		return errors.New("tls.self_signed and tls.cert exclude each other: leave one out")
	case c.TLS.HSTS < 0 || c.TLS.Timeout < 0 || c.TLS.Undecided < 0 || c.TLS.PerSource < 0:
		return errors.New("tls.hsts, tls.timeout, tls.undecided and tls.undecided_per_source must not be negative")
	case c.APIRate < 1:
		return errors.New("api_rate must be at least 1")
	case c.Operator != "" && len(c.Operator) < auth.MinSecret:
		return fmt.Errorf("operator_key has %d bytes, at least %d are needed; make one with: openssl rand -base64 32", len(c.Operator), auth.MinSecret)
	case !c.secure():
		return nil
	}
	if _, _, err := net.SplitHostPort(c.TLS.Listen); err != nil {
		return fmt.Errorf("tls.listen: %q: write it as host:port or :port", c.TLS.Listen)
	}
	if _, _, err := net.SplitHostPort(c.TLS.Redirect); c.TLS.Redirect != "" && err != nil {
		return fmt.Errorf("tls.redirect: %q: write it as host:port or :port", c.TLS.Redirect)
	}
	return nil
}
