package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// SelfSigned is a certificate that nobody vouches for: a person compares its fingerprint. It is kept, so that the browser that
// was told to trust it finds it again.
type SelfSigned struct {
	cert *tls.Certificate // Set at construction, never changed.
}

const (
	selfSignedFile = "self-signed.pem"    // certificate and key, in the data directory
	selfSignedLife = 397 * 24 * time.Hour // browsers take no longer one
	selfSignedRest = 30 * 24 * time.Hour  // with less left, a new one is made
)

// OpenSelfSigned reads the certificate of a directory, and makes a new one when there is none, when it is about to end, or
// when it does not hold for all of names, which are host names and IP addresses.
func OpenSelfSigned(dir string, names []string, now time.Time) (*SelfSigned, error) {
	file := filepath.Join(dir, selfSignedFile)
	cert, err := readPair(file)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !holds(cert.Leaf, names, now) {
		if err = makePair(file, names, now); err == nil {
			cert, err = readPair(file)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("the self-signed certificate: %w; remove %s and a new one is made", err, file)
	}
	return &SelfSigned{cert: cert}, nil
}

func holds(leaf *x509.Certificate, names []string, now time.Time) bool {
	return now.Before(leaf.NotAfter.Add(-selfSignedRest)) &&
		!slices.ContainsFunc(names, func(name string) bool { return leaf.VerifyHostname(name) != nil })
}

func readPair(file string) (*tls.Certificate, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	cert, err := tls.X509KeyPair(text, text)
	if err == nil && cert.Leaf == nil {
		cert.Leaf, err = x509.ParseCertificate(cert.Certificate[0])
	}
	return &cert, err
}

func makePair(file string, names []string, now time.Time) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "turnout, signed by itself"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(selfSignedLife), // an hour: clocks of the local network
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})...)
	return replace(file, text)
}

// replace writes a file that only its owner can read, in one step.
func replace(file string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(file), ".new-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}

// Certificate is for tls.Config.GetCertificate.
func (s *SelfSigned) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.cert, nil }

// NotAfter is when the certificate ends.
func (s *SelfSigned) NotAfter() time.Time { return s.cert.Leaf.NotAfter }

// Fingerprint is the SHA-256 of the certificate as browsers show it: pairs of hexadecimal digits with colons between them.
func (s *SelfSigned) Fingerprint() string {
	sum := sha256.Sum256(s.cert.Certificate[0])
	pairs := make([]string, len(sum))
	for i, b := range sum {
		pairs[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(pairs, ":")
}

// Close does nothing.
func (s *SelfSigned) Close() {}
