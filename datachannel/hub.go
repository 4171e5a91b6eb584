package datachannel

import "log/slog"

// Lane says how a Conn carries frames.
type Lane uint8

// The lanes.
const (
	Reliable Lane = iota // everything, in order
	Lossy                // the newest, or nothing
)

// Conn is one way to reach a member. *sfu.DataChannel is one.
type Conn interface {
	// Send queues one message, keeps nothing of b after it has returned, and does not block.
	Send(b []byte) error
	// BufferedAmount is the number of bytes queued and not yet handed to the network.
	BufferedAmount() uint64
	// OnDrain calls f each time BufferedAmount falls to threshold or below it.
	OnDrain(threshold uint64, f func())
	Close() error
}

// Grants are what a member may do.
type Grants struct {
	Publish   bool              // may send messages and set presence
	Subscribe bool              // receives messages and presence
	Topics    map[string]string // "r", "w", "rw" or "", by topic or "*"; nil means everything Publish and Subscribe allow
}

// Hub is one room's data.
type Hub struct{}

// NewHub starts a room's data. The name is for logs.
func NewHub(name string, cfg Config, log *slog.Logger) *Hub { panic("not built") }

// Join adds a member under an identity that is unique in the hub; a member of the same identity is replaced.
func (h *Hub) Join(identity string, g Grants) *Member { panic("not built") }

// Close ends the hub and waits for its goroutine. It may be called twice.
func (h *Hub) Close() { panic("not built") }

// Member is one participant's data. Its methods may be called from any goroutine, return at once, and do nothing after Leave.
type Member struct{}

// Attach gives the member a way to be reached on a lane, in place of the one before.
func (m *Member) Attach(l Lane, c Conn) { panic("not built") }

// Detach takes it away again, if it is still c. What is queued waits for the next one.
func (m *Member) Detach(l Lane, c Conn) { panic("not built") }

// Receive takes one frame that arrived; b is the member's to keep. It blocks while the hub's queue is full, so that the
// sender's own connection holds it back.
func (m *Member) Receive(l Lane, b []byte) { panic("not built") }

// Leave ends the membership: its presence is gone for the others.
func (m *Member) Leave() { panic("not built") }
