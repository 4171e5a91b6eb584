package protocol

// ClientMessage is what a client says. The types of this file are all of them.
type ClientMessage interface{ clientType() string }

// Client names the program that joins, for logs.
type Client struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Join makes a session. Replied by Joined.
type Join struct {
	Protocol      int    `json:"protocol"`
	Token         string `json:"token,omitempty"`
	Client        Client `json:"client"`
	AutoSubscribe *bool  `json:"autoSubscribe,omitempty"` // nil is true
}

// Resume goes on with a session on a new WebSocket. Replied by Resumed.
type Resume struct {
	Protocol int    `json:"protocol"`
	Session  string `json:"session"`
	Secret   string `json:"secret"`
	N        uint64 `json:"n"` // the last number received
}

// Offer is an SDP offer. Replied by Answer.
type Offer struct {
	Transport    int                `json:"transport"`
	Rev          int                `json:"rev"`
	SDP          string             `json:"sdp"`
	Publications List[Announcement] `json:"publications"`
}

// Announcement names an m-line of an offer that carries a publication.
type Announcement struct {
	MID    string `json:"mid"`
	ID     string `json:"id"`
	Source string `json:"source"`
	Muted  bool   `json:"muted,omitempty"`
}

// Ready says that the answer Rev has been applied.
type Ready struct {
	Rev int `json:"rev"`
}

// Candidate is an RTCIceCandidateInit. An empty Candidate ends them.
type Candidate struct {
	Candidate        string `json:"candidate"`
	SDPMid           string `json:"sdpMid"`
	SDPMLineIndex    uint16 `json:"sdpMLineIndex"`
	UsernameFragment string `json:"usernameFragment"`
}

// Unpublish ends one's own publication. Replied by OK, as are the requests below.
type Unpublish struct {
	ID string `json:"id"`
}

// Mute mutes a publication, or unmutes one's own.
type Mute struct {
	ID    string `json:"id"`
	Muted bool   `json:"muted"`
}

// Subscribe chooses whether a publication is received.
type Subscribe struct {
	ID         string `json:"id"`
	Subscribed bool   `json:"subscribed"`
}

// Update replaces what others see of oneself. Nil leaves a field as it is; an attribute "" is removed.
type Update struct {
	Name       *string           `json:"name,omitempty"`
	Metadata   *string           `json:"metadata,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"`
}

// Kick removes a participant.
type Kick struct {
	Identity string `json:"identity"`
	Reason   string `json:"reason,omitempty"`
}

// EndRoom removes everybody.
type EndRoom struct {
	Reason string `json:"reason,omitempty"`
}

// Leave ends the session. Replied by Disconnect.
type Leave struct{}

// Ping acknowledges every message up to N. Replied by Pong.
type Ping struct {
	N uint64 `json:"n"`
}

func (Join) clientType() string      { return "join" }
func (Resume) clientType() string    { return "resume" }
func (Offer) clientType() string     { return "offer" }
func (Ready) clientType() string     { return "ready" }
func (Candidate) clientType() string { return "candidate" }
func (Unpublish) clientType() string { return "unpublish" }
func (Mute) clientType() string      { return "mute" }
func (Subscribe) clientType() string { return "subscribe" }
func (Update) clientType() string    { return "update" }
func (Kick) clientType() string      { return "kick" }
func (EndRoom) clientType() string   { return "endRoom" }
func (Leave) clientType() string     { return "leave" }
func (Ping) clientType() string      { return "ping" }
