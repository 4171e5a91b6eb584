// Package room decides who is in a room and may see what.
//
// Its nouns: a State is one room. A Command asks for a change; what follows from it is a list of Effects, in order, for the
// shell to carry out. On error nothing has changed.
//
// It does no I/O, starts no goroutine and never reads the clock. SDP, sockets and tokens are not its business: permissions
// come in with Join, and of an offer it sees only which publications it announces.
package room

import "github.com/turnout-rtc/turnout/signaling/protocol"

// SID names one membership of a participant: the same person who leaves and comes back has another.
type SID string

// PublicationID names a publication. It is made by the client and unique in the room.
type PublicationID string

// Policy is what happens when an identity joins that is in the room already.
type Policy string

// The policies.
const (
	Replace Policy = "replace" // the old one is removed
	Reject  Policy = "reject"  // the new one is refused, unless the old one's connection is lost
)

// Config of a room. It never changes.
type Config struct {
	MaxParticipants int
	MaxPublications int // of one participant
	Duplicate       Policy
}

func refuse(code protocol.Code, message, hint string) *protocol.Error {
	return &protocol.Error{Code: code, Message: message, Hint: hint}
}
