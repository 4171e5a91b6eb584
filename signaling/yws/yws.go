// Package yws is the door for stock clients of y-websocket: one WebSocket for one document (docs/reference/documents.md).
//
// Its nouns: a Door lets connections in; a caller is one of them. What the client may do, and the document itself, is the hub's business
// (package datachannel), and what it has in common with other clients is in package visit.
package yws

import (
	"net/http"

	"github.com/turnout-rtc/turnout/datachannel"
	"github.com/turnout-rtc/turnout/datachannel/yjs"
	"github.com/turnout-rtc/turnout/signaling/visit"
	"github.com/turnout-rtc/turnout/signaling/ws"
)

// Door lets connections in.
type Door struct{ door visit.Door }

// NewDoor makes a door.
func NewDoor(d visit.Door) *Door { return &Door{d} }

// Beat is an awareness update that says nothing. y-websocket's clients take 30 s without a message for a dead connection and
// cannot see pings.
func Beat() ws.Frame { return frame(yjs.AwarenessUpdate, []byte{0}) }

// ServeHTTP answers GET /y/{room}/{doc...}. Whatever is refused is refused by a close code: a client that gets no WebSocket comes
// back for ever.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	room, doc, token := r.PathValue("room"), r.PathValue("doc"), visit.Token(r)
	d.door.Answer(w, r, kindOf, func(out *visit.Out) (visit.Caller, error) { return d.call(out, room, doc, token) })
}

func (d *Door) call(out *visit.Out, room, doc, signed string) (*caller, error) {
	token, err := d.door.House.Admit(signed, room)
	if err != nil {
		return nil, err
	}
	stay, err := d.door.House.Enter(room, token.Identity, out.End)
	if err != nil {
		return nil, err
	}
	out.Drained(stay.Data.Drained)
	c := &caller{out: out, stay: stay}
	c.talk = visit.NewTalk(out, c, form, stay.Over)
	c.open = func(vector []byte, tell func(datachannel.DocEvent) datachannel.Reception) *datachannel.DocReader {
		return stay.Data.OpenDoc(token.Identity, doc, visit.Grants(token.Grants), vector, tell)
	}
	return c, nil
}
