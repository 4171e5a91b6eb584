package room

import "github.com/turnout-rtc/turnout/signaling/protocol"

// Effect is what the shell is to do. The types of this file are all of them.
type Effect interface{ effect() }

// Welcome tells a participant that it has joined, and who is here. It is the first effect that names the participant.
type Welcome struct {
	SID         SID
	Self        protocol.Participant
	Permissions protocol.Permissions
	Others      []protocol.Participant
}

// Broadcast says something to everybody but Except, which may be empty.
type Broadcast struct {
	Except  SID
	Message protocol.ServerMessage
}

// Send says something to one participant.
type Send struct {
	To      SID
	Message protocol.ServerMessage
}

// Close ends a participant's session, transport and data. It is the last effect that names the participant.
type Close struct {
	SID SID
	Say protocol.Disconnect
}

// ReplaceTransport drops the transport of a participant, with all that is published on it, and makes the next one. The one it
// drops may be none.
type ReplaceTransport struct {
	SID       SID
	Transport int
}

// Negotiate gives the offer at hand to the participant's transport.
type Negotiate struct {
	SID          SID
	Transport    int
	Rev          int
	Publications []Announcement
}

// Announcement names the m-line that carries a publication.
type Announcement struct {
	MID    string
	ID     PublicationID
	Paused bool
}

// Show subscribes the transport of a participant to a publication.
type Show struct {
	To SID
	ID PublicationID
}

// Hide undoes Show.
type Hide struct {
	To SID
	ID PublicationID
}

// Pause stops or continues the forwarding of a publication.
type Pause struct {
	ID     PublicationID
	Paused bool
}

// Drop ends a publication in the media plane, for all who receive it.
type Drop struct{ ID PublicationID }

// Empty says that the last participant has left.
type Empty struct{}

// Ended says that the room is over: whoever joins next joins another one of the same name.
type Ended struct{}

func (Welcome) effect()          {}
func (Broadcast) effect()        {}
func (Send) effect()             {}
func (Close) effect()            {}
func (ReplaceTransport) effect() {}
func (Negotiate) effect()        {}
func (Show) effect()             {}
func (Hide) effect()             {}
func (Pause) effect()            {}
func (Drop) effect()             {}
func (Empty) effect()            {}
func (Ended) effect()            {}
