package room

import "github.com/turnout-rtc/turnout/signaling/protocol"

// Command asks for a change. The types of this file are all of them.
type Command interface{ command() }

// Join adds a participant under a SID that was never used before.
type Join struct {
	SID           SID
	Identity      string
	Name          string
	Metadata      string
	Attributes    map[string]string
	Permissions   protocol.Permissions
	MayUpdate     bool // may change its own name, metadata and attributes
	AutoSubscribe bool // receives what it has not chosen not to
}

// Leave removes a participant. One that is gone already stays gone, without an error.
type Leave struct {
	SID     SID
	Reason  protocol.Reason
	Message string
}

// Detach says that a participant's signaling connection is lost.
type Detach struct{ SID SID }

// Attach says that it is back.
type Attach struct{ SID SID }

// Update replaces what others see of By.
type Update struct {
	By SID
	protocol.Update
}

// Offer announces the publications of an SDP offer, which the shell holds.
type Offer struct {
	By           SID
	Transport    int
	Rev          int
	Publications []protocol.Announcement
}

// Answered says that an offer succeeded and which announced publications began with it.
type Answered struct {
	By        SID
	Transport int
	Rev       int
	Published []Track
}

// Track is what the media plane knows of a publication.
type Track struct {
	ID   PublicationID
	Kind protocol.Kind
}

// Refused says that an offer failed.
type Refused struct {
	By        SID
	Transport int
	Rev       int
}

// Unpublish ends a publication of By.
type Unpublish struct {
	By SID
	ID PublicationID
}

// Mute mutes or unmutes a publication.
type Mute struct {
	By    SID
	ID    PublicationID
	Muted bool
}

// Subscribe chooses whether By receives a publication.
type Subscribe struct {
	By         SID
	ID         PublicationID
	Subscribed bool
}

// Kick removes another participant.
type Kick struct {
	By       SID
	Identity string
	Reason   string
}

// End removes everybody, because By wants it.
type End struct {
	By     SID
	Reason string
}

// Stop removes everybody, because the server stops.
type Stop struct{}

func (Join) command()      {}
func (Leave) command()     {}
func (Detach) command()    {}
func (Attach) command()    {}
func (Update) command()    {}
func (Offer) command()     {}
func (Answered) command()  {}
func (Refused) command()   {}
func (Unpublish) command() {}
func (Mute) command()      {}
func (Subscribe) command() {}
func (Kick) command()      {}
func (End) command()       {}
func (Stop) command()      {}
