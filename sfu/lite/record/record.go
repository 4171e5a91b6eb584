// Package record is the record layer of DTLS 1.2 (RFC 6347 §4.1) once the handshake is over: AES-GCM (RFC 5288), epoch 1.
//
// A Layer seals what is sent where it lies and opens what was received where it arrived. Secrets are what the handshake, which is
// pion's, leaves to it. It does no I/O, starts no goroutine and has no clock; one caller at a time.
package record

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/pion/dtls/v3/pkg/crypto/prf"
)

// Kind of a record's content (RFC 5246 §6.2.1).
type Kind uint8

// The kinds.
const (
	ChangeCipherSpec Kind = 20
	Alert            Kind = 21
	Handshake        Kind = 22
	Data             Kind = 23
)

const (
	headerSize = 13 // bytes: kind, version, epoch, sequence number, length
	nonceSize  = 8  // bytes in front of the content: the explicit part of the nonce (RFC 5288 §3)
	tagSize    = 16 // bytes behind it
	ivSize     = 4  // bytes: the part of the nonce that is a secret

	// Prefix is the number of bytes of a record in front of its content.
	Prefix = headerSize + nonceSize
	// Overhead is the number of bytes that a record has besides its content.
	Overhead = Prefix + tagSize
	// MaxContent is how long the content of a record may be (RFC 5246 §6.2.1).
	MaxContent = 1 << 14

	version     = 0xfefd // DTLS 1.2
	epoch       = 1
	maxSequence = 1<<48 - 1
	window      = 64 // records that may arrive out of order (RFC 6347 §4.1.2.6)
)

// Errors of Seal and Open. But for ErrMalformed, what follows in the datagram is still of use.
var (
	ErrMalformed = errors.New("record: malformed, or not DTLS 1.2")
	ErrEpoch     = errors.New("record: not of the established connection")
	ErrReplayed  = errors.New("record: received before, or too old to say")
	ErrForged    = errors.New("record: not authentic")
	ErrTooLong   = errors.New("record: the content is longer than a record holds")
	ErrExhausted = errors.New("record: all sequence numbers were used: the connection has to end")
)

// Layer is one connection's end.
type Layer struct {
	in, out direction
	next    uint64 // sequence number of the next record sent

	top  uint64 // one above the highest sequence number opened
	seen uint64 // bit i: top-1-i was opened
}

// direction is one way's cipher, with room for its arguments, which would be allocated otherwise.
type direction struct {
	aead  cipher.AEAD
	nonce [ivSize + nonceSize]byte
	extra [headerSize]byte
}

// New makes our end. There must be one for a connection: two would repeat nonces, which breaks GCM.
func New(s Secrets) (*Layer, error) {
	size, hash, ok := suiteOf(s.suite)
	if !ok {
		return nil, fmt.Errorf("record: cipher suite %#04x is none of ours", s.suite)
	}
	k, err := prf.GenerateEncryptionKeys(s.master, s.clientRandom, s.serverRandom, 0, size, ivSize, hash)
	if err != nil {
		return nil, fmt.Errorf("record: derive keys: %w", err)
	}
	l := &Layer{next: s.next}
	fromClient, fromServer := &l.in, &l.out
	if s.client {
		fromClient, fromServer = &l.out, &l.in
	}
	if err := errors.Join(fromClient.init(k.ClientWriteKey, k.ClientWriteIV), fromServer.init(k.ServerWriteKey, k.ServerWriteIV)); err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	return l, nil
}

func (d *direction) init(key, iv []byte) error {
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	copy(d.nonce[:], iv)
	d.aead, err = cipher.NewGCM(block)
	return err
}

// Seal makes a record of b, whose content, n bytes, is at Prefix already, and returns its length. b holds n + Overhead bytes.
func (l *Layer) Seal(b []byte, kind Kind, n int) (int, error) {
	switch {
	case n > MaxContent:
		return 0, ErrTooLong
	case l.next > maxSequence:
		return 0, ErrExhausted
	}
	number := epoch<<48 | l.next
	l.next++
	b[0] = byte(kind)
	binary.BigEndian.PutUint16(b[1:], version)
	binary.BigEndian.PutUint64(b[3:], number)
	binary.BigEndian.PutUint16(b[11:], uint16(nonceSize+n+tagSize))
	binary.BigEndian.PutUint64(b[headerSize:], number) // RFC 5288 leaves the choice: this one does not repeat
	l.out.prepare(b, n)
	l.out.aead.Seal(b[Prefix:Prefix], l.out.nonce[:], b[Prefix:Prefix+n], l.out.extra[:])
	return Overhead + n, nil
}

