// Package hocuspocus is the door for stock clients of Hocuspocus: many documents of one room on one WebSocket, each with a token of
// its own (docs/reference/documents.md).
//
// Its nouns: a Door lets connections in; a link is one connection; a talk is what it says and hears about one document; a ledger
// knows how many of a client's changes an acknowledgement is good for. A client's "unsynced changes" are zero only when all of
// them are on disk. What it has in common with other clients is in package visit.
package hocuspocus

import (
	"net/http"

	"golang.org/x/time/rate"

	"github.com/turnout-rtc/turnout/datachannel/yjs"
	"github.com/turnout-rtc/turnout/signaling/visit"
	"github.com/turnout-rtc/turnout/signaling/ws"
)

// Door lets connections in.
type Door struct {
	// Set at construction, never changed.
	door      visit.Door
	documents int
}

// NewDoor makes a door. One connection may have so many documents.
func NewDoor(d visit.Door, documents int) *Door { return &Door{d, documents} }

// Beat is Hocuspocus' own ping: its clients take 30 s without a message for a dead connection and cannot see pings of the WebSocket.
func Beat() ws.Frame {
	return ws.Binary(yjs.Hocuspocus{Message: yjs.Message{Kind: yjs.Ping}}.Append(nil))
}

// ServeHTTP answers GET /hocuspocus/{room}.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	room, token := r.PathValue("room"), visit.Token(r)
	d.door.Answer(w, r, kindOf, func(out *visit.Out) (visit.Caller, error) {
		return &link{door: d, room: room, token: token, out: out, talks: map[string]*talk{}, stray: rate.NewLimiter(strayRate, strayBurst)}, nil
	})
}

func kindOf(message []byte) (yjs.Kind, error) {
	m, err := yjs.DecodeHocuspocus(message)
	return m.Kind, err
}
