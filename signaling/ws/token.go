package ws

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// CookieName is the cookie that holds an access token.
const CookieName = "turnout_session"

// Token finds the access token of a request, in the order that docs/reference/signaling.md §1 gives; "" when there is none.
func Token(r *http.Request) string {
	if t := bearer(r); t != "" {
		return t
	}
	for _, p := range subprotocols(r) {
		if t, ok := strings.CutPrefix(p, protocol.TokenProtocol); ok && t != "" {
			return t
		}
	}
	if c, err := r.Cookie(CookieName); err == nil && c.Value != "" {
		return c.Value
	}
	return r.URL.Query().Get("access_token")
}

func bearer(r *http.Request) string {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// subprotocols are those that a client offers (RFC 6455 §11.3.4).
func subprotocols(r *http.Request) []string {
	var all []string
	for _, line := range r.Header.Values("Sec-WebSocket-Protocol") {
		for p := range strings.SplitSeq(line, ",") {
			if p = strings.TrimSpace(p); p != "" {
				all = append(all, p)
			}
		}
	}
	return all
}

// originAllowed says whether the page that a request comes from may connect. Programs that are no browsers send no Origin.
func originAllowed(r *http.Request, allowed []string) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || slices.Contains(allowed, "*") {
		return true
	}
	if slices.ContainsFunc(allowed, func(a string) bool { return strings.EqualFold(strings.TrimSuffix(a, "/"), origin) }) {
		return true
	}
	u, err := url.Parse(origin)
	// The scheme is not compared: behind a proxy that ends TLS, the server does not know its own.
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}
