// Package certs gives TLS its certificate: from files, from an ACME server (RFC 8555), or one that signs itself.
//
// A Source answers a handshake at once and never waits for the network. It does not listen: whoever does asks it.
package certs

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// Files is a certificate in two PEM files, read again when either changes.
type Files struct {
	certFile, keyFile string // Set at construction, never changed.
	log               *slog.Logger

	mu      sync.Mutex
	checked time.Time        // Guarded by mu: when the files were last looked at
	stamp   [2]time.Time     // Guarded by mu: their times of change, when they were last read
	current *tls.Certificate // Guarded by mu.
}

// checkInterval is how often the files are looked at, at most: at every handshake would be a way to keep the disk busy.
const checkInterval = time.Second

// OpenFiles reads the files, so that what is wrong with them is known at the start.
func OpenFiles(certFile, keyFile string, log *slog.Logger) (*Files, error) {
	f := &Files{certFile: certFile, keyFile: keyFile, log: log}
	stamp, err := f.stamps()
	if err == nil {
		f.stamp, f.checked = stamp, time.Now()
		f.current, err = f.read()
	}
	if err != nil {
		return nil, fmt.Errorf("tls.cert, tls.key: %w", err)
	}
	return f, nil
}

// Certificate is for tls.Config.GetCertificate. While the files cannot be read, as in the middle of a renewal, it is the last
// good one.
func (f *Files) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return f.get(time.Now()), nil
}

func (f *Files) get(now time.Time) *tls.Certificate {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now.Sub(f.checked) < checkInterval {
		return f.current
	}
	f.checked = now
	stamp, err := f.stamps()
	if err != nil || stamp == f.stamp {
		return f.current
	}
	f.stamp = stamp // also when reading fails: it is tried again when they change again
	if next, err := f.read(); err != nil {
		f.log.Warn("the certificate cannot be read, the last one stays in use", "err", err)
	} else {
		f.current = next
		f.log.Info("certificate read again", "expires", next.Leaf.NotAfter)
	}
	return f.current
}

// Reload reads the files now, whether they have changed or not.
func (f *Files) Reload() error {
	next, err := f.read()
	if err != nil {
		return fmt.Errorf("tls.cert, tls.key: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.current = next
	return nil
}

func (f *Files) read() (*tls.Certificate, error) {
	cert, err := tls.LoadX509KeyPair(f.certFile, f.keyFile)
	if err != nil {
		return nil, err
	}
	if cert.Leaf == nil {
		cert.Leaf, err = x509.ParseCertificate(cert.Certificate[0])
	}
	return &cert, err
}

func (f *Files) stamps() (stamp [2]time.Time, err error) {
	for i, name := range []string{f.certFile, f.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return stamp, err
		}
		stamp[i] = info.ModTime()
	}
	return stamp, nil
}

// NotAfter is when the certificate ends.
func (f *Files) NotAfter() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.current.Leaf.NotAfter
}

// Close does nothing.
func (f *Files) Close() {}
