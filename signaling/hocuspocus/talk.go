package hocuspocus

import (
	"bytes"

	"github.com/turnout-rtc/turnout/datachannel"
	"github.com/turnout-rtc/turnout/datachannel/yjs"
	"github.com/turnout-rtc/turnout/signaling/visit"
	"github.com/turnout-rtc/turnout/signaling/ws"
)

// talk is one document of a connection. hear and close are called by the connection's reader, tell by the hub.
type talk struct {
	// Set at construction, never changed.
	link     *link
	key      []byte
	form     string
	identity string
	writable bool
	over     <-chan struct{} // the room
	opened   chan struct{}   // closed when the document is open, or will never be
	open     func(vector []byte)

	healer visit.Healer

	// Owned by the reader until opened is closed; never changed from then on.
	doc *datachannel.DocReader // nil: not asked for yet

	// Owned by the reader.
	number uint64 // of the last change

	// Owned by the hub's goroutine.
	answered bool // opened is closed
	ledger   ledger
	strikes  visit.Strikes
}

func newTalk(l *link, m yjs.Hocuspocus, identity string, writable bool) *talk {
	key := bytes.Clone(m.Key)
	return &talk{
		link: l, key: key, form: "hocuspocus " + string(key), identity: identity, writable: writable,
		over: l.stay.Over, opened: make(chan struct{}),
	}
}

// hear takes one message. It blocks while the document is being opened, or much of what was said waits for the hub.
func (t *talk) hear(m yjs.Message) {
	if t.doc == nil {
		if m.Kind == yjs.SyncStep1 { // others will be said again in answer to our state vector, or when they are renewed
			t.open(m.Body)
			select {
			case <-t.opened:
			case <-t.over:
			}
		}
		return
	}
	switch m.Kind {
	case yjs.SyncStep1:
		t.doc.Sync(m.Body)
	case yjs.SyncStep2:
		t.number++
		t.doc.Update(t.number<<1|answers, m.Body)
	case yjs.SyncUpdate:
		t.number++
		t.doc.Update(t.number<<1, m.Body)
	case yjs.AwarenessUpdate:
		t.doc.Awareness(m.Body)
	case yjs.QueryAwareness:
		t.doc.QueryAwareness()
	default: // stateless messages are for servers that are programmed for them; the rest only servers say
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
		t.say(yjs.SyncStep2, e.Update)
		t.ledger.vector(true)
		t.say(yjs.SyncStep1, e.StateVector)
		t.answer()
	case datachannel.DocChange:
		t.link.out.Put(e.Shared.Form(t.form, func() []byte { return frame(t.key, yjs.SyncUpdate, e.Update) }))
	case datachannel.DocAwareness:
		t.link.out.Put(e.Shared.Form(t.form, func() []byte { return frame(t.key, yjs.AwarenessUpdate, e.Update) }))
	case datachannel.DocPause:
		t.link.out.Flush()
	case datachannel.DocVector:
		t.ledger.vector(false)
		t.say(yjs.SyncStep1, e.StateVector)
	case datachannel.DocAck:
		t.strikes.Clear()
		for range t.ledger.worth(change(e.ID)) {
			t.link.out.Put(frame(t.key, yjs.SyncStatus, []byte{1}))
		}
	case datachannel.DocRefused:
		t.refused(e)
	case datachannel.DocClosed:
		t.end(e.Code, e.Message)
	}
}

func (t *talk) answer() {
	if !t.answered {
		t.answered = true
		close(t.opened)
	}
}

// end says that the document is closed; others on the connection go on. What is refused before it is open is a refusal of
// permission, the only one that stock clients report.
func (t *talk) end(code datachannel.Code, why string) {
	kind := yjs.PermissionDenied
	if t.answered {
		kind = yjs.Close
	}
	t.say(kind, []byte(string(code)+": "+why))
	t.answer()
}

func (t *talk) refused(e datachannel.DocRefused) {
	if t.strikes.Count(e.Code) {
		t.link.out.End(visit.Flood())
		return
	}
	if e.ID == 0 { // not a change: a state vector or awareness
		if e.Code == datachannel.CodeDocMalformed {
			t.end(e.Code, e.Message)
			t.doc.Close()
		}
		return
	}
	t.say(yjs.SyncStatus, []byte{0})
	switch {
	case e.Retryable:
		t.ledger.again(change(e.ID))
		t.healer.Later(t.doc)
	case e.Code == datachannel.CodeDocReadOnly, e.Code == datachannel.CodeDocNotOpen:
		t.ledger.worth(change(e.ID)) // it stays unsynced in the client, as it is
	default:
		t.end(e.Code, e.Message)
		t.doc.Close()
	}
}

func (t *talk) say(kind yjs.Kind, body []byte) { t.link.out.Send(frame(t.key, kind, body)) }

// frame is a message on the wire.
func frame(key []byte, kind yjs.Kind, body []byte) ws.Frame {
	m := yjs.Hocuspocus{Key: key, Message: yjs.Message{Kind: kind, Body: body}}
	return ws.Binary(m.Append(nil))
}