// prepare sets the arguments for the record b with n bytes of content.
func (d *direction) prepare(b []byte, n int) {
	copy(d.nonce[ivSize:], b[headerSize:Prefix])
	copy(d.extra[:8], b[3:11])
	copy(d.extra[8:11], b[:3])
	binary.BigEndian.PutUint16(d.extra[11:], uint16(n))
}

// Open decrypts the first record of a datagram where it lies, and returns what comes behind it.
func (l *Layer) Open(datagram []byte) (kind Kind, content, rest []byte, err error) {
	b, rest, ok := first(datagram)
	if !ok {
		return 0, nil, nil, ErrMalformed
	}
	kind = Kind(b[0])
	number := binary.BigEndian.Uint64(b[3:])
	n := len(b) - Overhead
	switch {
	case number>>48 != epoch:
		return kind, nil, rest, ErrEpoch
	case binary.BigEndian.Uint16(b[1:]) != version || n < 0 || n > MaxContent:
		return kind, nil, rest, ErrForged
	case !l.fresh(number & maxSequence):
		return kind, nil, rest, ErrReplayed
	}
	l.in.prepare(b, n)
	content, err = l.in.aead.Open(b[Prefix:Prefix], l.in.nonce[:], b[Prefix:], l.in.extra[:])
	if err != nil {
		return kind, nil, rest, ErrForged
	}
	l.opened(number & maxSequence)
	return kind, content, rest, nil
}

// fresh says whether a record with this number may be opened.
func (l *Layer) fresh(n uint64) bool {
	return n >= l.top || l.top-1-n < window && l.seen>>(l.top-1-n)&1 == 0
}

func (l *Layer) opened(n uint64) {
	if n >= l.top {
		l.seen = l.seen<<(n+1-l.top) | 1 // a shift by 64 or more leaves 0
		l.top = n + 1
		return
	}
	l.seen |= 1 << (l.top - 1 - n)
}

// first cuts a datagram behind its first record.
func first(datagram []byte) (b, rest []byte, ok bool) {
	if len(datagram) < headerSize {
		return nil, nil, false
	}
	size := headerSize + int(binary.BigEndian.Uint16(datagram[11:]))
	if size > len(datagram) {
		return nil, nil, false
	}
	return datagram[:size:size], datagram[size:], true
}

// Sealed is a record as it is sent, as far as everybody can read it.
type Sealed struct {
	Kind     Kind
	Epoch    uint16 // 0: of the handshake, in the clear
	Sequence uint64
}

// Peek reads the head of the first record of a datagram, and returns what comes behind it.
func Peek(datagram []byte) (head Sealed, rest []byte, ok bool) {
	b, rest, ok := first(datagram)
	if !ok {
		return Sealed{}, nil, false
	}
	number := binary.BigEndian.Uint64(b[3:])
	return Sealed{Kind: Kind(b[0]), Epoch: uint16(number >> 48), Sequence: number & maxSequence}, rest, true
}

// Ends says whether the content of an alert ends the connection (RFC 5246 §7.2): it is fatal, or says goodbye.
func Ends(alert []byte) bool {
	const fatal, closeNotify = 2, 0
	return len(alert) == 2 && (alert[0] == fatal || alert[1] == closeNotify)
}

// Goodbye is the content of an alert that ends the connection: close_notify, as a warning.
func Goodbye() [2]byte { return [2]byte{1, 0} }

// Repeats says whether the content of a handshake record is the end of the peer's last flight: it lacks ours (RFC 6347 §4.2.4).
func Repeats(handshake []byte) bool {
	const finished = 20
	return len(handshake) > 0 && handshake[0] == finished
}
