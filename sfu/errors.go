package sfu

import "fmt"

// Error is an error for the participant: Code for the program, Message for the person.
type Error struct {
	Code    string // ErrBadOffer, ErrLimit or ErrFailed
	Message string
}

// Codes of Error.
const (
	ErrBadOffer = "media.badOffer" // the SDP cannot be used
	ErrLimit    = "media.limit"    // more m-lines or publications than allowed
	ErrFailed   = "media.failed"   // a fault of ours
)

func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Code, e.Message) }
