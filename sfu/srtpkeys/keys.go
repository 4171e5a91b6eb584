// Package srtpkeys makes what encrypts and decrypts SRTP from a finished DTLS handshake (RFC 5764). It is written for the DTLS server's end.
package srtpkeys

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/pion/dtls/v3"
	"github.com/pion/srtp/v3"

	"github.com/turnout-rtc/turnout/sfu/seal"
)

// Profiles in the order of our preference. GCM costs a seventh of CM_SHA1_80 per packet; some peers have only the latter.
func Profiles() []dtls.SRTPProtectionProfile {
	return []dtls.SRTPProtectionProfile{dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80}
}

// Window of replay protection, in packets per SSRC. A publisher's retransmissions come on an SSRC of their own, so this only
// has to cover what the network reorders: 512 packets are 200 ms of 25 Mbit/s.
const Window = 512

// label of RFC 5764 §4.2.
const label = "EXTRACTOR-dtls_srtp"

// ErrNoProfile says that the peer has none of Profiles.
var ErrNoProfile = errors.New("srtpkeys: the peer agreed to no SRTP profile")

// Exporter is a finished handshake (RFC 5705), a *dtls.State.
type Exporter interface {
	ExportKeyingMaterial(label string, context []byte, length int) ([]byte, error)
}

// Keys are both directions' master keys. They print as nothing.
//
// Each direction may have one context only: two that encrypt with one key repeat a nonce, which breaks GCM.
type Keys struct {
	profile srtp.ProtectionProfile
	theirs  material // of the DTLS client, unless that was us
	ours    material
}

type material struct{ key, salt []byte }

// Export takes the keys out of a handshake that agreed on profile.
func Export(from Exporter, profile dtls.SRTPProtectionProfile) (Keys, error) {
	if profile == 0 {
		return Keys{}, ErrNoProfile
	}
	k := Keys{profile: srtp.ProtectionProfile(profile)}
	key, err := k.profile.KeyLen()
	if err != nil {
		return Keys{}, fmt.Errorf("srtpkeys: profile %#x: %w", uint16(profile), err)
	}
	salt, err := k.profile.SaltLen()
	if err != nil {
		return Keys{}, fmt.Errorf("srtpkeys: profile %#x: %w", uint16(profile), err)
	}
	b, err := from.ExportKeyingMaterial(label, nil, 2*(key+salt))
	if err != nil {
		return Keys{}, fmt.Errorf("srtpkeys: export: %w", err)
	}
	cut := func(n int) []byte {
		part := b[:n:n]
		b = b[n:]
		return part
	}
	k.theirs.key, k.ours.key = cut(key), cut(key)
	k.theirs.salt, k.ours.salt = cut(salt), cut(salt)
	return k, nil
}

// OfClient are the same keys where we were the DTLS client.
func (k Keys) OfClient() Keys {
	k.theirs, k.ours = k.ours, k.theirs
	return k
}

// Profile is what was agreed on.
func (k Keys) Profile() dtls.SRTPProtectionProfile { return dtls.SRTPProtectionProfile(k.profile) }

// Inbound makes the context that decrypts what the peer sends. It drops what was received before.
func (k Keys) Inbound() (*srtp.Context, error) {
	return srtp.CreateContext(k.theirs.key, k.theirs.salt, k.profile, srtp.SRTPReplayProtection(Window), srtp.SRTCPReplayProtection(Window))
}

// Opener makes what decrypts RTCP that the peer sends, in o. It is nil where Inbound has to do that.
func (k Keys) Opener(o *seal.Opener) (*seal.Opener, error) {
	if !k.gcm() {
		return nil, nil //nolint:nilnil // no error: other profiles have no opener
	}
	return seal.NewOpener(o, k.theirs.key, k.theirs.salt)
}

func (k Keys) gcm() bool {
	return k.profile == srtp.ProtectionProfileAeadAes128Gcm || k.profile == srtp.ProtectionProfileAeadAes256Gcm
}

// Sealer makes what encrypts all that is sent to the peer, in g if it is that. It or Outbound is to be called, once in the life of k.
func (k Keys) Sealer(g *seal.GCM) (seal.Sealer, error) {
	if k.gcm() {
		return seal.NewGCM(g, k.ours.key, k.ours.salt)
	}
	ctx, err := k.Outbound()
	if err != nil {
		return nil, err
	}
	return &seal.Foreign{Context: ctx}, nil
}

// Outbound makes a context of pion's that encrypts what is sent to the peer.
func (k Keys) Outbound() (*srtp.Context, error) {
	return srtp.CreateContext(k.ours.key, k.ours.salt, k.profile)
}

// String hides the keys.
func (Keys) String() string { return "srtpkeys.Keys(hidden)" }

// GoString hides the keys.
func (Keys) GoString() string { return "srtpkeys.Keys(hidden)" }

// LogValue hides the keys.
func (Keys) LogValue() slog.Value { return slog.StringValue("hidden") }
