package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
)

const (
	saltSize  = 12
	tagSize   = 16
	indexSize = 4 // of SRTCP, with the bit that says that it is encrypted

	controlHeader = 8 // of RTCP, which stays as it is
	mostControl   = 1<<31 - 1
)

// Labels of the keys that are derived (RFC 3711 §4.3.1, §4.3.2).
const (
	labelMedia       = 0
	labelMediaSalt   = 2
	labelControl     = 3
	labelControlSalt = 5
)

// GCM is a Sealer with AES-GCM and tags of 16 bytes (RFC 7714): AEAD_AES_128_GCM and AEAD_AES_256_GCM.
type GCM struct {
	media, control sealing
	sent           uint32   // compound packets so far
	associated     [12]byte // of a compound packet: its header, and its index
}

// sealing is a cipher with its salt, and the place where nonces are made: one on the stack would be garbage.
type sealing struct {
	cipher.AEAD
	salt, nonce [saltSize]byte
}

// NewGCM makes a Sealer of a master key of 16 or 32 bytes and a master salt of 12, at a place that its user chooses.
func NewGCM(g *GCM, key, salt []byte) (*GCM, error) {
	*g = GCM{}
	if err := g.media.derive(key, salt, labelMedia, labelMediaSalt); err != nil {
		return nil, err
	}
	if err := g.control.derive(key, salt, labelControl, labelControlSalt); err != nil {
		return nil, err
	}
	return g, nil
}

// derive makes s of a master key and salt, by the labels of its own ones.
func (s *sealing) derive(key, salt []byte, ofKey, ofSalt byte) error {
	if len(salt) != saltSize {
		return fmt.Errorf("seal: the salt has %d bytes, it must have %d", len(salt), saltSize)
	}
	master, err := aes.NewCipher(key)
	if err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	session := make([]byte, len(key))
	derive(master, salt, ofKey, session)
	derive(master, salt, ofSalt, s.salt[:])
	s.AEAD, err = gcm(session)
	return err
}

func gcm(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return cipher.NewGCM(block)
}

// derive fills key with what the master key and salt give for a label (RFC 3711 §4.3.3): AES in counter mode over nothing, its counter
// beginning with the salt, which has two bytes of zeros behind it (RFC 7714 §11), and the label.
func derive(master cipher.Block, salt []byte, label byte, key []byte) {
	var counter, out [aes.BlockSize]byte
	copy(counter[:], salt)
	counter[7] ^= label
	for n := uint16(0); len(key) > 0; n++ {
		binary.BigEndian.PutUint16(counter[14:], n)
		master.Encrypt(out[:], counter[:])
		key = key[copy(key, out[:]):]
	}
}

// RTP is part of Sealer.
func (g *GCM) RTP(s *Stream, b []byte, header int, payload []byte) ([]byte, error) {
	n, err := s.number(binary.BigEndian.Uint16(b[2:]))
	if err != nil {
		return nil, err
	}
	// RFC 7714 §8.1: two zeros, SSRC, the count of rollovers, the sequence number.
	m := &g.media
	copy(m.nonce[2:6], b[8:12])
	binary.BigEndian.PutUint32(m.nonce[6:], uint32(n>>16))
	copy(m.nonce[10:], b[2:4])
	m.mask()
	return m.Seal(b[:header], m.nonce[:], payload, b[:header]), nil
}

// RTCP is part of Sealer. All of a peer's compound packets are numbered together: more than RFC 3711 §3.2.1 asks for, which has
// a count for each SSRC, and no nonce is used twice.
func (g *GCM) RTCP(b, plain []byte) ([]byte, error) {
	if len(plain) < controlHeader {
		return nil, fmt.Errorf("seal: %d bytes are no RTCP", len(plain))
	}
	if g.sent == mostControl {
		return nil, ErrExhausted
	}
	g.sent++
	m, index := &g.control, g.associated[controlHeader:]
	binary.BigEndian.PutUint32(index, 1<<31|g.sent)
	m.controlNonce(plain, g.sent)
	copy(g.associated[:], plain[:controlHeader])
	copy(b, plain[:controlHeader])
	sealed := m.Seal(b[:controlHeader], m.nonce[:], plain[controlHeader:], g.associated[:])
	return append(sealed, index...), nil
}

// controlNonce is that of a compound packet (RFC 7714 §9.1): two zeros, SSRC, two zeros, the index. Its header and its index are
// authenticated (§9.2).
func (s *sealing) controlNonce(header []byte, index uint32) {
	copy(s.nonce[2:6], header[4:8])
	s.nonce[6], s.nonce[7] = 0, 0
	binary.BigEndian.PutUint32(s.nonce[8:], index)
	s.mask()
}

// mask finishes a nonce: its first two bytes, which are zero, and the salt.
func (s *sealing) mask() {
	s.nonce[0], s.nonce[1] = 0, 0
	for i := range s.nonce {
		s.nonce[i] ^= s.salt[i]
	}
}
