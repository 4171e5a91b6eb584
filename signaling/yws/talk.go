package yws

import (
	"time"

	"github.com/turnout-rtc/turnout/datachannel"
	"github.com/turnout-rtc/turnout/datachannel/yjs"
	"github.com/turnout-rtc/turnout/signaling/protocol"
	"github.com/turnout-rtc/turnout/signaling/visit"
	"github.com/turnout-rtc/turnout/signaling/ws"
)

// talk is one connection's. hear and close are called by its reader, tell by the hub.
type talk struct {
	// Set before the first message, never changed.
	out    visit.Out
	over   <-chan struct{} // the room
	opened chan struct{}   // closed when the document is open, or will never be
	open   func(vector []byte) *datachannel.DocReader

	healer visit.Healer

	// Owned by the reader until opened is closed; never changed from then on.
	doc *datachannel.DocReader // nil: not asked for yet

	// Owned by the hub's goroutine.
	answered bool // opened is closed
	warned   bool // of having no permission
	strikes  visit.Strikes
}

// hear takes one message of the client's. It blocks while the document is being opened, or much of what was said waits for the
// hub, so that the client's own connection holds it back.
func (t *talk) hear(b []byte) error {
	m, err := yjs.DecodeMessage(b)
	if err != nil {
		return &protocol.Error{Code: protocol.Malformed, Message: err.Error(), Hint: "use y-websocket 3"}
	}
	if t.doc == nil {
		t.begin(m)
		return nil
	}
	switch m.Kind {
	case yjs.SyncStep1:
		t.doc.Sync(m.Body)
	case yjs.SyncStep2, yjs.SyncUpdate:
		t.doc.Update(0, m.Body)
	case yjs.AwarenessUpdate:
		t.doc.Awareness(m.Body)
	case yjs.QueryAwareness:
		t.doc.QueryAwareness()
	default: // only servers say these, and they mean nothing here
	}
	return nil
}

// begin opens the document. A client whose first message is no state vector gets all there is, and is asked for all it has.
func (t *talk) begin(m yjs.Message) {
	t.out.Conn.Expect(time.Time{})
	vector := []byte{0}
	if m.Kind == yjs.SyncStep1 {
		vector = m.Body
	}
	t.doc = t.open(vector)
	select {
	case <-t.opened:
	case <-t.over:
		return
	}
	if m.Kind == yjs.AwarenessUpdate {
		t.doc.Awareness(m.Body)
	}
}

func (t *talk) close() {
	t.healer.Close()
	if t.doc != nil {
		t.doc.Close()
	}
}

// tell says to the client what the hub tells. It is called by the hub, one event at a time.
func (t *talk) tell(e datachannel.DocEvent) {
	switch e := e.(type) {
	case datachannel.DocState:
		t.out.Send(frame(yjs.SyncStep2, e.Update))
		t.out.Send(frame(yjs.SyncStep1, e.StateVector))
		t.answer()
	case datachannel.DocChange:
		t.out.Put(e.Shared.Form(form, func() []byte { return frame(yjs.SyncUpdate, e.Update) }))
	case datachannel.DocAwareness:
		t.out.Put(e.Shared.Form(form, func() []byte { return frame(yjs.AwarenessUpdate, e.Update) }))
	case datachannel.DocPause:
		t.out.Flush()
	case datachannel.DocVector:
		t.out.Send(frame(yjs.SyncStep1, e.StateVector))
	case datachannel.DocAck:
		t.strikes.Clear()
	case datachannel.DocRefused:
		t.refused(e)
	case datachannel.DocClosed:
		t.out.End(visit.Failed(e.Code, e.Message))
		t.answer()
	}
}

// form is the name of this wire's form of an event.
const form = "y-websocket"

func (t *talk) answer() {
	if !t.answered {
		t.answered = true
		close(t.opened)
	}
}

// refused says to the client why, if that is any use to it, and has what can be taken later sent again.
func (t *talk) refused(e datachannel.DocRefused) {
	switch {
	case t.strikes.Count(e.Code):
		t.out.End(visit.Flood())
	case e.Code == datachannel.CodeDocReadOnly:
		if !t.warned {
			t.warned = true
			t.out.Send(frame(yjs.PermissionDenied, []byte(e.Message)))
		}
	case e.Retryable:
		t.healer.Later(t.doc)
	case e.Code == datachannel.CodeDocNotOpen, e.Code == datachannel.CodeTooLarge: // too many Yjs clients, or a state too large: it stays unseen
	default:
		t.out.End(visit.Failed(e.Code, e.Message))
	}
}

// frame is a message on the wire: one a WebSocket message, for that is all that clients read of it.
func frame(kind yjs.Kind, body []byte) ws.Frame {
	m := yjs.Message{Kind: kind, Body: body}
	return ws.Binary(m.Append(nil))
}
