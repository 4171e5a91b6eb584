package sfu

// Event is what a Transport tells its owner. The types of this file are all of them.
//
// Events of one Transport are emitted in order, from its own goroutine, never from within a call into it.
type Event interface{ event() }

// Answered is the outcome of a Negotiate that succeeded.
type Answered struct {
	Rev       int
	SDP       string
	Slots     []Slot         // all slots of the transport, in the order of their m-lines
	Published []*Publication // new with this offer
}

// Refused is the outcome of a Negotiate that failed. The transport is as it was before, unless Fatal.
type Refused struct {
	Rev   int
	Err   *Error
	Fatal bool // the transport cannot go on: make a new one
}

// StateChanged follows the ICE and DTLS state as RTCPeerConnectionState does.
type StateChanged struct{ State State }

// SlotsWanted asks for an offer with at least so many slots, as totals. Rev rises.
type SlotsWanted struct{ Rev, Audio, Video int }

// SlotsChanged is the whole map of what is shown where. Version rises.
type SlotsChanged struct {
	Version uint64
	Shown   []Shown
}

// DataChannelOpened hands over a channel that the client opened.
type DataChannelOpened struct{ Channel *DataChannel }

// DataChannelClosed says that a channel handed over before is gone.
type DataChannelClosed struct{ Channel *DataChannel }

func (Answered) event()          {}
func (Refused) event()           {}
func (StateChanged) event()      {}
func (SlotsWanted) event()       {}
func (SlotsChanged) event()      {}
func (DataChannelOpened) event() {}
func (DataChannelClosed) event() {}

// State of a Transport, after RTCPeerConnectionState (W3C WebRTC §4.4.3).
type State string

// The states a Transport goes through.
const (
	StateNew          State = "new"
	StateConnecting   State = "connecting"
	StateConnected    State = "connected"
	StateDisconnected State = "disconnected" // may come back by itself
	StateFailed       State = "failed"       // needs an ICE restart
	StateClosed       State = "closed"
)

// Kind of a track.
type Kind string

// The kinds of RFC 8866's media field that are relayed.
const (
	Audio Kind = "audio"
	Video Kind = "video"
)

// Slot is a recvonly m-line of the client, sendonly here.
type Slot struct {
	MID  string // RFC 9143
	ID   string // unique within the transport, the same for the transport's life
	Kind Kind
}

// Shown says that a slot shows a publication.
type Shown struct {
	Slot        string // Slot.ID
	Publication string // Publication.ID
}
