// Package client is a participant written in Go, for bots, load and tests: a browser's twin. It speaks
// docs/reference/signaling.md over a WebSocket and media and docs/reference/data.md over pion's PeerConnection.
//
// Its nouns: a Room is a room as one participant has it. A Publication is a track of one's own; a Track is one of somebody
// else's, as packets. What happens comes as an Event on the function of the Options.
//
// One goroutine, run, owns all state; whatever arrives is posted to it. Roster and stream are pure; the rest is shell.
package client
