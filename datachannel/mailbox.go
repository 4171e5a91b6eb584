package datachannel

import (
	"sync"
	"time"

	"github.com/turnout-rtc/turnout/datachannel/store"
)

// op is something for the hub's loop to do: one of the types below.
type op interface{ do(h *Hub, now time.Time) }

// letter is an op, or a wire message, which is what comes most and so is no op: that would be an allocation.
type letter struct {
	op   op
	wire *Wire // of a wire message, which has taken one of the member's slots
	data []byte
}

func (l letter) do(h *Hub, now time.Time) {
	if l.wire == nil {
		l.op.do(h, now)
		return
	}
	<-l.wire.member.slots
	h.receive(now, l.wire, l.data)
}

type (
	opJoin   struct{ member *Member }
	opLeave  struct{ member *Member }
	opAttach struct{ wire *Wire }
	opDetach struct{ wire *Wire }

	// opDrained says that a wire takes more again.
	opDrained struct{ wire *Wire }

	// What a door asks for; all but opDocClose have taken one of the visit's slots.
	opDocOpen struct {
		reader *DocReader
		grants Grants
		vector []byte
	}
	opDocSync struct {
		reader *DocReader
		vector []byte
	}
	opDocAsk    struct{ reader *DocReader }
	opDocQuery  struct{ reader *DocReader }
	opDocUpdate struct {
		reader *DocReader
		id     uint64
		update []byte
	}
	opDocAwareness struct {
		reader *DocReader
		update []byte
	}
	opDocClose struct{ reader *DocReader }

	// opDrainedVisit says that a visit's connection takes more again.
	opDrainedVisit struct{ visit *Visit }

	// What the store answers.
	opLoaded struct {
		doc   *document
		state store.State
		err   error
	}
	opStored struct {
		doc   *document
		entry *entry
		err   error
	}
	opCompacted struct {
		doc  *document
		size int // of the snapshot
		err  error
	}
)

func (o opJoin) do(h *Hub, now time.Time)  { h.join(now, o.member) }
func (o opLeave) do(h *Hub, now time.Time) { h.leave(now, o.member) }
func (o opAttach) do(h *Hub, _ time.Time)  { h.attach(o.wire) }
func (o opDetach) do(h *Hub, _ time.Time)  { h.detach(o.wire) }
func (o opDrained) do(h *Hub, _ time.Time) { h.drained(o.wire) }
func (o opDocOpen) do(h *Hub, now time.Time) {
	<-o.reader.visit.slots
	if x := h.visitorOpens(now, o.reader, o.grants, o.vector); x != nil {
		h.meter.refused(x.code)
		o.reader.closed(x)
	}
}

func (o opDocAsk) do(h *Hub, now time.Time) {
	h.doReader(now, o.reader, 0, nil, func() *refusal { return h.tellVector(o.reader) })
}

func (o opDocQuery) do(h *Hub, now time.Time) {
	h.doReader(now, o.reader, 0, nil, func() *refusal { return h.tellAwareness(o.reader) })
}

func (o opDocSync) do(h *Hub, now time.Time) {
	h.doReader(now, o.reader, 0, o.vector, func() *refusal { return h.syncDoc(o.reader, o.vector) })
}

func (o opDocUpdate) do(h *Hub, now time.Time) {
	h.doReader(now, o.reader, o.id, o.update, func() *refusal { return h.updateDoc(now, o.reader, o.id, o.update) })
}

func (o opDocAwareness) do(h *Hub, now time.Time) {
	h.doAwareness(now, o.reader, o.update)
}

func (o opDocClose) do(h *Hub, now time.Time) { h.closeDoc(now, o.reader) }
func (o opDrainedVisit) do(h *Hub, _ time.Time) {
	h.catchUp(o.visit)
}
func (o opLoaded) do(h *Hub, now time.Time)  { h.loaded(now, o.doc, o.state, o.err) }
func (o opStored) do(h *Hub, now time.Time)  { h.stored(now, o.doc, o.entry, o.err) }
func (o opCompacted) do(h *Hub, _ time.Time) { h.compacted(o.doc, o.size, o.err) }

// mailbox brings ops to the loop. It does not block: what members and visits send takes one of their slots first, and of everything
// else there is little. What visits send is one queue, everything else another; each keeps the order in which it was put.
type mailbox struct {
	mu      sync.Mutex
	letters []letter      // Guarded by mu.
	visits  []letter      // Guarded by mu.
	resting bool          // Guarded by mu. The loop comes for visits by itself
	filled  chan struct{} // holds one token while there may be ops
}

func newMailbox() *mailbox { return &mailbox{filled: make(chan struct{}, 1)} }

func (b *mailbox) put(o op) { b.post(letter{op: o}) }

func (b *mailbox) post(l letter) {
	b.mu.Lock()
	b.letters = append(b.letters, l)
	b.mu.Unlock()
	b.signal()
}

// putVisit waits, while the loop rests, for the end of that.
func (b *mailbox) putVisit(o op) {
	b.mu.Lock()
	b.visits = append(b.visits, letter{op: o})
	resting := b.resting
	b.mu.Unlock()
	if !resting {
		b.signal()
	}
}

func (b *mailbox) signal() {
	select {
	case b.filled <- struct{}{}:
	default:
	}
}

// take returns all there is and keeps empty for what comes next.
func (b *mailbox) take(empty []letter) []letter {
	b.mu.Lock()
	defer b.mu.Unlock()
	letters := b.letters
	b.letters = empty[:0]
	return letters
}

// takeVisits is take for what visits sent. If that is something, the loop rests from now on, until it is nothing.
func (b *mailbox) takeVisits(empty []letter) []letter {
	b.mu.Lock()
	defer b.mu.Unlock()
	letters := b.visits
	b.visits = empty[:0]
	b.resting = len(letters) > 0
	return letters
}
