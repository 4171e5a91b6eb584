// Package hocuspocus is the door for stock clients of Hocuspocus: many documents of one room on one WebSocket, each with a token of
// its own (docs/reference/documents.md).
//
// Its nouns: a Door lets connections in; a link is one connection; a talk is what it says and hears about one document; a ledger
// knows how many of a client's changes an acknowledgement is good for. A client's "unsynced changes" are zero only when all of
// them are on disk.
package hocuspocus

import (
	"errors"
	"net/http"
	"time"

	"golang.org/x/time/rate"

	"github.com/turnout-rtc/turnout/datachannel/yjs"
	"github.com/turnout-rtc/turnout/signaling/visit"
	"github.com/turnout-rtc/turnout/signaling/ws"
)

// Config of a door. All of it must be set.
type Config struct {
	Documents    int           // on one connection
	QueueBytes   int           // that may wait for one connection
	FirstMessage time.Duration // until a document is authenticated
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

// Beat is Hocuspocus' own ping: its clients take 30 s without a message for a dead connection and cannot see pings of the WebSocket.
func Beat() ws.Frame {
	return ws.Binary(yjs.Hocuspocus{Message: yjs.Message{Kind: yjs.Ping}}.Append(nil))
}

// ServeHTTP answers GET /hocuspocus/{room}.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	room, token := r.PathValue("room"), visit.Token(r)
	d.sockets.Upgrade(w, r, func(c *ws.Conn) {
		l := &link{
			door: d, room: room, token: token, out: visit.Out{Conn: c, Bytes: d.cfg.QueueBytes},
			talks: map[string]*talk{}, stray: rate.NewLimiter(strayRate, strayBurst),
		}
		l.serve()
		for { // until the other side has closed, too
			if _, err := c.Read(); err != nil {
				return
			}
		}
	})
}

// serve returns when the connection has nothing more to say, or may not say it.
func (l *link) serve() {
	defer l.close()
	l.out.Conn.Expect(time.Now().Add(l.door.cfg.FirstMessage))
	for {
		m, err := l.out.Conn.Read()
		if errors.Is(err, ws.ErrTimeout) {
			l.out.Silent(l.stay != nil)
		}
		if err != nil {
			return // it is lost, and there is nobody to tell
		}
		if err := l.hear(m.Data); err != nil {
			l.out.End(visit.Refused(err))
			return
		}
	}
}
