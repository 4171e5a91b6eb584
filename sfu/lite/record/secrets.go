package record

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding"
	"encoding/gob"
	"errors"
	"fmt"
	"hash"

	"github.com/pion/dtls/v3"
)

// Suites are those that a Layer can go on with, best first. All of them have ephemeral keys and AES-GCM. A peer with an RSA
// certificate needs the last two where it is the DTLS server.
func Suites() []dtls.CipherSuiteID {
	return []dtls.CipherSuiteID{
		dtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, dtls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		dtls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, dtls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	}
}

func suiteOf(id uint16) (key int, prf func() hash.Hash, ok bool) {
	switch dtls.CipherSuiteID(id) {
	case dtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, dtls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256:
		return 16, sha256.New, true
	case dtls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, dtls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384:
		return 32, sha512.New384, true
	}
	return 0, nil, false
}

// Secrets are what a handshake came to. They print as nothing.
type Secrets struct {
	suite                      uint16
	master                     []byte
	clientRandom, serverRandom []byte
	client                     bool // we were
	next                       uint64
}

// state is what pion's handshake exports, by the names it has there.
type state struct {
	HandshakeComplete                     bool
	LocalEpoch, RemoteEpoch               uint16
	LocalRandom, RemoteRandom             [32]byte
	CipherSuiteID                         uint16
	MasterSecret                          []byte
	SequenceNumber                        uint64
	LocalConnectionID, RemoteConnectionID []byte
	IsClient                              bool
}

var errState = errors.New("record: the handshake's state is not what it should be")

// Export takes the secrets out of a handshake that is complete, a *dtls.State. From that moment on nothing may be sent that it
// encrypts. Records before number next were sent, as far as the caller has seen.
func Export(from encoding.BinaryMarshaler, next uint64) (Secrets, error) {
	b, err := from.MarshalBinary()
	if err != nil {
		return Secrets{}, fmt.Errorf("record: export: %w", err)
	}
	var s state
	if err := gob.NewDecoder(bytes.NewReader(b)).Decode(&s); err != nil {
		return Secrets{}, fmt.Errorf("record: export: %w", err)
	}
	const masterSize = 48 // RFC 5246 §8.1
	whole := s.HandshakeComplete && s.LocalEpoch == epoch && s.RemoteEpoch == epoch && len(s.MasterSecret) == masterSize &&
		s.LocalRandom != [32]byte{} && s.RemoteRandom != [32]byte{} && s.SequenceNumber > 0
	if !whole || len(s.LocalConnectionID)+len(s.RemoteConnectionID) > 0 {
		return Secrets{}, errState
	}
	out := Secrets{suite: s.CipherSuiteID, master: s.MasterSecret, client: s.IsClient, next: max(s.SequenceNumber, next)}
	out.clientRandom, out.serverRandom = s.RemoteRandom[:], s.LocalRandom[:]
	if s.IsClient {
		out.clientRandom, out.serverRandom = s.LocalRandom[:], s.RemoteRandom[:]
	}
	return out, nil
}

// String hides the secrets.
func (Secrets) String() string { return "record.Secrets(hidden)" }

// GoString hides the secrets.
func (Secrets) GoString() string { return "record.Secrets(hidden)" }
