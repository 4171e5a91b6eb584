package client

import (
	"encoding/json"

	"github.com/turnout-rtc/turnout/datachannel/frame"
	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// Event is what happens in a Room. The types of this file are all of them.
//
//sumtype:decl
type Event interface{ event() }

// StateChanged says how the Room is connected.
type StateChanged struct{ State State }

// ParticipantJoined says that somebody else is here.
type ParticipantJoined struct{ Participant protocol.Participant }

// ParticipantUpdated shows a participant, oneself too, as it is now.
type ParticipantUpdated struct{ Participant protocol.Participant }

// ParticipantLeft says that somebody is gone, with all its publications.
type ParticipantLeft struct {
	Participant protocol.Participant
	Reason      protocol.Reason
}

// Published says that somebody else offers a track.
type Published struct {
	Participant protocol.Participant
	Publication protocol.Publication
}

// PublicationUpdated shows a publication, one's own too, as it is now.
type PublicationUpdated struct {
	Participant protocol.Participant
	Publication protocol.Publication
}

// Unpublished says that a track is no longer offered.
type Unpublished struct {
	Participant protocol.Participant
	Publication protocol.Publication
}

// TrackStarted hands over a publication that is being received. It is to be read until it ends.
type TrackStarted struct{ Track *Track }

// DataOpened says that Send will be heard: the data channels are open and the server has welcomed them.
type DataOpened struct{}

// MessageReceived is a message on a topic.
type MessageReceived struct {
	From    string // identity; "" is the server's own application
	Topic   string
	Payload []byte
	Lossy   bool
}

// DataRefused says that the server did not take the message with this number, see Room.Send.
type DataRefused struct {
	ID  uint64
	Err *protocol.Error
}

// DataLost says that messages are missing: the server dropped so many for this participant, which was too slow, or, with 0,
// a stream was lost with an unknown number of messages.
type DataLost struct{ Messages uint64 }

// PresenceChanged is what has changed in the presence of others.
type PresenceChanged struct {
	Full    bool // these are all
	Entries []frame.PresenceEntry
}

// Draining says that the server stops in so many milliseconds.
type Draining struct{ DeadlineMs int64 }

func (StateChanged) event()       {}
func (ParticipantJoined) event()  {}
func (ParticipantUpdated) event() {}
func (ParticipantLeft) event()    {}
func (Published) event()          {}
func (PublicationUpdated) event() {}
func (Unpublished) event()        {}
func (TrackStarted) event()       {}
func (DataOpened) event()         {}
func (MessageReceived) event()    {}
func (DataRefused) event()        {}
func (DataLost) event()           {}
func (PresenceChanged) event()    {}
func (Draining) event()           {}

// State of a Room.
type State string

// The states of a Room. Disconnected is the last event of a Room; Room.Err says why.
const (
	Connected    State = "connected"
	Reconnecting State = "reconnecting" // the WebSocket is gone, media may flow on
	Disconnected State = "disconnected"
)

// chatTopic carries chat (docs/reference/data.md §4).
const chatTopic = "chat"

type chat struct {
	Text string `json:"text"`
}

// Chat is the text of a chat message, and whether m is one.
func (m MessageReceived) Chat() (text string, ok bool) {
	var c chat
	if m.Topic != chatTopic || json.Unmarshal(m.Payload, &c) != nil {
		return "", false
	}
	return c.Text, true
}
