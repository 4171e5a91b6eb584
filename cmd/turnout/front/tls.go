package front

import (
	"crypto/tls"
	"slices"
)

const (
	alpnTURN = "stun.turn"  // RFC 7443
	alpnACME = "acme-tls/1" // RFC 8737
)

// tlsConfig negotiates a protocol only with a client that offers one of ours: Go refuses a client that offers others, and
// TURN clients offer whatever they like.
func tlsConfig(certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	plain := &tls.Config{GetCertificate: certificate, MinVersion: tls.VersionTLS12}
	// The preferred one first. No browser offers stun.turn for a page; coturn's clients offer it together with http/1.1.
	protocols := []string{alpnACME, alpnTURN, "h2", "http/1.1"}
	with := map[string]*tls.Config{}
	for _, p := range protocols {
		c := plain.Clone()
		c.NextProtos = []string{p}
		with[p] = c
	}
	all := plain.Clone()
	all.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		for _, p := range protocols {
			if slices.Contains(hello.SupportedProtos, p) {
				return with[p], nil
			}
		}
		return plain, nil
	}
	return all
}
