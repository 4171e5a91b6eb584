package visit

import (
	"github.com/turnout-rtc/turnout/datachannel"
	"github.com/turnout-rtc/turnout/datachannel/yjs"
	"github.com/turnout-rtc/turnout/signaling/ws"
)

// Accent is what one wire has of its own. Its methods are called by the hub.
type Accent interface {
	// Frame is a message on the wire.
	Frame(kind yjs.Kind, body []byte) ws.Frame
	// Asks is called when the server's state vector is about to be sent. first says that the client has said its own before.
	Asks(first bool)
	// Stored says that what the client sent under a number is on disk.
	Stored(number uint64)
	// Refused says that it was not taken.
	Refused(e datachannel.DocRefused)
	// Closed says that the document is closed. opened says that it was open.
	Closed(e datachannel.DocClosed, opened bool)
}

// Talk is what a connection says and hears about one document. Tell is called by the hub, everything else by the connection's reader.
type Talk struct {
	// Set at construction, never changed.
	out    *Out
	accent Accent
	form   string // name of the accent's form of an event; talks with the same have the same frames
	over   <-chan struct{}
	opened chan struct{} // closed when the document is open, or will never be

	healer healer

	// Owned by the reader until opened is closed; never changed from then on.
	doc *datachannel.DocReader // nil: not asked for yet

	// Owned by the hub's goroutine.
	answered bool // opened is closed
	strikes  strikes
}

// NewTalk makes a talk of a connection.
func NewTalk(out *Out, accent Accent, form string, over <-chan struct{}) *Talk {
	return &Talk{out: out, accent: accent, form: form, over: over, opened: make(chan struct{})}
}

// Open opens the document and waits until it is open, so that the client's own connection holds it back.
func (t *Talk) Open(open func(tell func(datachannel.DocEvent) datachannel.Reception) *datachannel.DocReader) {
	t.doc = open(t.tell)
	select {
	case <-t.opened:
	case <-t.over:
	}
}

// Asked says whether Open was called.
func (t *Talk) Asked() bool { return t.doc != nil }

// Hear takes a message about the open document; number is what Accent.Stored calls it. It blocks while much of what was said waits
// for the hub.
func (t *Talk) Hear(m yjs.Message, number uint64) {
	switch m.Kind {
	case yjs.SyncStep1:
		t.doc.Sync(m.Body)
	case yjs.SyncStep2, yjs.SyncUpdate:
		t.doc.Update(number, m.Body)
	case yjs.AwarenessUpdate:
		t.doc.Awareness(m.Body)
	case yjs.QueryAwareness:
		t.doc.QueryAwareness()
	default: // only servers say these, and they mean nothing here
	}
}

// Close ends the talk. It may be called twice.
func (t *Talk) Close() {
	t.healer.close()
	if t.doc != nil {
		t.doc.Close()
	}
}

// tell says to the client what the hub tells, one event at a time.
func (t *Talk) tell(e datachannel.DocEvent) datachannel.Reception {
	r := t.pass(e)
	if t.out.dropped { // also for an acknowledgement
		t.out.dropped = false
		return datachannel.Full
	}
	return r
}

func (t *Talk) pass(e datachannel.DocEvent) datachannel.Reception {
	switch e := e.(type) {
	case datachannel.DocState:
		defer t.answer()
		t.Say(yjs.SyncStep2, e.Update)
		return t.ask(e.StateVector, !e.Unasked) // if that is too much the update comes again, and the question is kept
	case datachannel.DocChange:
		return t.out.Put(e.Shared.Form(t.form, func() []byte { return t.accent.Frame(yjs.SyncUpdate, e.Update) }))
	case datachannel.DocAwareness:
		return t.out.Put(e.Shared.Form(t.form, func() []byte { return t.accent.Frame(yjs.AwarenessUpdate, e.Update) }))
	case datachannel.DocPause:
		t.out.Flush()
	case datachannel.DocWaits:
		t.out.Await()
		t.answer()
	case datachannel.DocVector:
		return t.ask(e.StateVector, false)
	case datachannel.DocAck:
		t.strikes = 0
		t.accent.Stored(e.ID)
	case datachannel.DocRefused:
		t.refused(e)
	case datachannel.DocClosed:
		t.accent.Closed(e, t.answered)
		t.answer()
	}
	return datachannel.Waits
}

func (t *Talk) ask(vector []byte, first bool) datachannel.Reception {
	t.accent.Asks(first)
	return t.Say(yjs.SyncStep1, vector)
}

func (t *Talk) answer() {
	if !t.answered {
		t.answered = true
		close(t.opened)
	}
}

func (t *Talk) refused(e datachannel.DocRefused) {
	if t.strikes.count(e.Code) {
		t.out.End(Flood())
		return
	}
	t.accent.Refused(e)
}

// Heal asks the client, in a while, for what was refused: a stock client sends an update once, and only a state vector of the server's
// makes it send what is missing again.
func (t *Talk) Heal() { t.healer.later(t.doc) }

// Say sends a message. It is called by the hub.
func (t *Talk) Say(kind yjs.Kind, body []byte) datachannel.Reception {
	return t.out.Send(t.accent.Frame(kind, body))
}

// Reply is Say for the connection's reader.
func (t *Talk) Reply(kind yjs.Kind, body []byte) { t.out.Reply(t.accent.Frame(kind, body)) }

// lasting says whether a message of a kind is to be kept when a queue is too long: all that the hub cannot make up for.
func lasting(kind yjs.Kind) bool {
	return kind != yjs.SyncStep2 && kind != yjs.SyncUpdate && kind != yjs.AwarenessUpdate
}
