package seal

import (
	"encoding/binary"
	"errors"
)

// Errors of an Opener.
var (
	ErrNotSealed = errors.New("seal: no SRTCP, or not encrypted")
	ErrReplayed  = errors.New("seal: a packet that came before, or is too old to tell")
	ErrTooMany   = errors.New("seal: RTCP of too many SSRCs")
)

// maxReporters is how many SSRCs of one peer may send RTCP: each stream that it publishes has one, and what it watches has another.
const maxReporters = 256

// Opener opens SRTCP with AES-GCM (RFC 7714) that a peer sends. Most peers send nothing else. It is made by NewOpener.
type Opener struct {
	sealing
	associated [12]byte
	reporters  []reporter
}

// reporter is what has come of an SSRC.
type reporter struct {
	ssrc, highest uint32
	seen          uint64 // a bit for each of the last 64, the lowest for highest
}

// NewOpener makes an Opener of a master key of 16 or 32 bytes and a master salt of 12, at a place that its user chooses.
func NewOpener(o *Opener, key, salt []byte) (*Opener, error) {
	*o = Opener{}
	if err := o.derive(key, salt, labelControl, labelControlSalt); err != nil {
		return nil, err
	}
	return o, nil
}

// RTCP opens a compound packet in place, and drops what came before. After an error nothing of b is left to be read.
func (o *Opener) RTCP(b []byte) ([]byte, error) {
	end := len(b) - indexSize
	if end < controlHeader+tagSize || b[end]&0x80 == 0 {
		return nil, ErrNotSealed
	}
	ssrc, index := binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[end:])&mostControl
	at := o.find(ssrc)
	switch {
	case at < 0 && len(o.reporters) >= maxReporters:
		return nil, ErrTooMany
	case at >= 0 && !o.reporters[at].fresh(index):
		return nil, ErrReplayed
	}
	o.controlNonce(b, index)
	copy(o.associated[:], b[:controlHeader])
	copy(o.associated[controlHeader:], b[end:])
	plain, err := o.Open(b[controlHeader:controlHeader], o.nonce[:], b[controlHeader:end], o.associated[:])
	if err != nil {
		return nil, err
	}
	if at < 0 { // only now: it is proven
		at, o.reporters = len(o.reporters), append(o.reporters, reporter{ssrc: ssrc, highest: index})
	}
	o.reporters[at].note(index)
	return b[:controlHeader+len(plain)], nil
}

func (o *Opener) find(ssrc uint32) int {
	for i := range o.reporters {
		if o.reporters[i].ssrc == ssrc {
			return i
		}
	}
	return -1
}

// fresh says whether index has not come yet, as far as is known.
func (r *reporter) fresh(index uint32) bool {
	if index > r.highest {
		return true
	}
	behind := r.highest - index
	return behind < 64 && r.seen>>behind&1 == 0
}

func (r *reporter) note(index uint32) {
	if index > r.highest {
		r.seen <<= min(index-r.highest, 64)
		r.highest = index
	}
	r.seen |= 1 << (r.highest - index)
}
