// Package ws is the WebSocket door: it lets requests in, finds their token, and carries text frames both ways with heartbeats,
// deadlines, limits and close codes (docs/reference/signaling.md §1, §5, §6).
//
// Its nouns: a Door upgrades requests; a Conn is one WebSocket, read by one goroutine and written by another. What the frames
// say is not its business, and it knows no session.
package ws

import "time"

// Config of a door. All of it must be set.
type Config struct {
	Origins      []string      // that may connect besides the server's own; "*" is all
	Heartbeat    time.Duration // between pings
	Timeout      time.Duration // silence after which a Conn is dead, and how long one write may take
	MessageBytes int           // of the largest message
	MaxConns     int
}

// closeWait is how long the other side may take to answer a close frame.
const closeWait = 2 * time.Second

// maxAside is how many frames may wait beside the source: a reply to a first message and pongs.
const maxAside = 16
