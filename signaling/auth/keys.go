package auth

import (
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// Keys are the server's signing keys by name, which a token gives as iss. They never change.
type Keys struct{ secrets map[string][]byte }

// NewKeys takes secrets by name. One that is too short is an error that says so, and never shows it.
func NewKeys(secrets map[string]string) (Keys, error) {
	k := Keys{secrets: make(map[string][]byte, len(secrets))}
	for name, secret := range secrets {
		if name == "" {
			return Keys{}, errors.New("auth: a key needs a name: tokens give it as iss")
		}
		if len(secret) < MinSecret {
			return Keys{}, fmt.Errorf("auth: the secret of key %q has %d bytes, at least %d are needed; make one with: openssl rand -base64 32", name, len(secret), MinSecret)
		}
		k.secrets[name] = []byte(secret)
	}
	return k, nil
}

// Mint signs t with the named key. A token that Verify would refuse for anything but its time is an error.
func (k Keys) Mint(name string, t Token) (string, error) {
	secret, ok := k.secrets[name]
	if !ok {
		return "", fmt.Errorf("auth: no key named %q", name)
	}
	if err := t.check(); err != nil {
		return "", fmt.Errorf("auth: %w", err)
	}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, t.claims(name)).SignedString(secret)
	if err != nil {
		return "", fmt.Errorf("auth: sign: %w", err)
	}
	return signed, nil
}

// Mint signs t with one secret, for programs that hold nothing else.
func Mint(name, secret string, t Token) (string, error) {
	k, err := NewKeys(map[string]string{name: secret})
	if err != nil {
		return "", err
	}
	return k.Mint(name, t)
}

// Verify reads a token and checks its signature, its claims and its time. The error is always a *protocol.Error with one of
// the codes auth.missing, auth.invalid, auth.expired and auth.forbidden.
func (k Keys) Verify(now time.Time, signed string) (Token, error) {
	if signed == "" {
		return Token{}, &protocol.Error{Code: protocol.AuthMissing, Message: "there is no access token", Hint: "give one with the request or in join"}
	}
	if len(signed) > protocol.MaxToken {
		return Token{}, invalid("it is larger than %d bytes", protocol.MaxToken)
	}
	var c claims
	// Time is checked below, for words that help.
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithoutClaimsValidation())
	if _, err := parser.ParseWithClaims(signed, &c, k.choose); err != nil {
		return Token{}, refuse(err)
	}
	t := c.token()
	if err := t.check(); err != nil {
		return Token{}, invalid("%v", err)
	}
	return t, c.allowed(now, t)
}

// errKey wraps what choose says, to tell it from a wrong signature.
type errKey struct{ msg string }

func (e errKey) Error() string { return e.msg }

func (k Keys) choose(t *jwt.Token) (any, error) {
	if _, critical := t.Header["crit"]; critical { // RFC 7515 §4.1.11: not understood means refused
		return nil, errKey{"it has critical headers that this server does not know"}
	}
	iss, err := t.Claims.GetIssuer()
	if err != nil || iss == "" {
		return nil, errKey{"iss (the name of the key) is required"}
	}
	secret, ok := k.secrets[iss]
	if !ok {
		return nil, errKey{"no key of this server has the name that iss gives"}
	}
	return secret, nil
}

func refuse(err error) error {
	var key errKey
	switch {
	case errors.As(err, &key):
		return invalid("%s", key.msg)
	case errors.Is(err, jwt.ErrTokenMalformed):
		return invalid("it is not a JWT with the expected claims")
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return invalid("its signature does not match: it must be HS256 with the secret of the key that iss names")
	default:
		return invalid("it cannot be read")
	}
}

func invalid(format string, args ...any) *protocol.Error {
	return &protocol.Error{Code: protocol.AuthInvalid, Message: "the access token is not valid: " + fmt.Sprintf(format, args...), Hint: "make a new token"}
}

// allowed checks what depends on the time and on the kind of token.
func (c claims) allowed(now time.Time, t Token) error {
	switch {
	case now.After(t.Expires.Add(Leeway)):
		return &protocol.Error{Code: protocol.AuthExpired, Message: "the access token expired " + now.Sub(t.Expires).Round(time.Second).String() + " ago", Hint: "get a new token"}
	case now.Add(Leeway).Before(t.NotBefore):
		return &protocol.Error{Code: protocol.AuthInvalid, Message: "the access token is not valid before " + t.NotBefore.UTC().Format(time.RFC3339), Hint: "wait, or check the clocks", Retryable: true}
	case !c.Video.RoomJoin:
		return &protocol.Error{Code: protocol.AuthForbidden, Message: "the access token does not allow to join: video.roomJoin is not true", Hint: "make a token with roomJoin"}
	}
	return nil
}
