package turn

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	pion "github.com/pion/turn/v5"
)

// writeCert puts a new self-signed certificate with a serial number into two files.
func writeCert(t *testing.T, dir string, serial int64) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, b := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func startTLS(t *testing.T, cfg Config) *Server {
	t.Helper()
	cfg.TLS.Listen = "127.0.0.1:0"
	cfg.TLS.Cert, cfg.TLS.Key = writeCert(t, t.TempDir(), 1)
	return start(t, cfg)
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
	if s.Stats().Handshakes["ok"] != 1 || s.Stats().CertNotAfter == 0 {
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

func TestCertificateIsReadAgainWhenItChanges(t *testing.T) {
	dir := t.TempDir()
	cert, key := writeCert(t, dir, 1)
	c, err := loadCert(cert, key, quiet())
	if err != nil {
		t.Fatal(err)
	}
	serial := func(at time.Time) int64 { return c.get(at).Leaf.SerialNumber.Int64() }
	now := time.Now()
	touch := func(at time.Time) {
		for _, f := range []string{cert, key} {
			if err := os.Chtimes(f, at, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := serial(now); n != 1 {
		t.Fatalf("certificate %d", n)
	}
	writeCert(t, dir, 2)
	touch(now.Add(time.Minute))
	if n := serial(now.Add(certInterval / 2)); n != 1 {
		t.Errorf("looked at the files too soon: certificate %d", n)
	}
	if n := serial(now.Add(2 * certInterval)); n != 2 {
		t.Errorf("certificate %d after the change", n)
	}
	if err := os.WriteFile(cert, []byte("half written"), 0o600); err != nil {
		t.Fatal(err)
	}
	touch(now.Add(2 * time.Minute))
	if n := serial(now.Add(4 * certInterval)); n != 2 {
		t.Errorf("certificate %d while the file is broken", n)
	}
	writeCert(t, dir, 3)
	touch(now.Add(3 * time.Minute))
	if n := serial(now.Add(6 * certInterval)); n != 3 {
		t.Errorf("certificate %d after the repair", n)
	}
}

func TestTLSNeedsACertificate(t *testing.T) {
	cfg := loopback()
	cfg.TLS.Listen = "127.0.0.1:0"
	if s, err := New(cfg, nil, nil); err == nil {
		_ = s.Close()
		t.Error("started without a certificate")
	}
	cfg.TLS.Cert, cfg.TLS.Key = "/nowhere/cert.pem", "/nowhere/key.pem"
	if s, err := New(cfg, nil, nil); err == nil {
		_ = s.Close()
		t.Error("started with files that are not there")
	}
}
