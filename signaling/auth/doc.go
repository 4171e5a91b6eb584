// Package auth mints and verifies access tokens: JWTs (RFC 7519) signed with HS256, laid out as docs/reference/signaling.md
// §7 says.
//
// Its nouns: a Token is what is said of one participant; its Grants are what it may do; Keys are the server's secrets. It
// never reads the clock.
package auth

import (
	"time"

	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// Leeway is the clock skew that is forgiven.
const Leeway = 30 * time.Second

// MinSecret is the size of the shortest secret, in bytes: that of the hash (RFC 7518 §3.2).
const MinSecret = 32

// Token is what an access token says.
type Token struct {
	Identity   string // unique in the room
	Name       string
	Metadata   string
	Attributes map[string]string
	Room       string
	Grants     Grants
	NotBefore  time.Time // zero: at once
	Expires    time.Time
}

// Grants are what a participant may do.
type Grants struct {
	protocol.Permissions
	Update bool              // may change its own name, metadata and attributes
	Topics map[string]string // "r", "w", "rw" or "", by data topic or "*"; nil is {"*": "rw"}
}

// DefaultGrants are those of a token that names none: all but admin and hidden.
func DefaultGrants() Grants {
	return Grants{Permissions: protocol.Permissions{Publish: true, Subscribe: true, Data: true}, Update: true}
}
