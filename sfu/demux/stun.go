package demux

import (
	"bytes"
	"encoding/binary"
	"errors"
)

const (
	stunHeader  = 20 // bytes, RFC 8489 §5
	magicCookie = 0x2112A442

	bindingRequest = 0x0001
	attrUsername   = 0x0006
	attrIntegrity  = 0x0008 // attributes behind it are not protected by it: RFC 8489 §14.5 has them ignored
	maxUsername    = 513    // bytes, RFC 5389 §15.3
)

// Errors of BindingUfrag.
var (
	ErrNotBinding = errors.New("demux: not a STUN binding request")
	ErrMalformed  = errors.New("demux: malformed STUN message")
	ErrNoUsername = errors.New("demux: binding request without a username of the form ours:theirs")
)

// BindingUfrag returns the receiver's ufrag of a binding request, the part of its USERNAME in front of the colon
// (RFC 8445 §7.2.2). It is a part of b.
func BindingUfrag(b []byte) ([]byte, error) {
	switch {
	case len(b) < stunHeader || binary.BigEndian.Uint32(b[4:]) != magicCookie:
		return nil, ErrMalformed
	case int(binary.BigEndian.Uint16(b[2:])) != len(b)-stunHeader || len(b)%4 != 0:
		return nil, ErrMalformed
	case binary.BigEndian.Uint16(b) != bindingRequest:
		return nil, ErrNotBinding
	}
	for rest := b[stunHeader:]; len(rest) >= 4; {
		kind, size := binary.BigEndian.Uint16(rest), int(binary.BigEndian.Uint16(rest[2:]))
		padded := (size + 3) &^ 3
		if 4+padded > len(rest) {
			return nil, ErrMalformed
		}
		switch kind {
		case attrIntegrity:
			return nil, ErrNoUsername
		case attrUsername:
			ours, _, ok := bytes.Cut(rest[4:4+size], []byte{':'})
			if !ok || len(ours) == 0 || size > maxUsername {
				return nil, ErrNoUsername
			}
			return ours, nil
		}
		rest = rest[4+padded:]
	}
	return nil, ErrNoUsername
}

// Purpose of a STUN message on a port that media shares with a STUN and TURN server (RFC 7983 §7, RFC 8656 §12).
type Purpose uint8

// The purposes.
const (
	Useless Purpose = iota // malformed, or a Binding indication, which only keeps NATs open
	Check                  // a connectivity check of an ICE agent
	Reply                  // an answer to a Binding request of ours
	Query                  // for a STUN or TURN server: another method, or a Binding request of nobody in particular
)

// PurposeOf says what a STUN message is for, and the receiver's ufrag of a Check, which is a part of b.
func PurposeOf(b []byte) (Purpose, []byte) {
	const classes, binding = 0x0110, 0x0001 // RFC 8489 §5
	ufrag, err := BindingUfrag(b)
	switch {
	case err == nil:
		return Check, ufrag
	case errors.Is(err, ErrNoUsername):
		return Query, nil
	case errors.Is(err, ErrMalformed):
		return Useless, nil
	}
	switch kind := binary.BigEndian.Uint16(b); {
	case kind&^classes != binding:
		return Query, nil
	case kind&0x0100 != 0:
		return Reply, nil
	}
	return Useless, nil
}
