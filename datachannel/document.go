package datachannel

import (
	"errors"
	"fmt"
	"time"

	"github.com/turnout-rtc/turnout/datachannel/log"
	"github.com/turnout-rtc/turnout/datachannel/store"
	"github.com/turnout-rtc/turnout/datachannel/yjs"
)

// Limits of a document's awareness.
const (
	awarenessPerOwner = 32
	awarenessKeep     = time.Minute // longer than a stock client repeats what it has heard of another
)

// document is one document that somebody has open, or had a moment ago. All of it is owned by run.
type document struct {
	key       store.Doc
	core      *yjs.Doc
	awareness *yjs.Awareness
	readers   map[*DocReader]struct{}
	idle      time.Time // when the last reader closed it

	loaded  bool
	waiting []waiting // readers that wait for it to be loaded

	epoch uint64
	seq   uint64 // of the last update
	disk  disk
}

// waiting is an open that waits for the document.
type waiting struct {
	reader *DocReader
	vector yjs.StateVector
}

func newDocument(key store.Doc, stateBytes int) *document {
	return &document{
		key: key, core: yjs.New(), readers: map[*DocReader]struct{}{},
		awareness: yjs.NewAwareness(yjs.AwarenessLimits{StateBytes: stateBytes, PerOwner: awarenessPerOwner, Keep: awarenessKeep}),
	}
}

func (d *document) position() log.Position { return log.Position{Epoch: d.epoch, Seq: d.seq} }

// sync answers a reader's state vector.
func (d *document) sync(r *DocReader, v yjs.StateVector) {
	r.emit(DocState{
		Writable: r.writable, Position: d.position(),
		Update: d.core.Diff(v), StateVector: d.core.StateVector().Encode(),
	})
	if all := d.awareness.All(); all != nil {
		r.emit(DocAwareness{Update: all})
	}
}

// tell tells all readers but one.
func (d *document) tell(not *DocReader, e DocEvent) {
	for r := range d.readers {
		if r != not {
			r.emit(e)
		}
	}
}

// restore takes what is stored. It says how many records could not be used.
func (d *document) restore(s store.State) (unusable int) {
	d.epoch, d.seq = s.Epoch, s.Last()
	records := s.Records
	if s.Snapshot != nil {
		records = append([]log.Record{*s.Snapshot}, records...)
		d.disk.snapshot = len(s.Snapshot.Data)
	}
	for _, r := range records {
		u, err := yjs.Parse(r.Data)
		if err != nil {
			unusable++
			continue
		}
		d.core.Apply(u)
	}
	d.disk.records = len(s.Records)
	for _, r := range s.Records {
		d.disk.bytes += len(r.Data)
	}
	d.disk.durable = d.seq
	d.loaded = true
	return unusable + len(s.Damaged)
}

// applyUpdate checks an update and applies it. Nothing has changed when it is refused; fresh is nil when there is nothing new.
func (h *Hub) applyUpdate(d *document, r *DocReader, b []byte) (fresh []byte, x *refusal) {
	u, err := yjs.Parse(b)
	if err != nil {
		return nil, refuse(CodeDocMalformed, "This is not an update in the Yjs format, version 1.")
	}
	var twice *yjs.Equivocation
	err = d.core.Check(u)
	switch {
	case errors.As(err, &twice):
		return nil, refuse(CodeDocEquivocation, fmt.Sprintf("The document has other operations of client %d at clock %d.", twice.Client, twice.Clock))
	case d.core.Contains(u):
		return nil, nil
	case !r.writable:
		return nil, refuse(CodeDocReadOnly, "You may read this document and not write it.")
	case err != nil:
		return nil, refuse(CodeDocGap, "The update begins after what the server has of this client.")
	}
	if x := d.disk.refuses(); x != nil {
		return nil, x
	}
	if !h.fits(d, u) {
		return nil, refuse(CodeDocLimit, fmt.Sprintf("A document takes at most %d bytes.", h.cfg.DocumentBytes))
	}
	return d.core.Apply(u), nil
}

// fits says whether the document may grow by u, after it has been made as small as it can be.
func (h *Hub) fits(d *document, u *yjs.Update) bool {
	if d.core.Memory()+u.Memory() > h.cfg.DocumentBytes && d.core.Spread() > 0 {
		d.core.Compact()
	}
	return d.core.Memory()+u.Memory() <= h.cfg.DocumentBytes
}

// compactSpread is the number of loose structs from which on they are joined, if they are also most of the document.
const compactSpread = 4096

func (d *document) tidy() {
	if d.core.Spread() >= compactSpread && 2*d.core.Spread() >= d.core.Len() {
		d.core.Compact()
	}
}

// updateDoc takes an update of a reader.
func (h *Hub) updateDoc(now time.Time, r *DocReader, id uint64, b []byte) *refusal {
	d := r.doc
	if d == nil || !d.loaded {
		return refuse(CodeDocNotOpen, "The document is not open.")
	}
	fresh, x := h.applyUpdate(d, r, b)
	if x != nil {
		return x
	}
	if fresh == nil {
		d.disk.await(ack{r, id}, d.position())
		return nil
	}
	d.seq++
	d.tidy()
	if h.cfg.Relay == RelayAtOnce {
		d.tell(r, DocChange{Position: d.position(), Update: fresh})
	}
	h.persist(d, &entry{
		record: log.Record{Seq: d.seq, Kind: log.Update, Subject: r.identity, Time: now, Data: fresh},
		acks:   []ack{{r, id}}, author: r,
	})
	return nil
}

// awarenessOf takes an awareness update of a reader.
func (h *Hub) awarenessOf(now time.Time, r *DocReader, b []byte) *refusal {
	d := r.doc
	if d == nil {
		return refuse(CodeDocNotOpen, "The document is not open.")
	}
	r.silent = false
	res, err := d.awareness.Apply(now, yjs.Speaker{Owner: r.identity, Via: r.via}, b)
	if err != nil {
		return refuse(CodeDocMalformed, "This is not an awareness update.")
	}
	h.meter.dropped(DroppedForeign, uint64(res.Foreign))
	h.meter.dropped(DroppedEcho, uint64(res.Echoes))
	if res.Relay != nil {
		d.tell(r, DocAwareness{Update: res.Relay})
	}
	if res.Refused > 0 {
		return refuse(CodeTooLarge, fmt.Sprintf("An awareness state has at most %d bytes, and one member at most %d Yjs clients.", h.cfg.PresenceBytes, awarenessPerOwner))
	}
	return nil
}
