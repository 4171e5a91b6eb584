package whip

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/turnout-rtc/turnout/signaling/protocol"
	"github.com/turnout-rtc/turnout/signaling/whip/sdp"
)

// refusal is an error with the status it is answered with.
type refusal struct {
	status int
	*protocol.Error
}

func refuse(status int, code protocol.Code, message, hint string) *refusal {
	return &refusal{status: status, Error: &protocol.Error{Code: code, Message: message, Hint: hint}}
}

// again is for what may succeed later without a change.
func again(status int, code protocol.Code, message, hint string) *refusal {
	r := refuse(status, code, message, hint)
	r.Retryable = true
	return r
}

// retryAfter says, in seconds, when to ask again.
func retryAfter(status int) string {
	switch status {
	case http.StatusTooManyRequests:
		return "1"
	case http.StatusConflict:
		return "2"
	case http.StatusServiceUnavailable:
		return "5"
	default:
		return ""
	}
}

// badOffer is what package sdp has found.
func badOffer(err error) *refusal {
	status := http.StatusBadRequest
	switch {
	case errors.Is(err, sdp.ErrRole):
		status = http.StatusUnprocessableEntity
	case errors.Is(err, sdp.ErrTooMany):
		status = http.StatusNotAcceptable
	}
	return refuse(status, protocol.MediaBadOffer, "the SDP cannot be used: "+err.Error(), "see the page on WHIP and WHEP")
}

// ofRoom is what the control plane or the media plane has said.
func ofRoom(err error) *refusal {
	var fault *protocol.Error
	if !errors.As(err, &fault) {
		return again(http.StatusInternalServerError, protocol.ServerInternal, "the server failed", "try again")
	}
	status := http.StatusInternalServerError
	switch fault.Code {
	case protocol.AuthMissing, protocol.AuthInvalid, protocol.AuthExpired:
		status = http.StatusUnauthorized
	case protocol.AuthForbidden:
		status = http.StatusForbidden
	case protocol.IdentityTaken:
		status = http.StatusConflict
	case protocol.RoomFull, protocol.ServerFull, protocol.ServerDraining:
		status = http.StatusServiceUnavailable
	case protocol.MediaBadOffer, protocol.MediaLimit: // it could be read, so it is what it asks for
		status = http.StatusNotAcceptable
	}
	return &refusal{status: status, Error: fault}
}

// answer writes the refusal and counts it.
func (d *Door) refuse(w http.ResponseWriter, r *refusal) {
	d.count(string(r.Code))
	h := w.Header()
	if seconds := retryAfter(r.status); seconds != "" && r.Retryable {
		h.Set("Retry-After", seconds)
	}
	if r.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	h.Set("Content-Type", "application/json")
	w.WriteHeader(r.status)
	_ = json.NewEncoder(w).Encode(r.Error) // who asked is gone, then
}
