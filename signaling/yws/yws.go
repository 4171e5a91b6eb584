// Package yws is the door for stock clients of y-websocket: one WebSocket for one document (docs/reference/documents.md).
//
// Its nouns: a Door lets connections in; a talk is what one connection says and hears. What the client may do, and the document
// itself, is the hub's business (package datachannel).
package yws

import (
	"errors"
	"net/http"
	"time"

	"github.com/turnout-rtc/turnout/datachannel"
	"github.com/turnout-rtc/turnout/datachannel/yjs"
	"github.com/turnout-rtc/turnout/signaling/protocol"
	"github.com/turnout-rtc/turnout/signaling/visit"
	"github.com/turnout-rtc/turnout/signaling/ws"
)

// Config of a door. All of it must be set.
type Config struct {
	QueueBytes   int           // that may wait for one connection
	FirstMessage time.Duration // until the first message
}

// Door lets connections in.
type Door struct {
	// Set at construction, never changed.
	cfg     Config
	sockets *ws.Door
	house   visit.House
}

// NewDoor makes a door. sockets is its own, and its owner's to close.
func NewDoor(cfg Config, sockets *ws.Door, house visit.House) *Door {
	return &Door{cfg: cfg, sockets: sockets, house: house}
}

// Beat is an awareness update that says nothing. y-websocket's clients take 30 s without a message for a dead connection and
// cannot see pings.
func Beat() ws.Frame { return frame(yjs.AwarenessUpdate, []byte{0}) }

// ServeHTTP answers GET /y/{room}/{doc...}. Whatever is refused is refused by a close code: a client that gets no WebSocket comes
// back for ever.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	room, doc, token := r.PathValue("room"), r.PathValue("doc"), visit.Token(r)
	d.sockets.Upgrade(w, r, func(c *ws.Conn) {
		t := &talk{out: visit.Out{Conn: c, Bytes: d.cfg.QueueBytes}, opened: make(chan struct{})}
		if err := d.serve(t, room, doc, token); err != nil {
			d.refuse(t, err)
		}
		drain(c)
	})
}

func (d *Door) refuse(t *talk, err error) {
	var fault *protocol.Error
	if errors.As(err, &fault) {
		d.house.Refused(string(fault.Code))
	}
	t.out.End(visit.Refused(err))
}

// serve returns when the connection has nothing more to say, or may not say it.
func (d *Door) serve(t *talk, room, doc, signed string) error {
	token, err := d.house.Admit(signed, room)
	if err != nil {
		return err
	}
	stay, err := d.house.Enter(room, token.Identity, t.out.End)
	if err != nil {
		return err
	}
	defer stay.Leave()
	t.over = stay.Over
	defer t.close()
	t.open = func(vector []byte) *datachannel.DocReader {
		return stay.Data.OpenDoc(token.Identity, doc, visit.Grants(token.Grants), vector, t.tell)
	}
	t.out.Conn.Expect(time.Now().Add(d.cfg.FirstMessage))
	for {
		m, err := t.out.Conn.Read()
		if errors.Is(err, ws.ErrTimeout) {
			t.out.Silent(t.doc != nil)
		}
		if err != nil {
			return nil //nolint:nilerr // it is lost, and there is nobody to tell
		}
		if err := t.hear(m.Data); err != nil {
			return err
		}
	}
}

// drain reads until the other side has closed, too.
func drain(c *ws.Conn) {
	for {
		if _, err := c.Read(); err != nil {
			return
		}
	}
}
