package lite

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/selfsign"

	"github.com/turnout-rtc/turnout/sfu/lite/answer"
	"github.com/turnout-rtc/turnout/sfu/lite/record"
	"github.com/turnout-rtc/turnout/sfu/srtpkeys"
)

var errFingerprint = errors.New("lite: the peer's certificate is not the one of its offer")

// certify makes the certificate if there is none, and what all handshakes have in common.
func (s *Server) certify() error {
	if s.cfg.Certificate.Certificate == nil {
		c, err := selfsign.GenerateSelfSigned()
		if err != nil {
			return fmt.Errorf("lite: make a certificate: %w", err)
		}
		s.cfg.Certificate = c
	}
	s.id.fingerprint = fingerprint("sha-256", s.cfg.Certificate.Certificate[0])
	s.id.options = []dtls.Option{
		dtls.WithCertificates(s.cfg.Certificate),
		dtls.WithSRTPProtectionProfiles(srtpkeys.Profiles()...),
		dtls.WithExtendedMasterSecret(dtls.RequireExtendedMasterSecret),
		dtls.WithInsecureSkipVerify(true),         // there is verify
		dtls.WithCipherSuites(record.Suites()...), // those that we can go on with alone
		dtls.WithLoggerFactory(quiet{}),
	}
	return nil
}

func fingerprint(hash string, certificate []byte) answer.Fingerprint {
	var sum []byte
	switch hash {
	case "sha-384":
		h := sha512.Sum384(certificate)
		sum = h[:]
	case "sha-512":
		h := sha512.Sum512(certificate)
		sum = h[:]
	default:
		h := sha256.Sum256(certificate)
		sum = h[:]
	}
	pairs := make([]string, len(sum))
	for i := range sum {
		pairs[i] = strings.ToUpper(hex.EncodeToString(sum[i : i+1]))
	}
	return answer.Fingerprint{Hash: hash, Value: strings.Join(pairs, ":")}
}

// verify compares the peer's certificate with its offer (RFC 8122 §6.2).
func (t *Transport) verify(raw [][]byte, _ [][]*x509.Certificate) error {
	t.mu.Lock()
	known := t.fingerprints
	t.mu.Unlock()
	if len(raw) == 0 || !slices.ContainsFunc(known, func(f answer.Fingerprint) bool { return f == fingerprint(f.Hash, raw[0]) }) {
		return errFingerprint
	}
	return nil
}
