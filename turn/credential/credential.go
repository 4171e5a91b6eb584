// Package credential mints and checks the time-limited credentials of a TURN server.
//
// The format is the one of draft-uberti-behave-turn-rest-00, which coturn calls static-auth-secret: the user name is
// "<expiry as Unix seconds>:<user>", the password is the base64 of the HMAC-SHA1 of the user name under a shared secret.
// A key that has an id puts it before the user, "<expiry>:<key id>.<user>", so that two secrets can be alive at once.
// The package keeps no state and never reads the clock.
package credential

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the format prescribes HMAC-SHA1, which is not weakened by SHA-1's collisions
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Errors of Verify. They are the reasons under which a refusal is counted.
var (
	ErrMalformed = errors.New("user name is not <expiry>:<user>")
	ErrExpired   = errors.New("credential has expired; get a new one")
	ErrTooLong   = errors.New("credential is valid for longer than the server accepts")
)

// maxUsername is the longest USERNAME of RFC 8489 §14.3, in bytes.
const maxUsername = 508

// Key is a shared secret. ID is empty for the key that foreign minters (coturn's static-auth-secret) use.
type Key struct {
	ID     string
	Secret []byte
}

// Validate says what is wrong with k.
func (k Key) Validate() error {
	if len(k.Secret) == 0 {
		return fmt.Errorf("key %q has no secret", k.ID)
	}
	for _, r := range k.ID {
		if !validInID(r) {
			return fmt.Errorf("key id %q: use letters, digits, - and _ only", k.ID)
		}
	}
	if len(k.ID) > 32 {
		return fmt.Errorf("key id %q is longer than 32 bytes", k.ID)
	}
	return nil
}

func validInID(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_'
}

// Keys are the secrets a server knows. The first one mints; all of them verify. It is immutable.
type Keys []Key

// Validate says what is wrong with the set.
func (ks Keys) Validate() error {
	if len(ks) == 0 {
		return errors.New("no key: give the TURN server a secret")
	}
	seen := map[string]bool{}
	for _, k := range ks {
		if err := k.Validate(); err != nil {
			return err
		}
		if seen[k.ID] {
			return fmt.Errorf("two keys have the id %q", k.ID)
		}
		seen[k.ID] = true
	}
	return nil
}

// Mint makes the user name and password of user, valid until expires (whole seconds).
func (ks Keys) Mint(user string, expires time.Time) (username, password string) {
	k := ks[0]
	if k.ID != "" {
		user = k.ID + "." + user
	}
	username = strconv.FormatInt(expires.Unix(), 10) + ":" + user
	return username, k.password(username)
}

func (k Key) password(username string) string {
	mac := hmac.New(sha1.New, k.Secret)
	mac.Write([]byte(username))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// Credential is a user name taken apart, with the password that belongs to it.
type Credential struct {
	User     string
	Expires  time.Time
	Password string
}

// Verify takes username apart and computes its password; whoever calls compares it by the message integrity.
// It judges no time: that is Credential.Check.
func (ks Keys) Verify(username string) (Credential, error) {
	if len(username) > maxUsername {
		return Credential{}, ErrMalformed
	}
	stamp, user, ok := strings.Cut(username, ":")
	if !ok || user == "" {
		return Credential{}, ErrMalformed
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || seconds < 0 || seconds > maxUnix {
		return Credential{}, ErrMalformed
	}
	key, user, ok := ks.find(user)
	if !ok || user == "" {
		return Credential{}, ErrMalformed
	}
	return Credential{User: user, Expires: time.Unix(seconds, 0), Password: key.password(username)}, nil
}

// maxUnix is the year 9999: time arithmetic on anything later may overflow.
const maxUnix = 253402300799

// find returns the key that a user part names, and the user without the key id. Without a known id it is the key without one.
func (ks Keys) find(user string) (Key, string, bool) {
	if id, rest, ok := strings.Cut(user, "."); ok && id != "" {
		for _, k := range ks {
			if k.ID == id {
				return k, rest, true
			}
		}
	}
	for _, k := range ks {
		if k.ID == "" {
			return k, user, true
		}
	}
	return Key{}, "", false
}

// Check says whether c is within its time at now; longest is the longest life the server accepts.
func (c Credential) Check(now time.Time, longest time.Duration) error {
	switch {
	case now.After(c.Expires):
		return ErrExpired
	case c.Expires.Sub(now) > longest+clockSkew:
		return ErrTooLong
	}
	return nil
}

// clockSkew is how far the clock of whoever mints may be ahead of ours.
const clockSkew = time.Minute
