package hocuspocus

import (
	"bytes"

	"github.com/turnout-rtc/turnout/datachannel"
	"github.com/turnout-rtc/turnout/datachannel/yjs"
	"github.com/turnout-rtc/turnout/signaling/visit"
	"github.com/turnout-rtc/turnout/signaling/ws"
)

// talk is one document of a connection, and its accent.
type talk struct {
	*visit.Talk

	// Set at construction, never changed.
	out      *visit.Out
	key      []byte
	identity string
	writable bool
	open     func(vector []byte, tell func(datachannel.DocEvent) datachannel.Reception) *datachannel.DocReader

	number uint64 // of the last change. Owned by the reader
	ledger ledger // Owned by the hub's goroutine
}

var _ visit.Accent = (*talk)(nil)

func newTalk(l *link, m yjs.Hocuspocus, identity string, writable bool) *talk {
	t := &talk{out: l.out, key: bytes.Clone(m.Key), identity: identity, writable: writable}
	t.Talk = visit.NewTalk(l.out, t, "hocuspocus "+string(m.Key), l.stay.Over)
	return t
}

// hear takes one message. It blocks while the document is being opened, or much of what was said waits for the hub.
func (t *talk) hear(m yjs.Message) {
	switch {
	case t.Asked():
		t.number++
		t.Hear(m, uint64(numbered(t.number, m.Kind == yjs.SyncStep2)))
	case m.Kind == yjs.SyncStep1: // others will be said again in answer to our state vector, or when they are renewed
		t.Open(func(tell func(datachannel.DocEvent) datachannel.Reception) *datachannel.DocReader {
			return t.open(m.Body, tell)
		})
	}
}

// Frame implements visit.Accent.
func (t *talk) Frame(kind yjs.Kind, body []byte) ws.Frame { return frame(t.key, kind, body) }

// Asks implements visit.Accent.
func (t *talk) Asks(first bool) { t.ledger.vector(first) }

// Stored implements visit.Accent.
func (t *talk) Stored(number uint64) {
	for range t.ledger.worth(change(number)) {
		t.out.Put(frame(t.key, yjs.SyncStatus, []byte{1}))
	}
}

// Refused implements visit.Accent.
func (t *talk) Refused(e datachannel.DocRefused) {
	if e.ID == 0 { // not a change: a state vector or awareness
		if e.Code == datachannel.CodeDocMalformed {
			t.end(e.Code, e.Message, true)
			t.Close()
		}
		return
	}
	t.Say(yjs.SyncStatus, []byte{0})
	switch {
	case e.Retryable:
		t.ledger.again(change(e.ID))
		t.Heal()
	case e.Code == datachannel.CodeDocReadOnly, e.Code == datachannel.CodeDocNotOpen:
		t.ledger.worth(change(e.ID)) // it stays unsynced in the client, as it is
	default:
		t.end(e.Code, e.Message, true)
		t.Close()
	}
}

// Closed implements visit.Accent.
func (t *talk) Closed(e datachannel.DocClosed, opened bool) { t.end(e.Code, e.Message, opened) }

// end says that the document is closed; others on the connection go on. What is refused before it is open is a refusal of
// permission, the only one that stock clients report.
func (t *talk) end(code datachannel.Code, why string, opened bool) {
	kind := yjs.PermissionDenied
	if opened {
		kind = yjs.Close
	}
	t.Say(kind, []byte(string(code)+": "+why))
}

// frame is a message on the wire.
func frame(key []byte, kind yjs.Kind, body []byte) ws.Frame {
	m := yjs.Hocuspocus{Key: key, Message: yjs.Message{Kind: kind, Body: body}}
	return ws.Binary(m.Append(nil))
}
