package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
)

// Authority is where an ACME certificate comes from, and for whom.
type Authority struct {
	Domain    string
	Dir       string // what must survive a restart: account, certificate and key
	Directory string // URL of the ACME directory; empty: Let's Encrypt
	CAFile    string // PEM file of roots that the ACME server's own HTTPS is verified with; empty: the system's
	Email     string // for the authority, may be empty

	// TLS and HTTP are where this machine answers challenges: TLS-ALPN-01 (RFC 8737) by Certificate, and HTTP-01
	// (RFC 8555 §8.3) by Challenges. The authority comes to ports 443 and 80, which must lead there. No HTTP: no HTTP-01.
	TLS, HTTP net.Addr

	Check time.Duration // how often it is looked whether a new certificate is due; 0: ten minutes
}

// ACME is a certificate that is got, and renewed when a third of its life is left, in the background.
type ACME struct {
	// Set at construction, never changed.
	domain string
	magic  *certmagic.Config
	issuer *certmagic.ACMEIssuer
	cache  *certmagic.Cache
	end    func()
	once   sync.Once
}

// OpenACME prepares; Start begins, when the challenges can be answered. What certmagic has to tell goes to log.
func OpenACME(a Authority, log *slog.Logger) (*ACME, error) {
	roots, err := readRoots(a.CAFile)
	if err != nil {
		return nil, fmt.Errorf("acme.ca_file: %w", err)
	}
	logger := newLogger(log)
	m := &ACME{domain: a.Domain}
	m.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return m.magic, nil },
		Logger:           logger, RenewCheckInterval: a.Check,
	})
	m.end = m.cache.Stop
	m.magic = certmagic.New(m.cache, certmagic.Config{
		Storage: &certmagic.FileStorage{Path: a.Dir}, DefaultServerName: a.Domain, // TURN clients may name no host
		FallbackServerName: a.Domain, Logger: logger,
		OnEvent: func(_ context.Context, event string, _ map[string]any) error {
			if event == "cert_obtained" {
				log.Info("certificate obtained", "domain", a.Domain)
			}
			return nil
		},
	})
	template := certmagic.ACMEIssuer{
		CA: a.Directory, Email: a.Email, Agreed: true, TrustedRoots: roots, Logger: logger,
		DisableHTTPChallenge: a.HTTP == nil, AltTLSALPNPort: port(a.TLS), AltHTTPPort: port(a.HTTP), ListenHost: host(a.TLS),
	}
	if a.Directory == "" {
		template.CA, template.TestCA = certmagic.LetsEncryptProductionCA, certmagic.LetsEncryptStagingCA
	}
	m.issuer = certmagic.NewACMEIssuer(m.magic, template)
	m.magic.Issuers = []certmagic.Issuer{m.issuer}
	return m, nil
}

func readRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil //nolint:nilnil // no pool is the system's, for crypto/tls too
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New("there is no PEM certificate in " + file)
	}
	return pool, nil
}

func port(a net.Addr) int {
	if a == nil {
		return 0
	}
	_, text, _ := net.SplitHostPort(a.String())
	n, _ := strconv.Atoi(text)
	return n
}

func host(a net.Addr) string {
	if a == nil {
		return ""
	}
	h, _, _ := net.SplitHostPort(a.String())
	return h
}

// Start loads the certificate that is kept, or gets one in the background, again and again until it works.
func (m *ACME) Start() error {
	ctx, cancel := context.WithCancel(context.Background())
	m.end = func() { cancel(); m.cache.Stop() }
	return m.magic.ManageAsync(ctx, []string{m.domain})
}

// Certificate is for tls.Config.GetCertificate; it also answers TLS-ALPN-01.
func (m *ACME) Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return m.magic.GetCertificate(hello)
}

// Challenges answers HTTP-01 and leaves all else to next.
func (m *ACME) Challenges(next http.Handler) http.Handler { return m.issuer.HTTPChallengeHandler(next) }

// NotAfter is when the certificate ends; zero without one.
func (m *ACME) NotAfter() (end time.Time) {
	for _, c := range m.cache.AllMatchingCertificates(m.domain) {
		if c.Leaf != nil && c.Leaf.NotAfter.After(end) {
			end = c.Leaf.NotAfter
		}
	}
	return end
}

// Close stops renewing and waits. It may be called twice.
func (m *ACME) Close() { m.once.Do(func() { m.end() }) }
