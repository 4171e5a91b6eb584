package datachannel

import (
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/turnout-rtc/turnout/datachannel/frame"
	"github.com/turnout-rtc/turnout/datachannel/log"
	"github.com/turnout-rtc/turnout/datachannel/store"
	"github.com/turnout-rtc/turnout/datachannel/store/memory"
	"github.com/turnout-rtc/turnout/datachannel/store/storetest"
	"github.com/turnout-rtc/turnout/datachannel/yjs"
)

// insertion is a Yjs update: client inserts text at its clock, behind its own last character (at clock 0: at the beginning

// of the root type "t").

func insertion(client, clock uint64, text string) []byte {
	number := func(b []byte, n uint64) []byte {
		for ; n >= 0x80; n >>= 7 {
			b = append(b, byte(n)|0x80)
		}
		return append(b, byte(n))
	}
	b := number(number([]byte{1, 1}, client), clock)
	if clock == 0 {
		b = append(b, 4, 1, 1, 't')
	} else {
		b = number(number(append(b, 4|0x80), client), clock-1)
	}
	return append(append(number(b, uint64(len(text))), text...), 0)
}

// hearAwareness reads what awarenessUpdate and others like it have written.
func hearAwareness(seen map[byte]string, update []byte) {
	for b := update[1:]; len(b) > 0; b = b[3+int(b[2]):] {
		if state := string(b[3 : 3+int(b[2])]); state == "null" {
			delete(seen, b[0])
		} else {
			seen[b[0]] = state
		}
	}
}

func frameAwareness(client, clock byte, state string) frame.DocAwareness {
	return frame.DocAwareness{Doc: 1, Update: awarenessUpdate(client, clock, state)}
}

func awarenessUpdate(client, clock byte, state string) []byte {
	return append([]byte{1, client, clock, byte(len(state))}, state...)
}

// library of a test: a store that outlives hubs.

type shelf struct {
	t      *testing.T
	store  *memory.Store
	faulty *storetest.Faulty
	fault  atomic.Int32 // a storetest.Fault
	cfg    Config
}

func newShelf(t *testing.T, cfg Config) *shelf {
	s := &shelf{t: t, store: memory.New(), cfg: cfg}
	s.faulty = &storetest.Faulty{
		Store: s.store, Next: func() storetest.Fault { return storetest.Fault(s.fault.Load()) },
		Damage: func(d store.Doc, seq uint64) { s.store.Damage(d, seq) },
	}
	return s
}

// start starts a hub on the shelf, and returns what ends both.

func (s *shelf) start() (*Hub, func()) {
	w := store.NewWriter(s.faulty)
	h := NewHub("room", s.cfg, slog.New(slog.DiscardHandler), Services{Store: w})
	return h, func() {
		h.Close()
		w.Close()
	}
}

func (s *shelf) hub() *Hub {
	h, end := s.start()
	s.t.Cleanup(end)
	return h
}

// editor is a client with one document.

type editor struct {
	*client
	core     *yjs.Doc
	id       uint64 // its Yjs client
	clock    uint64
	unsynced map[uint64]uint64 // id of the update: clock behind it
	acked    uint64            // clock up to which everything was acknowledged
	nextID   uint64
	at       log.Position
	aware    map[byte]string
	closed   []frame.DocClosed
	writable bool
	onState  func(yjs.StateVector) // may be nil
}

func edit(c *client, id uint64) *editor {
	return &editor{client: c, core: &yjs.Doc{}, id: id, unsynced: map[uint64]uint64{}, aware: map[byte]string{}}
}

func (e *editor) open() {
	e.nextID++
	e.say(frame.DocOpen{ID: e.nextID, Doc: 1, Name: "notes", StateVector: e.core.StateVector().Append(nil)})
	e.read()
	e.read() // the answer to the state is answered too
}

// type_ inserts text and sends it.

func (e *editor) type_(text string) {
	b := insertion(e.id, e.clock, text)
	e.clock += uint64(len(text))
	e.apply(b)
	e.update(b)
}

func (e *editor) update(b []byte) {
	e.nextID++
	e.unsynced[e.nextID] = e.clock
	e.say(frame.DocUpdate{ID: e.nextID, Doc: 1, Update: b})
}

func (e *editor) apply(b []byte) {
	if _, err := e.core.Apply(b); err != nil {
		e.t.Fatal(err)
	}
}

func (e *editor) read() {
	e.t.Helper()
	e.client.read()
	e.take()
}

// take handles what has come.

func (e *editor) take() {
	e.client.take()
	docs := e.docs
	e.docs = nil
	for _, f := range docs {
		e.doc(f)
	}
}

func (e *editor) doc(f frame.Frame) {
	switch f := f.(type) {
	case frame.DocState:
		e.apply(f.Update)
		e.writable = f.Writable
		e.at = log.Position{Epoch: f.Epoch, Seq: f.Seq}
		v, err := yjs.DecodeStateVector(f.StateVector)
		if err != nil {
			e.t.Fatal(err)
		}
		if e.onState != nil {
			e.onState(v)
		}
		e.update(e.core.Diff(v)) // even if it is empty: its ack says that all before is on disk
	case frame.DocChange:
		e.at = log.Position{Epoch: f.Epoch, Seq: f.Seq}
		e.apply(f.Update)
	case frame.DocAck:
		e.acked = max(e.acked, e.unsynced[f.ID])
		delete(e.unsynced, f.ID)
	case frame.DocAwareness:
		hearAwareness(e.aware, f.Update)
	case frame.DocClosed:
		e.closed = append(e.closed, f)
	}
}

func (e *editor) text() string {
	var c yjs.Doc
	if _, err := c.Restore(e.core.Encode()); err != nil {
		e.t.Fatal(err)
	}
	c.Compact()
	return string(c.Encode())
}

// TestEditorsConverge lets editors type, close, lose their wires and their room, while the store fails now and then. At the

// end all have the same, and whatever was acknowledged is there after a restart.
