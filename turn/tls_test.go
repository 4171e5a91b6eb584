package turn

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	pion "github.com/pion/turn/v5"
)

// selfSigned makes a certificate for TLS on loopback.
func selfSigned(t *testing.T) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	cert := &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: k}
	return func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return cert, nil }
}

func startTLS(t *testing.T, cfg Config) *Server {
	t.Helper()
	cfg.TLS.Listen = "127.0.0.1:0"
	s, err := New(cfg, nil, nil, WithCertificates(selfSigned(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func startLogged(t *testing.T, cfg Config, out io.Writer) *Server {
	t.Helper()
	s, err := New(cfg, nil, slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelInfo})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func dialTLS(t *testing.T, addr string) *tls.Conn {
	t.Helper()
	conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // the certificate is the test's own
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestRelaysOverTLS(t *testing.T) {
	s := startTLS(t, loopback())
	addr := listensAt(t, s, kindTLS).String()
	peer := echo(t, "127.0.0.1:0")
	servers, _ := s.ICEServers("alice")
	c := dialOver(t, pion.NewSTUNConn(dialTLS(t, addr)), addr, servers[1].Username, servers[1].Credential)
	roundTrip(t, allocate(t, c), peer.LocalAddr(), "secret")
	if s.Stats().Handshakes["ok"] != 1 {
		t.Errorf("%+v", s.Stats())
	}
	eventually(t, "the allocation is listed with its traffic", func() bool {
		for a := range s.Allocations() {
			if a.Transport == "tls" && a.User == "alice" && a.Up.Packets > 0 && a.Down.Packets > 0 {
				return true
			}
		}
		return false
	})
}

func TestOldTLSIsRefused(t *testing.T) {
	s := startTLS(t, loopback())
	_, err := tls.Dial("tcp", listensAt(t, s, kindTLS).String(), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}) //nolint:gosec // that is the test
	if err == nil {
		t.Error("TLS 1.1 was accepted")
	}
}

func TestTLSNeedsACertificate(t *testing.T) {
	cfg := loopback()
	cfg.TLS.Listen = "127.0.0.1:0"
	s, err := New(cfg, nil, nil)
	if err == nil {
		_ = s.Close()
	}
	if !errors.Is(err, errNoCert) || !strings.Contains(err.Error(), "turn.tls.listen") {
		t.Errorf("started without a certificate: %v", err)
	}
}
