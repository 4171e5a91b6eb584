package sfu

// Offer is one of the client's SDP offers (RFC 9429 §4.1.10).
type Offer struct {
	Rev          int // rises; the same Rev again gets the same answer again
	SDP          string
	Publications []Announcement
}

// Announcement names the m-line of an offer that carries a publication.
type Announcement struct {
	MID    string
	ID     string // the publication's id, unique in the room
	Paused bool   // starts paused, see Publication.Pause
}

// Candidate is a trickled ICE candidate (RFC 8838), as RTCIceCandidateInit. An empty Candidate ends them.
type Candidate struct {
	Candidate        string
	SDPMid           string
	SDPMLineIndex    uint16
	UsernameFragment string
}

// Transport is the server's end of one participant's RTCPeerConnection. All methods may be called from any goroutine, at any
// time, also after Close, and return at once.
type Transport struct{}

// Negotiate takes an offer. The outcome is Answered or Refused.
func (t *Transport) Negotiate(o Offer) { panic("not built") }

// Ready says that the client has applied the answer rev: its new slots may be sent to.
func (t *Transport) Ready(rev int) { panic("not built") }

// AddCandidate adds a candidate of the client's. One that cannot be used is counted and ignored.
func (t *Transport) AddCandidate(c Candidate) { panic("not built") }

// Subscribe shows p on a slot as soon as there is one, and asks for more slots if there is none. Twice is once.
func (t *Transport) Subscribe(p *Publication) { panic("not built") }

// Unsubscribe frees the slot of p.
func (t *Transport) Unsubscribe(p *Publication) { panic("not built") }

// Close ends the transport: its publications end, its subscriptions are gone. No event follows. It waits for nothing.
func (t *Transport) Close() { panic("not built") }

// Publication is a track that a participant sends.
type Publication struct{}

// ID is the id under which it was announced.
func (p *Publication) ID() string { panic("not built") }

// Kind is the kind of its m-line.
func (p *Publication) Kind() Kind { panic("not built") }

// Pause stops forwarding to everyone, until Pause(false). Packets that arrive are dropped.
func (p *Publication) Pause(paused bool) { panic("not built") }

// Close ends it and frees the slots that show it; later packets on its m-line are dropped.
func (p *Publication) Close() { panic("not built") }

// DataChannel is a data channel that the client opened (RFC 8831).
type DataChannel struct{}

// Label as the client named it.
func (c *DataChannel) Label() string { panic("not built") }

// Send queues one binary message. It keeps nothing of b after it has returned and does not block: the caller bounds what it
// sends by BufferedAmount.
func (c *DataChannel) Send(b []byte) error { panic("not built") }

// BufferedAmount is the number of bytes queued and not yet handed to the network.
func (c *DataChannel) BufferedAmount() uint64 { panic("not built") }

// OnDrain calls f, from a goroutine of the channel's own, each time BufferedAmount falls to threshold or below it.
func (c *DataChannel) OnDrain(threshold uint64, f func()) { panic("not built") }

// OnMessage calls f for every message, one at a time, from a goroutine of the channel's own. b is f's to keep. Messages
// that arrived earlier are delivered first. To be called once.
func (c *DataChannel) OnMessage(f func(b []byte)) { panic("not built") }

// Close closes the channel.
func (c *DataChannel) Close() error { panic("not built") }
