// Package sdp reads as much of SDP as a door over HTTP needs, and changes what it must: which m-lines an offer has, its ICE
// credentials, and the fragments in which candidates follow it (RFC 8840 §9).
//
// It is pure. Whether an offer can be answered is the media plane's business; here it is only made sure that there is
// something to answer, so that HTTP can say what is wrong in its own words.
package sdp

import (
	"errors"
	"fmt"
)

// What can be wrong; errors wrap one of these.
var (
	ErrMalformed = errors.New("it cannot be read")
	ErrRole      = errors.New("it cannot be processed")  // readable, but not what this door is for
	ErrTooMany   = errors.New("it is more than allowed") // RFC 9725 §4.4.2: one track of a kind
)

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// Sizes of ICE credentials, RFC 8839 §5.4.
const (
	minUfrag = 4
	minPwd   = 22
	maxICE   = 256
)

// credentials checks the pair: it is written into other descriptions.
func credentials(ufrag, pwd string) error {
	if !iceChars(ufrag) || len(ufrag) < minUfrag || len(ufrag) > maxICE {
		return malformed("a=ice-ufrag must be %d to %d letters, digits, + or /", minUfrag, maxICE)
	}
	if !iceChars(pwd) || len(pwd) < minPwd || len(pwd) > maxICE {
		return malformed("a=ice-pwd must be %d to %d letters, digits, + or /", minPwd, maxICE)
	}
	return nil
}

func iceChars(s string) bool {
	for _, c := range []byte(s) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		// "-" and "_" are not of RFC 8839, but some clients use them.
		if !letter && (c < '0' || c > '9') && c != '+' && c != '/' && c != '-' && c != '_' {
			return false
		}
	}
	return true
}
