package datachannel

import "github.com/turnout-rtc/turnout/datachannel/yjs"

// Reception is what a door answers to an event.
type Reception uint8

// The receptions.
const (
	Taken Reception = iota // all that was told before has left
	Waits                  // with others that have not
	// Full: too much waits, and the door has dropped what waited of DocState, DocChange and DocAwareness, of all documents of the
	// visit. None of these is told until Visit.Drained; then comes what the reader lacks.
	Full
)

// bookmark is how much of a document a reader has. Owned by run.
type bookmark struct {
	has   []byte // a state vector; all of it has left
	next  []byte // a later one, of which that is not known yet; nil: none
	bytes int    // told since next, or has, was taken
	lost  bool   // something was dropped: it is told nothing of the document until it is caught up
	asked bool   // it has asked for the document's state meanwhile
}

// markBytes is how much a reader is told between two bookmarks, and so how much more than it lacks it may be sent.
const markBytes = 64 << 10

// say tells a reader of a door something, and takes notice when that is too much for it.
func (r *DocReader) say(e DocEvent) Reception {
	got := r.emit(e)
	if got == Full && r.visit != nil {
		r.visit.fallBehind()
	}
	return got
}

// inform tells a reader of the document something that it is told of again when it gets lost.
func (h *Hub) inform(d *document, r *DocReader, e DocEvent) {
	if r.mark.lost {
		h.meter.dropped(DroppedBehind, 1)
		return
	}
	got := r.say(e)
	r.told = true
	if change, ok := e.(DocChange); ok && r.visit != nil && got != Full {
		r.mark.change(got, len(change.Update), func() []byte { return h.toldVector(d) })
	}
}

// change notes that the reader was told a change. told is what it has with it.
func (m *bookmark) change(got Reception, size int, told func() []byte) {
	if got == Taken && m.next != nil {
		m.has, m.next = m.next, nil
	}
	m.bytes += size
	if m.next == nil && m.bytes >= max(markBytes, 4*len(m.has)) { // a vector of many clients is worth as many bytes
		if m.next = told(); m.next != nil {
			m.bytes = 0
		}
	}
}

// toldVector is the state vector of what all readers were told; nil while something is held back.
func (h *Hub) toldVector(d *document) []byte {
	if h.cfg.Relay == RelayAfterCommit && len(d.disk.pending) > 0 {
		return nil
	}
	return d.vector()
}

// fallBehind notes that the visit's readers have lost something.
func (v *Visit) fallBehind() {
	for r := range v.readers {
		r.mark.lost = true
		r.mark.next, r.mark.bytes = nil, 0
	}
	v.behind = len(v.readers) > 0
}

// catchUpBytes is how much of small documents a visit that has drained is sent before a large one may follow. More waits for the next
// Drained: all that is lacking of many documents could be too much again, and one always fits into Config.QueueBytes.
const catchUpBytes = 32 << 10

// catchUp sends readers of a visit that has drained what they lack. If enough is on its way, the rest has to wait.
func (h *Hub) catchUp(v *Visit) {
	size := 0
	v.behind = false
	for r := range v.readers {
		switch {
		case !r.mark.lost || !r.doc.loaded:
		case v.behind, size >= catchUpBytes:
			v.behind = true
			r.say(DocWaits{})
			return
		default:
			size += h.catchUpReader(r)
		}
	}
}

// catchUpReader returns how many bytes the reader was sent.
func (h *Hub) catchUpReader(r *DocReader) int {
	v, err := yjs.DecodeStateVector(r.mark.has)
	if err != nil {
		v = nil // the client's was read before, and others are ours
	}
	asked := r.mark.asked
	r.mark.lost, r.mark.asked = false, false
	h.meter.caughtUp()
	return h.state(r, v, !asked)
}

// sync answers a reader's state vector, now or when it is caught up.
func (h *Hub) sync(r *DocReader, v yjs.StateVector) {
	if r.mark.lost {
		r.mark.asked = true
		r.say(DocWaits{})
		return
	}
	h.state(r, v, false)
}

// state tells a reader the document's state, of which it has v, and returns the size of that.
func (h *Hub) state(r *DocReader, v yjs.StateVector, unasked bool) int {
	d := r.doc
	e := DocState{
		Writable: r.writable, Position: d.position(), Update: d.core.Diff(v), StateVector: d.vector(), Unasked: unasked,
	}
	if r.say(e) == Full {
		return len(e.Update)
	}
	if r.visit != nil {
		r.mark.next, r.mark.bytes = e.StateVector, 0
	}
	if unasked {
		if gone := d.awareness.EncodeAll(); gone != nil { // also who left meanwhile
			r.say(DocAwareness{Update: gone})
		}
	} else if d.awareness.Here() > 0 {
		r.say(DocAwareness{Update: d.awareness.Encode()})
	}
	return len(e.Update)
}

// Drained says that what waited for the visit's connection has left. It is called, from any goroutine, once after each Full and each DocWaits.
func (v *Visit) Drained() { v.hub.box.putVisit(opDrainedVisit{v}) }
