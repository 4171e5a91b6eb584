package protocol

import "fmt"

// Code names an error for programs. The codes are listed in docs/reference/signaling.md §6.
type Code string

// The codes of Error.
const (
	AuthMissing         Code = "auth.missing"
	AuthInvalid         Code = "auth.invalid"
	AuthExpired         Code = "auth.expired"
	AuthForbidden       Code = "auth.forbidden"
	RoomFull            Code = "room.full"
	ServerFull          Code = "server.full"
	IdentityTaken       Code = "identity.taken"
	SessionGone         Code = "session.gone"
	Malformed           Code = "protocol.malformed"
	UnknownType         Code = "protocol.unknownType"
	JoinTimeout         Code = "protocol.joinTimeout"
	Unsupported         Code = "protocol.unsupported"
	RateLimited         Code = "rate.limited"
	MediaBadOffer       Code = "media.badOffer"
	MediaLimit          Code = "media.limit"
	MediaFailed         Code = "media.failed"
	PublicationNotFound Code = "publication.notFound"
	PublicationIDTaken  Code = "publication.idTaken"
	ParticipantNotFound Code = "participant.notFound"
	ServerDraining      Code = "server.draining"
	ServerInternal      Code = "server.internal"
)

// Error refuses a request: Code for the program, Message and Hint for the person. Retryable says whether the same request
// may succeed later without a change.
type Error struct {
	Code      Code   `json:"code"`
	Message   string `json:"message"`
	Hint      string `json:"hint,omitempty"`
	Retryable bool   `json:"retryable"`
}

// Error joins all that is said for people.
func (e *Error) Error() string {
	if e.Hint == "" {
		return fmt.Sprintf("%s: %s", e.Code, e.Message)
	}
	return fmt.Sprintf("%s: %s (%s)", e.Code, e.Message, e.Hint)
}

// Reason says why somebody is gone, in ParticipantLeft and Disconnect.
type Reason string

// Reasons of ParticipantLeft and Disconnect; see docs/reference/signaling.md §4 for which stands where.
const (
	Left              Reason = "left"
	Kicked            Reason = "kicked"
	DuplicateIdentity Reason = "duplicateIdentity"
	ConnectionLost    Reason = "connectionLost"
	RoomEnded         Reason = "roomEnded"
	ServerShutdown    Reason = "serverShutdown"
	SlowReader        Reason = "slowReader"
	Flood             Reason = "flood"
)

// CloseCode is a WebSocket close code (RFC 6455 §7.4, and 4xxx of our own).
type CloseCode int

// The close codes of docs/reference/signaling.md §6.
const (
	CloseNormal      CloseCode = 1000
	CloseGoingAway   CloseCode = 1001
	CloseBinary      CloseCode = 1003
	CloseAuth        CloseCode = 1008
	CloseTooBig      CloseCode = 1009
	CloseInternal    CloseCode = 1011
	CloseTryLater    CloseCode = 1013
	CloseProtocol    CloseCode = 4000
	CloseKicked      CloseCode = 4001
	CloseRoomEnded   CloseCode = 4002
	CloseDuplicate   CloseCode = 4003
	CloseSlowReader  CloseCode = 4005
	CloseFlood       CloseCode = 4006
	CloseUnsupported CloseCode = 4007
	CloseSilent      CloseCode = 4008
	CloseMoved       CloseCode = 4009
)

// CloseFor is the close code that follows a Disconnect of reason r.
func CloseFor(r Reason) CloseCode {
	switch r {
	case Kicked:
		return CloseKicked
	case DuplicateIdentity:
		return CloseDuplicate
	case RoomEnded:
		return CloseRoomEnded
	case ServerShutdown:
		return CloseGoingAway
	case SlowReader:
		return CloseSlowReader
	case Flood:
		return CloseFlood
	default:
		return CloseNormal
	}
}

// CloseForRefused is the close code that follows the refusal of a first message.
func CloseForRefused(c Code) CloseCode {
	switch c {
	case AuthMissing, AuthInvalid, AuthExpired, AuthForbidden:
		return CloseAuth
	case RoomFull, ServerFull, IdentityTaken:
		return CloseTryLater
	case ServerDraining:
		return CloseGoingAway
	case Unsupported:
		return CloseUnsupported
	case ServerInternal:
		return CloseInternal
	default:
		return CloseProtocol
	}
}
