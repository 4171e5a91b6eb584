package yws

import (
	"github.com/turnout-rtc/turnout/datachannel"
	"github.com/turnout-rtc/turnout/datachannel/yjs"
	"github.com/turnout-rtc/turnout/signaling/protocol"
	"github.com/turnout-rtc/turnout/signaling/visit"
	"github.com/turnout-rtc/turnout/signaling/ws"
)

// caller is one connection, and its accent.
type caller struct {
	// Set before the first message, never changed.
	out  *visit.Out
	stay visit.Stay
	talk *visit.Talk
	open func(vector []byte, tell func(datachannel.DocEvent) datachannel.Reception) *datachannel.DocReader

	warned bool // of having no permission. Owned by the hub's goroutine
}

var (
	_ visit.Caller = (*caller)(nil)
	_ visit.Accent = (*caller)(nil)
)

// Hear implements visit.Caller. It blocks while the document is being opened.
func (c *caller) Hear(b []byte) error {
	m, err := yjs.DecodeMessage(b)
	if err != nil {
		return &protocol.Error{Code: protocol.Malformed, Message: err.Error(), Hint: "use y-websocket 3"}
	}
	if c.talk.Asked() {
		c.talk.Hear(m, 0)
		return nil
	}
	// A client whose first message is no state vector gets all there is, and is asked for all it has.
	c.out.Begun()
	vector := []byte{0}
	if m.Kind == yjs.SyncStep1 {
		vector = m.Body
	}
	c.talk.Open(func(tell func(datachannel.DocEvent) datachannel.Reception) *datachannel.DocReader {
		return c.open(vector, tell)
	})
	if m.Kind == yjs.AwarenessUpdate {
		c.talk.Hear(m, 0)
	}
	return nil
}

// Begun implements visit.Caller.
func (c *caller) Begun() bool { return c.talk.Asked() }

// Close implements visit.Caller.
func (c *caller) Close() {
	c.talk.Close()
	c.stay.Leave()
}

// form is the name of this wire's form of an event.
const form = "y-websocket"

// Frame implements visit.Accent.
func (c *caller) Frame(kind yjs.Kind, body []byte) ws.Frame { return frame(kind, body) }

// Asks implements visit.Accent. The client's answer is an update like others.
func (c *caller) Asks(bool) {}

// Stored implements visit.Accent. This wire has no word for it.
func (c *caller) Stored(uint64) {}

// Refused implements visit.Accent: it says to the client why, if that is any use to it, and has what can be taken later sent again.
func (c *caller) Refused(e datachannel.DocRefused) {
	switch {
	case e.Code == datachannel.CodeDocReadOnly:
		if !c.warned {
			c.warned = true
			c.talk.Say(yjs.PermissionDenied, []byte(e.Message))
		}
	case e.Retryable:
		c.talk.Heal()
	case e.Code == datachannel.CodeDocNotOpen, e.Code == datachannel.CodeTooLarge: // too many Yjs clients, or a state too large: it stays unseen
	default:
		c.out.End(visit.Failed(e.Code, e.Message))
	}
}

// Closed implements visit.Accent: the connection is there for its document.
func (c *caller) Closed(e datachannel.DocClosed, _ bool) { c.out.End(visit.Failed(e.Code, e.Message)) }

// frame is a message on the wire: one a WebSocket message, for that is all that clients read of it.
func frame(kind yjs.Kind, body []byte) ws.Frame {
	m := yjs.Message{Kind: kind, Body: body}
	return ws.Binary(m.Append(nil))
}

func kindOf(message []byte) (yjs.Kind, error) {
	m, err := yjs.DecodeMessage(message)
	return m.Kind, err
}
