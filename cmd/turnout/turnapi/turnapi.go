// Package turnapi serves /v1/turn (docs/reference/http.md): credentials for whoever may use the TURN server, and its
// allocations for whoever runs it.
//
// There are two kinds of callers. A participant gives an access token and gets credentials for itself. The operator gives the
// operator's key and may do everything. The package keeps nothing of either.
package turnapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/turnout-rtc/turnout/signaling/auth"
	"github.com/turnout-rtc/turnout/signaling/protocol"
	"github.com/turnout-rtc/turnout/turn"
	"github.com/turnout-rtc/turnout/turn/quota"
)

// Config of the API.
type Config struct {
	Tokens   auth.Keys // of access tokens; none when there are no rooms
	Operator string    // the operator's key; empty: nobody is the operator
	Origins  []string  // web origins that may ask for credentials, besides the server's own; "*" is all
	Rate     int       // requests a second of one source address; the operator's do not count
}

// API is the handler of /v1/turn.
type API struct {
	// Set at construction, never changed.
	cfg      Config
	turn     *turn.Server
	operator [sha256.Size]byte

	mu      sync.Mutex
	sources *quota.Sources // Guarded by mu.
}

// New makes the API of a TURN server.
func New(server *turn.Server, cfg Config) *API {
	rate := quota.Rate{PerSecond: float64(cfg.Rate), Burst: 2 * float64(cfg.Rate)}
	return &API{cfg: cfg, turn: server, operator: sha256.Sum256([]byte(cfg.Operator)), sources: quota.NewSources(rate)}
}

// Register adds the paths.
func (a *API) Register(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/turn/credentials", a.crossOrigin(a.credentials))
	mux.HandleFunc("OPTIONS /v1/turn/credentials", a.crossOrigin(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	}))
	mux.HandleFunc("GET /v1/turn/allocations", a.operators(a.allocations))
	mux.HandleFunc("DELETE /v1/turn/allocations/{user}", a.operators(a.revoke))
}

// Credentials are what GET /v1/turn/credentials answers: draft-uberti-behave-turn-rest-00 §2.2, and the same once more as
// RTCConfiguration.iceServers.
type Credentials struct {
	Username   string           `json:"username"`
	Password   string           `json:"password"`
	TTL        int64            `json:"ttl"` // seconds
	URIs       []string         `json:"uris"`
	ICEServers []turn.ICEServer `json:"iceServers"`
}

func (a *API) credentials(w http.ResponseWriter, r *http.Request) {
	user, status, err := a.user(r)
	if err != nil {
		refuse(w, status, err)
		return
	}
	servers, expires := a.turn.ICEServers(user)
	c := Credentials{TTL: int64(time.Until(expires).Seconds()), URIs: []string{}, ICEServers: servers}
	for _, s := range servers {
		if s.Username != "" {
			c.Username, c.Password = s.Username, s.Credential
			c.URIs = append(c.URIs, s.URLs...)
		}
	}
	answer(w, http.StatusOK, c)
}

// user is whom the credentials are for: the token's participant, or whom the operator names.
func (a *API) user(r *http.Request) (user string, status int, err error) {
	token, isOperator, status, err := a.caller(r)
	if err != nil {
		return "", status, err
	}
	if isOperator {
		user = r.URL.Query().Get("username")
		if user == "" || len(user) > protocol.MaxIdentity {
			return "", http.StatusBadRequest, &protocol.Error{Code: protocol.Malformed, Message: "username must have 1 to 128 bytes", Hint: "ask for /v1/turn/credentials?username=NAME"}
		}
		return user, 0, nil
	}
	t, err := a.cfg.Tokens.Verify(time.Now(), token)
	if err != nil {
		return "", statusOf(err), err
	}
	return User(t.Room, t.Identity), 0, nil
}

// User is the name under which a participant's credentials are minted. It is one path segment without a slash.
func User(room, identity string) string { return url.PathEscape(identity) + "@" + url.PathEscape(room) }

// caller says who asks, as far as the rate allows an answer. What is not the operator's key is taken for an access token.
func (a *API) caller(r *http.Request) (token string, operator bool, status int, err error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		token = ""
	}
	if a.isOperator(token) {
		return "", true, 0, nil
	}
	if from, err := netip.ParseAddrPort(r.RemoteAddr); err != nil || !a.take(from.Addr()) {
		return "", false, http.StatusTooManyRequests, &protocol.Error{Code: protocol.RateLimited, Message: "too many requests from this address", Hint: "ask again in a second", Retryable: true}
	}
	if token == "" {
		return "", false, http.StatusUnauthorized, &protocol.Error{Code: protocol.AuthMissing, Message: "there is no access token", Hint: "give one as Authorization: Bearer TOKEN"}
	}
	return token, false, 0, nil
}

func (a *API) take(from netip.Addr) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sources.Take(time.Now(), from)
}

// isOperator compares in constant time, whatever the lengths.
func (a *API) isOperator(key string) bool {
	sum := sha256.Sum256([]byte(key))
	return a.cfg.Operator != "" && subtle.ConstantTimeCompare(sum[:], a.operator[:]) == 1
}

func statusOf(err error) int {
	var fault *protocol.Error
	if errors.As(err, &fault) && fault.Code == protocol.AuthForbidden {
		return http.StatusForbidden
	}
	return http.StatusUnauthorized
}

// operators lets the operator through only. A participant is told apart from a stranger.
func (a *API) operators(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		token, operator, status, err := a.caller(r)
		if err == nil && !operator {
			if _, err = a.cfg.Tokens.Verify(time.Now(), token); err == nil {
				err = &protocol.Error{Code: protocol.AuthForbidden, Message: "this is for the operator of the server", Hint: "give the operator's key as Authorization: Bearer KEY"}
			}
			status = statusOf(err)
		}
		if err != nil {
			refuse(w, status, err)
			return
		}
		next(w, r)
	}
}

// crossOrigin lets pages of other origins read the answer. No cookie counts here, so that a foreign page has nothing but the
// token it gives.
func (a *API) crossOrigin(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Origin")
		origin := r.Header.Get("Origin")
		if origin != "" && (slices.Contains(a.cfg.Origins, "*") || slices.Contains(a.cfg.Origins, origin)) {
			w.Header().Set("Access-Control-Allow-Origin", origin)
			w.Header().Set("Access-Control-Allow-Headers", "Authorization")
			w.Header().Set("Access-Control-Max-Age", "7200") // as long as Chromium keeps it
		}
		next(w, r)
	}
}

func refuse(w http.ResponseWriter, status int, err error) {
	var fault *protocol.Error
	if !errors.As(err, &fault) {
		fault = &protocol.Error{Code: protocol.ServerInternal, Message: err.Error()}
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	answer(w, status, fault)
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // who asked is gone, then
}
