// Package whip is the door for programs that speak WebRTC over plain HTTP: WHIP (RFC 9725) publishes, WHEP
// (draft-ietf-wish-whep) plays one participant. docs/reference/whip.md is its page.
//
// Its nouns: a Door answers requests; Rooms is the control plane behind it; a call is one WHIP or WHEP session, which is a
// participant's Session in a room, an offer, and an address that nobody can guess.
package whip

import (
	"github.com/turnout-rtc/turnout/signaling/auth"
	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// Rooms is the control plane, as the door sees it.
type Rooms interface {
	// Verify reads an access token. The error is a *protocol.Error.
	Verify(signed string) (auth.Token, error)
	// Exists says whether there is a room of that name.
	Exists(room string) bool
	// Join takes a participant into its room. The error is a *protocol.Error.
	Join(e Entry) (Session, protocol.Joined, error)
	// ICEServers are for a participant that may join later.
	ICEServers(t auth.Token) []protocol.ICEServer
}

// Entry is who wants to join.
type Entry struct {
	Token  auth.Token
	Client protocol.Client
}

// Session is a participant's in its room: what it hears and says is what others hear and say over a WebSocket, but for what
// keeps a WebSocket alive. It ends by itself when the media connection is lost. Its methods are called by one goroutine.
type Session interface {
	// Woken is ready when there may be something to hear.
	Woken() <-chan struct{}
	// Hear returns the next message, if there is one. The last one is a protocol.Disconnect.
	Hear() (protocol.Response, bool)
	// Say sends a request, of a number above the last one's; 0 wants no reply.
	Say(id uint64, m protocol.ClientMessage)
}
