// Package visit is what the doors for clients of documents have in common: packages yws and hocuspocus.
//
// Its nouns: a Stay is the time of one connection in a room, which it keeps and in which it is nobody; a House lets connections in; a
// Door reads what they say, as a Caller understands it; a Talk is what one says and hears about one document, with the Accent of its
// wire; an Out is what is sent to one; an Ending is why it is closed, with a code that y-websocket's clients understand
// (docs/reference/documents.md).
package visit

import (
	"net/http"

	"github.com/turnout-rtc/turnout/datachannel"
	"github.com/turnout-rtc/turnout/signaling/auth"
	"github.com/turnout-rtc/turnout/signaling/protocol"
	"github.com/turnout-rtc/turnout/signaling/ws"
)

// House is whom a door works for. All functions must be set.
type House struct {
	// Verify reads an access token. The error is a *protocol.Error.
	Verify func(token string) (auth.Token, error)
	// Enter keeps a room, which is made if it is not there, until Stay.Leave. end is called when the stay ends from within; it
	// returns at once. The error is a *protocol.Error.
	Enter func(room, identity string, end func(Ending)) (Stay, error)
	// Refused counts an error code.
	Refused func(code string)
}

// Stay is a connection's time in a room.
type Stay struct {
	Data  *datachannel.Visit
	Over  <-chan struct{} // closed when the room is over
	Leave func()          // to be called once
}

// Grants are what a token allows with data.
func Grants(g auth.Grants) datachannel.Grants {
	return datachannel.Grants{Publish: g.Data, Subscribe: g.Subscribe, Topics: g.Topics}
}

// Token finds the access token of a request as everywhere, or in the parameter "token".
func Token(r *http.Request) string {
	if t := ws.Token(r); t != "" {
		return t
	}
	return r.URL.Query().Get("token")
}

// Admit verifies a token for a room. The error is a *protocol.Error.
func (h House) Admit(signed, room string) (auth.Token, error) {
	t, err := h.Verify(signed)
	if err == nil && t.Room != room {
		err = &protocol.Error{Code: protocol.AuthForbidden, Message: "the token is for another room", Hint: "ask for a token for this room"}
	}
	return t, err
}
