package ws

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// maxCookie is what browsers store of one cookie (RFC 6265 §6.1), less its name and attributes.
const maxCookie = 3900

// SetCookie answers POST /api/session: it puts a token that verify accepts into the cookie. verify also says when it expires.
func (d *Door) SetCookie(verify func(token string) (time.Time, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !originAllowed(r, d.cfg.Origins) {
			d.refuse(w, http.StatusForbidden, forbiddenOrigin())
			return
		}
		token := bearer(r)
		expires, err := verify(token)
		if err != nil {
			d.refuse(w, http.StatusUnauthorized, err)
			return
		}
		if len(token) > maxCookie {
			d.refuse(w, http.StatusUnauthorized, &protocol.Error{Code: protocol.AuthInvalid, Message: "the token is too large for a cookie", Hint: "put less metadata into it, or give it in join"})
			return
		}
		setCookie(w, r, token, expires)
		w.WriteHeader(http.StatusNoContent)
	})
}

// ClearCookie answers DELETE /api/session.
func (d *Door) ClearCookie() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setCookie(w, r, "", time.Unix(1, 0)) // a time long past removes it (RFC 6265 §3.1)
		w.WriteHeader(http.StatusNoContent)
	})
}

func setCookie(w http.ResponseWriter, r *http.Request, value string, expires time.Time) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // not Secure over plain HTTP only, where it would be thrown away: localhost
		Name: CookieName, Value: value, Path: "/", Expires: expires, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https",
	})
}

func forbiddenOrigin() error {
	return &protocol.Error{Code: protocol.AuthForbidden, Message: "pages of this origin may not connect", Hint: "list it in signaling.origins"}
}

// refuse answers in JSON, as a client would get it over the WebSocket.
func (d *Door) refuse(w http.ResponseWriter, status int, err error) {
	var fault *protocol.Error
	if errors.As(err, &fault) {
		d.owner.Refused(string(fault.Code))
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(fault) // who asked is gone: nobody is left to tell
}
