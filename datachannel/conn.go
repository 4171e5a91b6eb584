package datachannel

import "strings"

// Lane says how a Conn carries frames.
type Lane uint8

// The lanes.
const (
	Reliable Lane = iota // everything, in order
	Lossy                // the newest, or nothing
)

const lanes = 2

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

// What one Conn is given before it has to drain, in bytes: enough to keep a fast one busy between two wake-ups, little
// enough that presence is not old when it arrives.
const (
	highWater = 256 << 10
	lowWater  = 64 << 10
)

// Grants are what a member may do.
type Grants struct {
	Publish   bool              // may send messages and set presence
	Subscribe bool              // receives messages and presence
	Topics    map[string]string // "r", "w", "rw" or "", by topic or "*"; nil means everything Publish and Subscribe allow
}

func (g Grants) mayWrite(topic string) bool { return g.Publish && g.topic(topic, 'w') }

func (g Grants) mayRead(topic string) bool { return g.Subscribe && g.topic(topic, 'r') }

func (g Grants) topic(topic string, right byte) bool {
	if g.Topics == nil {
		return true
	}
	rights, ok := g.Topics[topic]
	if !ok {
		rights = g.Topics["*"]
	}
	return strings.IndexByte(rights, right) >= 0
}

// Document says what a member may do with a document: the entry "doc:NAME" counts, else "doc:*", else "*".
func (g Grants) Document(name string) (read, write bool) {
	topic := "doc:" + name
	if _, ok := g.Topics[topic]; !ok {
		if _, ok := g.Topics["doc:*"]; ok {
			topic = "doc:*"
		}
	}
	return g.mayRead(topic), g.mayWrite(topic)
}
