package whip

import (
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/turnout-rtc/turnout/signaling/protocol"
	"github.com/turnout-rtc/turnout/signaling/whip/sdp"
)

// resource answers the URL of a session. Whoever knows it may use it: it cannot be guessed, and a token may have expired
// meanwhile.
func (d *Door) resource(w http.ResponseWriter, r *http.Request) {
	crossOrigin(w, "PATCH, DELETE, OPTIONS")
	w.Header().Set("Accept-Patch", typeFragment)
	if refused := d.allow(r); refused != nil {
		d.refuse(w, refused)
		return
	}
	if r.Method == http.MethodOptions { // without a look at the id: a preflight tells nothing
		w.WriteHeader(http.StatusOK)
		return
	}
	c, ok := d.calls.Find(r.PathValue("id"))
	if !ok {
		d.refuse(w, gone())
		return
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead: // RFC 9725 §4.1: there is nothing to see
		w.WriteHeader(http.StatusNoContent)
	case http.MethodDelete:
		d.end(r.Context(), c)
		w.WriteHeader(http.StatusOK)
	case http.MethodPatch:
		if refused := d.patch(w, r, c); refused != nil {
			d.refuse(w, refused)
		}
	default:
		d.notAllowed(w, "PATCH, DELETE, OPTIONS, GET")
	}
}

func gone() *refusal {
	return refuse(http.StatusNotFound, protocol.SessionGone, "there is no such session, or it has ended", "POST a new offer")
}

func (d *Door) patch(w http.ResponseWriter, r *http.Request, c *call) *refusal {
	text, refused := d.body(w, r, typeFragment)
	if refused != nil {
		return refused
	}
	f, err := sdp.ReadFragment(text)
	if err != nil {
		return badOffer(err)
	}
	tags := r.Header.Values("If-Match")
	if len(tags) == 0 {
		return refuse(http.StatusPreconditionRequired, protocol.Malformed, "If-Match is missing", "set it to the ETag of the last answer, or to * for a restart")
	}
	o, ok := c.ask(r.Context(), c.patch(f, func(etag string) bool { return names(tags, etag) }))
	switch {
	case !ok:
		return gone()
	case o.refusal != nil:
		return o.refusal
	}
	if o.body != "" {
		w.Header().Set("ETag", o.etag)
		w.Header().Set("Content-Type", typeFragment)
	}
	w.WriteHeader(o.status)
	_, _ = io.WriteString(w, o.body) // a client that is gone asks again
	return nil
}

// names says whether If-Match holds a tag (RFC 9110 §13.1.1). Tags of ours have no comma and are strong.
func names(lines []string, etag string) bool {
	for _, line := range lines {
		tags := strings.Split(line, ",")
		if slices.ContainsFunc(tags, func(t string) bool {
			t = strings.TrimSpace(t)
			return t == "*" || t == `"*"` || t == etag // RFC 9725 shows * in quotes
		}) {
			return true
		}
	}
	return false
}
