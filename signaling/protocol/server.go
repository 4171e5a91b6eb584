package protocol

// ServerMessage is what the server says. The types of this file and *Error are all of them.
type ServerMessage interface{ serverType() string }

// Joined replies to Join.
type Joined struct {
	Session      SessionGrant      `json:"session"`
	Room         Room              `json:"room"`
	Self         Participant       `json:"self"`
	Permissions  Permissions       `json:"permissions"`
	Participants List[Participant] `json:"participants"` // the others
	ICEServers   List[ICEServer]   `json:"iceServers"`
	Heartbeat    Heartbeat         `json:"heartbeat"`
	Slots        SlotCount         `json:"slots"`
	Limits       Limits            `json:"limits"`
	Server       Server            `json:"server"`
}

// SessionGrant is what a client needs to resume its session.
type SessionGrant struct {
	ID      string `json:"id"`
	Secret  string `json:"secret"`
	GraceMs int64  `json:"graceMs"`
}

// Room names the room.
type Room struct {
	Name string `json:"name"`
}

// Heartbeat says how often to ping and after which silence to give up.
type Heartbeat struct {
	IntervalMs int64 `json:"intervalMs"`
	TimeoutMs  int64 `json:"timeoutMs"`
}

// SlotCount is how many slots the first offer should carry.
type SlotCount struct {
	Audio int `json:"audio"`
	Video int `json:"video"`
}

// Limits are those of the server that a client should know.
type Limits struct {
	MessageBytes int `json:"messageBytes"`
	Publications int `json:"publications"`
}

// Server says what is running.
type Server struct {
	Version string `json:"version"`
}

// Resumed replies to Resume: ID is the highest request number that was carried out.
type Resumed struct {
	ID uint64 `json:"id"`
}

// OK says that a request was carried out.
type OK struct{}

// Answer replies to Offer.
type Answer struct {
	Transport int        `json:"transport"`
	Rev       int        `json:"rev"`
	SDP       string     `json:"sdp"`
	Slots     List[Slot] `json:"slots"`
}

// Slots asks for an offer with at least so many slots, as totals.
type Slots struct {
	Rev   int `json:"rev"`
	Audio int `json:"audio"`
	Video int `json:"video"`
}

// NeedOffer asks for an offer.
type NeedOffer struct {
	Reason OfferReason `json:"reason"`
}

// OfferReason says what kind of offer is needed.
type OfferReason string

// Reasons of NeedOffer.
const (
	ICERestart   OfferReason = "iceRestart"
	NewTransport OfferReason = "newTransport"
)

// SlotMap is the whole map of what is shown where.
type SlotMap struct {
	Version uint64      `json:"version"`
	Slots   List[Shown] `json:"slots"`
}

// ParticipantJoined says that somebody else is here.
type ParticipantJoined struct {
	Participant Participant `json:"participant"`
}

// ParticipantUpdated shows a participant as it is now.
type ParticipantUpdated struct {
	Participant Participant `json:"participant"`
}

// ParticipantLeft says that a participant and all its publications are gone.
type ParticipantLeft struct {
	SID      string `json:"sid"`
	Identity string `json:"identity"`
	Reason   Reason `json:"reason"`
}

// Published says that a publication began. Participant is a sid.
type Published struct {
	Participant string      `json:"participant"`
	Publication Publication `json:"publication"`
}

// PublicationUpdated shows a publication as it is now.
type PublicationUpdated struct {
	Participant string      `json:"participant"`
	Publication Publication `json:"publication"`
}

// Unpublished says that a publication ended.
type Unpublished struct {
	Participant string `json:"participant"`
	ID          string `json:"id"`
}

// ICEServers are fresh credentials.
type ICEServers struct {
	ICEServers List[ICEServer] `json:"iceServers"`
}

// Draining says that the server stops in DeadlineMs.
type Draining struct {
	DeadlineMs int64 `json:"deadlineMs"`
}

// Disconnect is the last message of a session.
type Disconnect struct {
	Reason    Reason `json:"reason"`
	Message   string `json:"message"`
	Retryable bool   `json:"retryable"`
}

// Pong replies to Ping.
type Pong struct{}

func (*Error) serverType() string             { return "error" }
func (Joined) serverType() string             { return "joined" }
func (Resumed) serverType() string            { return "resumed" }
func (OK) serverType() string                 { return "ok" }
func (Answer) serverType() string             { return "answer" }
func (Slots) serverType() string              { return "slots" }
func (NeedOffer) serverType() string          { return "needOffer" }
func (SlotMap) serverType() string            { return "slotMap" }
func (ParticipantJoined) serverType() string  { return "participantJoined" }
func (ParticipantUpdated) serverType() string { return "participantUpdated" }
func (ParticipantLeft) serverType() string    { return "participantLeft" }
func (Published) serverType() string          { return "published" }
func (PublicationUpdated) serverType() string { return "publicationUpdated" }
func (Unpublished) serverType() string        { return "unpublished" }
func (ICEServers) serverType() string         { return "iceServers" }
func (Draining) serverType() string           { return "draining" }
func (Disconnect) serverType() string         { return "disconnect" }
func (Pong) serverType() string               { return "pong" }
