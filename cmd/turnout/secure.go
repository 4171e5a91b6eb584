package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/turnout-rtc/turnout/cmd/turnout/certs"
	"github.com/turnout-rtc/turnout/cmd/turnout/front"
)

// secured is the side of the server that has a certificate. Set by openSecure, never changed.
type secured struct {
	front       *front.Front
	redirect    net.Listener // nil without
	certificate certificate
	acme        *certs.ACME // the certificate once more, if it is one of an ACME server
}

// certificate is where TLS gets its certificate from: *certs.Files, *certs.ACME or *certs.SelfSigned.
type certificate interface {
	Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error)
	NotAfter() time.Time
	Close()
}

// openSecure opens the ports and the certificate, if there is to be one. Nobody is served until serveSecure.
func (s *server) openSecure() error {
	if !s.cfg.secure() {
		return nil
	}
	w := &secured{}
	var err error
	w.front, err = front.Listen(s.cfg.TLS.Listen, front.Config{
		Certificate: w.handshake, Timeout: s.cfg.TLS.Timeout, Undecided: s.cfg.TLS.Undecided, PerSource: s.cfg.TLS.PerSource,
	})
	if err != nil {
		return explain(err, "--tls-listen", "--tls-listen")
	}
	s.https = w
	if s.cfg.Domain != "" && s.cfg.TLS.Redirect != "" {
		if w.redirect, err = net.Listen("tcp", s.cfg.TLS.Redirect); err != nil {
			return explain(err, "--tls-redirect", "--tls-redirect")
		}
	}
	return s.openCertificate(w)
}

func (s *server) openCertificate(w *secured) (err error) {
	switch {
	case s.cfg.TLS.Cert != "":
		w.certificate, err = nonNil(certs.OpenFiles(s.cfg.TLS.Cert, s.cfg.TLS.Key, s.log))
	case s.cfg.TLS.SelfSigned:
		w.certificate, err = nonNil(certs.OpenSelfSigned(s.cfg.Data, s.names(), time.Now()))
	default:
		w.acme, err = certs.OpenACME(s.authority(w), s.log.With("plane", "acme"))
		w.certificate, err = nonNil(w.acme, err)
	}
	return err
}

// nonNil is c, or nil on error: a nil pointer in an interface is not a nil interface.
func nonNil[C certificate](c C, err error) (certificate, error) {
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (s *server) authority(w *secured) certs.Authority {
	a := certs.Authority{
		Domain: s.cfg.Domain, Dir: filepath.Join(s.cfg.Data, "acme"), Directory: s.cfg.ACME.Directory, CAFile: s.cfg.ACME.CAFile,
		Email: s.cfg.ACME.Email, TLS: w.front.Addr(),
	}
	if w.redirect != nil {
		a.HTTP = w.redirect.Addr()
	}
	return a
}

// names are what a self-signed certificate is to hold for: all that this machine is called in its local network.
func (s *server) names() []string {
	names := []string{"localhost"}
	if s.cfg.Domain != "" {
		names = append(names, s.cfg.Domain)
	}
	return append(names, s.reachable()...)
}

// reachable are the addresses under which others may find this machine: public ones first, then those of its interfaces,
// loopback last. IPv6 addresses change too often to be in a certificate.
func (s *server) reachable() []string {
	list := slices.Clone(s.cfg.PublicIP)
	all, _ := net.InterfaceAddrs() // none, then
	var loopback []string
	for _, a := range all {
		prefix, err := netip.ParsePrefix(a.String())
		switch ip := prefix.Addr(); {
		case err != nil || !ip.Is4():
		case ip.IsLoopback():
			loopback = append(loopback, ip.String())
		default:
			list = append(list, ip.String())
		}
	}
	return append(list, loopback...)
}

func (w *secured) handshake(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return w.certificate.Certificate(hello)
}

// close is for after the front and the HTTP servers have been closed.
func (w *secured) close() {
	if w.redirect != nil {
		_ = w.redirect.Close() // its HTTP server may not have been started
	}
	if w.certificate != nil {
		w.certificate.Close()
	}
}

// serveSecure begins to serve on what openSecure has opened.
func (s *server) serveSecure() error {
	w := s.https
	if w == nil {
		return nil
	}
	s.serve(w.front.HTTPS(), s.strict(front.Handler(s.mux)))
	s.serve(w.front.HTTP(), s.toHTTPS())
	if w.redirect != nil {
		h := s.toHTTPS()
		if w.acme != nil {
			h = w.acme.Challenges(h)
		}
		s.serve(w.redirect, h)
	}
	var to front.Destinations
	if s.turn != nil {
		to.TURN = s.turn.Adopt
	}
	if s.media != nil {
		to.ICE = s.media.AdoptTCP
	}
	w.front.Serve(to)
	if w.acme != nil {
		return w.acme.Start()
	}
	return nil
}

// strict tells browsers to come by HTTPS only (RFC 6797). A name is ours to promise that for, an address is not.
func (s *server) strict(next http.Handler) http.Handler {
	if s.cfg.Domain == "" || s.cfg.TLS.HSTS == 0 {
		return next
	}
	value := fmt.Sprintf("max-age=%d", int(s.cfg.TLS.HSTS.Seconds()))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Strict-Transport-Security", value)
		next.ServeHTTP(w, r)
	})
}

// toHTTPS sends a client to the same page by HTTPS.
func (s *server) toHTTPS() http.Handler {
	_, port, _ := net.SplitHostPort(s.https.front.Addr().String())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := s.cfg.Domain
		if host == "" {
			host = hostOf(r.Host)
		}
		path := r.URL.RequestURI()
		if !strings.HasPrefix(path, "/") {
			path = "/" // or "GET x:y" would lengthen the name
		}
		http.Redirect(w, r, "https://"+withPort(host, port)+path, http.StatusPermanentRedirect) //nolint:gosec // G710: to the host that was asked
	})
}

func hostOf(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return strings.Trim(hostport, "[]")
}

// withPort leaves the usual port of HTTPS out.
func withPort(host, port string) string {
	if port != "443" {
		return net.JoinHostPort(host, port)
	}
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// secureURL is where a browser finds the server, or "" without a certificate.
func (s *server) secureURL() string {
	if s.https == nil {
		return ""
	}
	host, port, _ := net.SplitHostPort(s.https.front.Addr().String())
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
		host = "localhost"
		if found := s.reachable(); len(found) > 0 {
			host = found[0]
		}
	}
	if s.cfg.Domain != "" {
		host = s.cfg.Domain
	}
	return "https://" + withPort(host, port)
}

// fingerprint is that of a self-signed certificate, or "".
func (s *server) fingerprint() string {
	if s.https != nil {
		if c, ok := s.https.certificate.(*certs.SelfSigned); ok {
			return c.Fingerprint()
		}
	}
	return ""
}
