package signaling

import (
	"crypto/rand"
	"crypto/subtle"
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// newID makes an id of 12 random characters (71 bits) behind a prefix that says what it names.
func newID(prefix string) string { return prefix + random(12) }

// newSecret makes a secret of 131 bits.
func newSecret() string { return random(22) }

func random(n int) string {
	// Bytes from 248 up are thrown away: the rest is a multiple of 62, so that every character is as likely.
	out := make([]byte, 0, n)
	buf := make([]byte, 2*n)
	for {
		_, _ = rand.Read(buf) // never fails (crypto/rand)
		for _, b := range buf {
			if b >= 248 {
				continue
			}
			if out = append(out, base62[b%62]); len(out) == n {
				return string(out)
			}
		}
	}
}

func sameSecret(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
