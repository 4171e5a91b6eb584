package whip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/turnout-rtc/turnout/signaling/auth"
	"github.com/turnout-rtc/turnout/signaling/protocol"
)

const (
	typeSDP      = "application/sdp"
	typeFragment = "application/trickle-ice-sdpfrag" // RFC 8840 §9
)

// enter takes whoever has sent an offer into a room.
type enter func(r *http.Request, t auth.Token, offer string) (*opening, *refusal)

// opening is a call that has not begun.
type opening struct {
	call       *call
	begin      func(chan<- outcome) // what to ask of it first
	iceServers []protocol.ICEServer
}

// endpoint answers the URL that a client is configured with.
func (d *Door) endpoint(enter enter) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		crossOrigin(w, "POST, OPTIONS")
		w.Header().Set("Accept-Post", typeSDP)
		if refused := d.allow(r); refused != nil {
			d.refuse(w, refused)
			return
		}
		switch r.Method {
		case http.MethodOptions:
			d.options(w, r)
		case http.MethodGet, http.MethodHead: // RFC 9725 §4.1: there is nothing to see
			w.WriteHeader(http.StatusNoContent)
		case http.MethodPost:
			if refused := d.post(w, r, enter); refused != nil {
				d.refuse(w, refused)
			}
		default:
			d.notAllowed(w, "POST, OPTIONS, GET")
		}
	}
}

// crossOrigin lets pages of all origins in: they have nothing but the token that they give. No cookie counts here.
func crossOrigin(w http.ResponseWriter, methods string) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Methods", methods)
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, If-Match")
	h.Set("Access-Control-Expose-Headers", "Location, ETag, Link, Accept-Patch, Retry-After")
	h.Set("Access-Control-Max-Age", "7200") // as long as Chromium keeps it
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
}

// options answers a preflight, and with a token says which ICE servers there are: some clients cannot use what they learn
// after their offer (RFC 9725 §4.6).
func (d *Door) options(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "" {
		t, refused := d.token(r)
		if refused != nil {
			d.refuse(w, refused)
			return
		}
		link(w, d.rooms.ICEServers(t))
	}
	w.WriteHeader(http.StatusOK)
}

// link names ICE servers as RFC 9725 §4.6 does.
func link(w http.ResponseWriter, servers []protocol.ICEServer) {
	for _, s := range servers {
		for _, url := range s.URLs {
			value := "<" + url + `>; rel="ice-server"`
			if s.Username != "" {
				value += fmt.Sprintf(`; username="%s"; credential="%s"; credential-type="password"`, quoted(s.Username), quoted(s.Credential))
			}
			w.Header().Add("Link", value)
		}
	}
}

// quoted is the inside of a quoted-string, RFC 9110 §5.6.4.
func quoted(s string) string { return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) }

func (d *Door) notAllowed(w http.ResponseWriter, methods string) {
	w.Header().Set("Allow", methods)
	d.refuse(w, refuse(http.StatusMethodNotAllowed, protocol.Unsupported, "this URL does not know the method", "use one of "+methods))
}

// post makes a call.
func (d *Door) post(w http.ResponseWriter, r *http.Request, enter enter) *refusal {
	t, refused := d.token(r)
	if refused != nil {
		return refused
	}
	offer, refused := d.body(w, r, typeSDP)
	if refused != nil {
		return refused
	}
	if !d.calls.Reserve() {
		return again(http.StatusServiceUnavailable, protocol.ServerFull, "the server has no room for more WHIP and WHEP sessions", "try again later")
	}
	n, refused := enter(r, t, offer)
	if refused == nil && !d.open(n.call) {
		n.call.leave(nil)
		refused = again(http.StatusServiceUnavailable, protocol.ServerDraining, "the server is about to stop", "try again in a moment")
	}
	if refused != nil {
		d.calls.Release()
		return refused
	}
	c := n.call
	o, ok := c.ask(r.Context(), n.begin)
	if !ok || o.refusal != nil {
		d.end(r.Context(), c)
		if !ok {
			o.refusal = again(http.StatusServiceUnavailable, protocol.ServerDraining, "the room has ended before it could answer", "try again in a moment")
		}
		return o.refusal
	}
	h := w.Header()
	h.Set("Location", strings.TrimSuffix(r.URL.EscapedPath(), "/")+"/"+c.id)
	h.Set("ETag", o.etag)
	h.Set("Accept-Patch", typeFragment)
	h.Set("Content-Type", typeSDP)
	link(w, n.iceServers)
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, o.body) // a client that is gone does not connect, which ends the call
	return nil
}

// end has a call leave and waits until it has left, also for a client that has gone meanwhile.
func (d *Door) end(ctx context.Context, c *call) { c.ask(context.WithoutCancel(ctx), c.leave) }

// body reads what a request brings.
func (d *Door) body(w http.ResponseWriter, r *http.Request, want string) (string, *refusal) {
	if got, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || got != want {
		return "", refuse(http.StatusUnsupportedMediaType, protocol.Unsupported, "the body must be of type "+want, "set Content-Type: "+want)
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(d.cfg.BodyBytes)))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return "", refuse(http.StatusRequestEntityTooLarge, protocol.MediaLimit, fmt.Sprintf("the body is larger than %d bytes", d.cfg.BodyBytes), "offer fewer codecs and candidates")
	case err != nil:
		return "", refuse(http.StatusBadRequest, protocol.Malformed, "the body did not arrive", "send it again")
	}
	return string(b), nil
}
