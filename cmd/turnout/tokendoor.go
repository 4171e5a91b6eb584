package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/turnout-rtc/turnout/signaling/auth"
	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// devTokenTTL is how long a token of turnout dev can be used to join.
const devTokenTTL = 6 * time.Hour

// tokenDoor is GET /api/token of turnout dev (docs/reference/signaling.md §8): a token for everyone who asks.
type tokenDoor struct {
	key, secret string
	anyHost     bool // not only this machine's own names
}

func (d tokenDoor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	token, refused := d.mint(r)
	var answer any = map[string]string{"token": token}
	if refused != nil {
		w.WriteHeader(http.StatusBadRequest)
		answer = refused
	}
	_ = json.NewEncoder(w).Encode(answer) // the browser is gone, then
}

func (d tokenDoor) mint(r *http.Request) (string, *protocol.Error) {
	if !d.anyHost && !isLocalHost(r.Host) {
		return "", refusal("this server is for this machine only", "open it as localhost")
	}
	query := r.URL.Query()
	t := auth.Token{Room: query.Get("room"), Identity: query.Get("identity"), Name: query.Get("name"), Grants: auth.DefaultGrants(), Expires: time.Now().Add(devTokenTTL)}
	for _, field := range []struct {
		name, value string
		least, most int
	}{
		{"room", t.Room, 1, protocol.MaxRoom},
		{"identity", t.Identity, 1, protocol.MaxIdentity},
		{"name", t.Name, 0, protocol.MaxName},
	} {
		if !utf8.ValidString(field.value) || len(field.value) < field.least || len(field.value) > field.most {
			message := fmt.Sprintf("%s must have %d to %d bytes of UTF-8", field.name, field.least, field.most)
			return "", refusal(message, "ask for /api/token?room=ROOM&identity=IDENTITY&name=NAME")
		}
	}
	signed, err := auth.Mint(d.key, d.secret, t)
	if err != nil {
		return "", refusal(err.Error(), "")
	}
	return signed, nil
}

func refusal(message, hint string) *protocol.Error {
	return &protocol.Error{Code: protocol.Malformed, Message: message, Hint: hint}
}

// isLocalHost says whether a Host header names this machine and not a domain: a page of a domain that somebody points at
// 127.0.0.1 (DNS rebinding) must not get a token.
func isLocalHost(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	if host == "localhost" {
		return true
	}
	_, err = netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil
}
