package turn

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certFiles is a certificate in two files, read again when either changes.
type certFiles struct {
	certFile, keyFile string // Set at construction, never changed.
	log               *slog.Logger

	mu      sync.Mutex
	checked time.Time        // Guarded by mu: when the files were last looked at
	stamp   [2]time.Time     // Guarded by mu: their times of change, when current was read
	current *tls.Certificate // Guarded by mu.
}

// certInterval is how often the files are looked at, at most.
const certInterval = time.Second

func loadCert(certFile, keyFile string, log *slog.Logger) (*certFiles, error) {
	c := &certFiles{certFile: certFile, keyFile: keyFile, log: log}
	if err := c.read(); err != nil {
		return nil, err
	}
	return c, nil
}

// get returns the certificate as it is on disk at now. While the files cannot be read, as in the middle of a renewal, it
// returns the last good one.
func (c *certFiles) get(now time.Time) *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.checked) < certInterval {
		return c.current
	}
	c.checked = now
	if stamp, err := c.stamps(); err == nil && stamp == c.stamp {
		return c.current
	}
	if err := c.readLocked(); err != nil {
		c.log.Warn("turn: the certificate cannot be read, the last one stays in use", "error", err)
	} else {
		c.log.Info("turn: certificate read again", "not_after", c.current.Leaf.NotAfter)
	}
	return c.current
}

func (c *certFiles) read() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.readLocked()
}

func (c *certFiles) readLocked() error {
	stamp, err := c.stamps()
	if err != nil {
		return fmt.Errorf("turn.tls: %w", err)
	}
	c.stamp = stamp // also when reading fails: it is tried again when the files change again
	cert, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("turn.tls: reading %s and %s: %w", c.certFile, c.keyFile, err)
	}
	if cert.Leaf == nil {
		if cert.Leaf, err = x509.ParseCertificate(cert.Certificate[0]); err != nil {
			return fmt.Errorf("turn.tls: %s: %w", c.certFile, err)
		}
	}
	c.current = &cert
	return nil
}

func (c *certFiles) stamps() (stamp [2]time.Time, err error) {
	for i, name := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return stamp, err
		}
		stamp[i] = info.ModTime()
	}
	return stamp, nil
}

func (c *certFiles) notAfter() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current.Leaf.NotAfter.Unix()
}
