package answer

import "fmt"

// Error says why an offer cannot be answered, and what to do.
type Error struct {
	Code    Code
	Message string
}

// Code of an Error.
type Code string

// The codes.
const (
	Syntax      Code = "syntax"      // not SDP, or a value in it is out of range
	Limit       Code = "limit"       // more than Limits allow
	Bundle      Code = "bundle"      // not everything in one BUNDLE group with rtcp-mux
	Credentials Code = "credentials" // no usable ICE credentials or certificate fingerprint
	Setup       Code = "setup"       // a DTLS role that there is not, or that would change
	Order       Code = "order"       // m-lines of the last offer are missing or changed
	NewSession  Code = "new_session" // another certificate: the client needs a new transport
	Nothing     Code = "nothing"     // no m-line can be used
)

func (e *Error) Error() string { return fmt.Sprintf("answer: %s: %s", e.Code, e.Message) }

func fail(c Code, format string, args ...any) error {
	return &Error{Code: c, Message: fmt.Sprintf(format, args...)}
}
