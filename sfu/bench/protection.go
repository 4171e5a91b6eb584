//go:build linux

package main

import (
	"encoding/binary"
	"errors"
	"sync"

	"github.com/pion/dtls/v3"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

// protection is the SRTP and SRTCP of a client, both ways. The zero value has no keys yet.
type protection struct {
	mu sync.Mutex
	// Guarded by mu.
	out, in *srtp.Context
	header  rtp.Header // these are used again
	plain   []byte
	report  []byte
}

var (
	errNoKeys = errors.New("there are no keys yet")
	errShort  = errors.New("the packet holds no number")
)

// start takes the keys of a finished handshake.
func (p *protection) start(conn *dtls.Conn) error {
	state, _ := conn.ConnectionState()
	keys := srtp.Config{Profile: srtp.ProtectionProfileAeadAes128Gcm}
	if err := keys.ExtractSessionKeysFromDTLS(&state, true); err != nil {
		return err
	}
	out, err := srtp.CreateContext(keys.Keys.LocalMasterKey, keys.Keys.LocalMasterSalt, keys.Profile)
	if err != nil {
		return err
	}
	in, err := srtp.CreateContext(keys.Keys.RemoteMasterKey, keys.Keys.RemoteMasterSalt, keys.Profile)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out, p.in = out, in
	return nil
}

// seal appends an encrypted RTP packet to dst.
func (p *protection) seal(dst, packet []byte) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.out == nil {
		return nil, errNoKeys
	}
	return p.out.EncryptRTP(dst, packet, nil)
}

// open decrypts an RTP packet and returns the number at its end.
func (p *protection) open(b []byte) (number uint64, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.in == nil {
		return 0, errNoKeys
	}
	plain, err := p.in.DecryptRTP(p.plain[:0], b, &p.header)
	if err != nil {
		return 0, err
	}
	p.plain = plain
	if len(plain) < numberBytes {
		return 0, errShort
	}
	return binary.BigEndian.Uint64(plain[len(plain)-numberBytes:]), nil
}

// sealReport encrypts RTCP packets and hands them to send.
func (p *protection) sealReport(b []byte, send func(b []byte) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.out == nil {
		return errNoKeys
	}
	sealed, err := p.out.EncryptRTCP(p.report[:0], b, nil)
	if err != nil {
		return err
	}
	p.report = sealed
	return send(sealed)
}

// openReport decrypts RTCP packets.
func (p *protection) openReport(b []byte) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.in == nil {
		return nil, errNoKeys
	}
	return p.in.DecryptRTCP(nil, b, nil)
}
