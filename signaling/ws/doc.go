// Package ws is WebSockets: it lets requests in, finds their token, and carries messages both ways with heartbeats, deadlines,
// limits and close codes (docs/reference/signaling.md §1, §5, §6).
//
// Its nouns: a Door upgrades requests; a Conn is one WebSocket, read by one goroutine and written by another; a Frame is a message
// made ready for many Conns; a Wire is binary messages that begin and end within a Conn. What the messages say is not its
// business, and it knows no session.
package ws

import (
	"time"

	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// Config of a door. What has no other meaning when it is zero must be set.
type Config struct {
	Protocol     string             // the sub-protocol that has to be among those offered; empty: any
	Origins      []string           // that may connect besides the server's own; "*" is all
	Heartbeat    time.Duration      // between pings
	Timeout      time.Duration      // silence after which a Conn is dead, and how long one write may take
	MessageBytes int                // of the largest text message; 0: none are allowed
	BinaryBytes  int                // of the largest binary message; 0: none are allowed, see Conn.AllowBinary
	TooBig       protocol.CloseCode // said to who sends a larger one; 0: 1009
	MaxConns     int

	Gather time.Duration // how long frames wait for company while a Conn is busy; 0: not at all
	Beat   Frame         // sent with each ping, for clients that cannot see pings; nil: nothing
}

// closeWait is how long the other side may take to answer a close frame.
const closeWait = 2 * time.Second

// maxAside is how many frames may wait beside the source: a reply to a first message and pongs.
const maxAside = 16
