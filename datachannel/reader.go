package datachannel

import (
	"log/slog"

	"github.com/turnout-rtc/turnout/datachannel/inbox"
	"github.com/turnout-rtc/turnout/datachannel/log"
)

// DocEvent is something that a reader of a document is told: one of the types below.
type DocEvent interface{ docEvent() }

// DocState answers an open or a Sync.
type DocState struct {
	Writable    bool
	Position    log.Position
	Update      []byte // what the reader lacks: step 2 of the Yjs sync protocol
	StateVector []byte // what the hub has: step 1
	Unasked     bool   // it catches up a reader that was too slow, which has not said a state vector since
}

// DocChange is an update of someone else's.
type DocChange struct {
	Position log.Position
	Update   []byte
	Shared   *Shared
}

// DocAck says that the reader's update ID is on disk.
type DocAck struct {
	ID       uint64
	Position log.Position
}

// DocRefused says that the reader's update ID has had no effect.
type DocRefused struct {
	ID            uint64
	Code          Code
	Message, Hint string
	Retryable     bool
}

// DocAwareness is a y-protocols awareness update.
type DocAwareness struct {
	Update []byte
	Shared *Shared
}

// DocVector answers an Ask.
type DocVector struct{ StateVector []byte }

// DocWaits says that the document is open, and that the reader is told nothing of it before Visit.Drained: it is too slow.
type DocWaits struct{}

// DocPause follows DocChange, DocAwareness and DocAck, one or more: no more of them come for now, and what was gathered of them can be
// written. Visits are told it, members are not.
type DocPause struct{}

// DocClosed ends the reader: nothing follows.
type DocClosed struct {
	Code          Code
	Message, Hint string
	Retryable     bool
}

func (DocState) docEvent()     {}
func (DocChange) docEvent()    {}
func (DocAck) docEvent()       {}
func (DocRefused) docEvent()   {}
func (DocAwareness) docEvent() {}
func (DocVector) docEvent()    {}
func (DocWaits) docEvent()     {}
func (DocPause) docEvent()     {}
func (DocClosed) docEvent()    {}

// Shared keeps what doors make of an event for their wires, so that it is made once for all readers of a kind. Its owner is the
// hub's goroutine, in which events are told.
type Shared struct{ forms []form }

type form struct {
	kind  string
	bytes []byte
}

// maxForms bounds the kinds that are kept for one event.
const maxForms = 8

// Form returns the event in the form of a kind, which encode makes if nobody has before.
func (s *Shared) Form(kind string, encode func() []byte) []byte {
	if s == nil {
		return encode()
	}
	for _, f := range s.forms {
		if f.kind == kind {
			return f.bytes
		}
	}
	b := encode()
	if len(s.forms) < maxForms {
		s.forms = append(s.forms, form{kind, b})
	}
	return b
}

// Visit is one connection that does not speak the data protocol: the doors for y-websocket and Hocuspocus. What it sends on all its
// documents is counted together, against the limits of one participant. It is done at once while the hub is idle, and else gathered
// for Config.Gather with what other visits send: many updates cost one wake-up, one commit and one write to each who is told.
type Visit struct {
	// Set at construction, never changed.
	hub   *Hub
	slots chan struct{} // one is taken by each message that waits for the loop

	// Owned by run.
	in      *inbox.Inbox
	readers map[*DocReader]struct{} // of its documents
	behind  bool                    // some of them have lost something
}

// Visit begins one. It ends when all its documents are closed.
func (h *Hub) Visit() *Visit {
	return &Visit{hub: h, slots: make(chan struct{}, memberSlots), in: inbox.New(h.cfg.inbox()), readers: map[*DocReader]struct{}{}}
}

// DocReader is one open document of one connection. Its methods may be called from any goroutine and do nothing after Close;
// those with bytes keep them, and block while much of the reader's waits for the hub.
type DocReader struct {
	// Set at construction, never changed.
	hub      *Hub
	via      uint64 // unique in the hub
	identity string
	name     string
	writable bool
	emit     func(DocEvent) Reception
	visit    *Visit  // nil: over the data protocol
	member   *Member // nil: not over the data protocol

	// Owned by run.
	doc    *document // nil: not open, or closed
	number uint64    // the member's for it
	mark   bookmark
	told   bool // something since the last pause
	silent bool // its awareness has been taken away, because nothing is heard from the member
}

// OpenDoc opens a document. emit is called from the hub's goroutine, one event at a time, and has to return at once; the bytes of an event are shared
// and not to be changed. The first event is DocState, DocWaits or DocClosed. A connection for which too much waits drops what does and
// says so (Full); it is sent what it lacks when it has drained. Without permission to read, or without an identity, there is a DocClosed. Several connections may have the
// same identity: each is a reader of its own, and the Yjs clients that one announces go when it closes, unless another has
// announced them since.
func (v *Visit) OpenDoc(identity, name string, g Grants, stateVector []byte, emit func(DocEvent) Reception) *DocReader {
	_, write := g.Document(name)
	h := v.hub
	r := &DocReader{hub: h, via: h.via.Add(1), identity: identity, name: name, writable: write, emit: emit, visit: v}
	r.mark.has = stateVector
	r.put(opDocOpen{r, g, stateVector})
	return r
}

// Sync asks for what a peer with this state vector lacks; the answer is DocState.
func (r *DocReader) Sync(stateVector []byte) { r.put(opDocSync{r, stateVector}) }

// Ask asks for the hub's state vector; the answer is DocVector. A peer that is sent it sends what was refused for a while.
func (r *DocReader) Ask() { r.put(opDocAsk{r}) }

// QueryAwareness asks for the states of all; the answer is DocAwareness.
func (r *DocReader) QueryAwareness() { r.put(opDocQuery{r}) }

// Update brings an update. The answer is DocAck when it is on disk, or DocRefused; the id is repeated in it.
func (r *DocReader) Update(id uint64, update []byte) { r.put(opDocUpdate{r, id, update}) }

// Awareness brings a y-protocols awareness update. States of others are ignored.
func (r *DocReader) Awareness(update []byte) { r.put(opDocAwareness{r, update}) }

// Close ends the reader: its awareness is gone for the others.
func (r *DocReader) Close() { r.hub.box.putVisit(opDocClose{r}) }

func (r *DocReader) put(o op) {
	select {
	case r.visit.slots <- struct{}{}:
		r.hub.box.putVisit(o)
	case <-r.hub.done:
	}
}

func (r *DocReader) refuse(id uint64, x *refusal) {
	hint, retryable := x.code.advice()
	r.say(DocRefused{ID: id, Code: x.code, Message: x.message, Hint: hint, Retryable: retryable})
}

func (r *DocReader) closed(x *refusal) {
	hint, retryable := x.code.advice()
	r.say(DocClosed{Code: x.code, Message: x.message, Hint: hint, Retryable: retryable})
}

func (d *document) logger(l *slog.Logger) *slog.Logger { return l.With("document", d.key.Name) }
