package datachannel

import (
	"errors"
	"fmt"
	"time"

	"github.com/turnout-rtc/turnout/datachannel/log"
	"github.com/turnout-rtc/turnout/datachannel/store"
	"github.com/turnout-rtc/turnout/datachannel/yjs"
)

// document is one document that somebody has open, or had a moment ago. All of it is owned by run.
type document struct {
	key       store.Doc
	core      *yjs.Doc
	awareness *yjs.Awareness
	readers   map[*DocReader]struct{}
	idle      time.Time // when the last reader closed it
	squeezed  time.Time // when deleted content was last dropped to make room
	told      bool      // it is in library.told

	loaded  bool
	waiting []waiting // readers that wait for it to be loaded

	epoch uint64
	seq   uint64 // of the last update
	known known
	disk  disk
}

// known is the state vector of a sequence number.
type known struct {
	seq   uint64
	bytes []byte // nil: not asked for yet
}

// waiting is an open that waits for the document.
type waiting struct {
	reader *DocReader
	vector yjs.StateVector
}

func newDocument(key store.Doc, c Config) *document {
	return &document{
		key: key, core: yjs.NewDoc(c.document()), readers: map[*DocReader]struct{}{},
		awareness: yjs.NewAwareness(c.awareness()),
	}
}

func (d *document) position() log.Position { return log.Position{Epoch: d.epoch, Seq: d.seq} }

// vector is the state vector, as bytes that many may share.
func (d *document) vector() []byte {
	if d.known.bytes == nil || d.known.seq != d.seq {
		d.known.bytes, d.known.seq = d.core.StateVector().Append(nil), d.seq
	}
	return d.known.bytes
}

// tell tells all readers but one.
func (h *Hub) tell(d *document, not *DocReader, e DocEvent) {
	for r := range d.readers {
		if r != not {
			h.inform(d, r, e)
		}
	}
	h.willPause(d)
}

// willPause has what was told of d followed by a pause.
func (h *Hub) willPause(d *document) {
	if !d.told {
		d.told = true
		h.library.told = append(h.library.told, d)
	}
}

// pause says to the visits on the documents of which something was told that it is all for now.
func (h *Hub) pause() {
	for i, d := range h.library.told {
		for r := range d.readers {
			if r.told && r.visit != nil {
				r.say(DocPause{})
			}
			r.told = false
		}
		d.told = false
		h.library.told[i] = nil
	}
	h.library.told = h.library.told[:0]
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
		if _, err := d.core.Restore(r.Data); err != nil {
			unusable++
		}
	}
	d.tidy()
	d.disk.records = len(s.Records)
	for _, r := range s.Records {
		d.disk.bytes += len(r.Data)
	}
	d.disk.durable = d.seq
	d.loaded = true
	return unusable + len(s.Damaged)
}

// applyUpdate checks an update and applies it. Nothing has changed when it is refused; fresh is the part of it that is new,
// nil if nothing is.
func (h *Hub) applyUpdate(now time.Time, d *document, r *DocReader, b []byte) (fresh []byte, x *refusal) {
	if x := d.closedTo(r); x != nil {
		known, err := d.core.Contains(b)
		switch {
		case err != nil:
			return nil, refuseYjs(err)
		case known:
			return nil, nil
		}
		return nil, x
	}
	applied, err := d.core.Apply(b)
	if full(err) && d.squeeze(now) {
		applied, err = d.core.Apply(b)
	}
	if err != nil {
		return nil, refuseYjs(err)
	}
	return applied.New, nil
}

// closedTo says why nothing new is taken of a reader.
func (d *document) closedTo(r *DocReader) *refusal {
	if !r.writable {
		return refuse(CodeDocReadOnly, "You may read this document and not write it.")
	}
	return d.disk.refuses()
}

// full says whether an update was refused because the document would become too large.
func full(err error) bool {
	var limit *yjs.LimitError
	return errors.As(err, &limit) && limit.Limit == "Bytes"
}

// squeezeEvery is how often a full document is looked through for what was deleted: that takes time, and members who fill it
// must not spend the room's.
const squeezeEvery = time.Second

// squeeze drops deleted content, if it has not done so just now.
func (d *document) squeeze(now time.Time) bool {
	if now.Sub(d.squeezed) < squeezeEvery {
		return false
	}
	d.squeezed = now
	d.core.Compact()
	return true
}

// tidyBytes is by how much a document has to grow, and to half as much again, before its deleted content is dropped.
const tidyBytes = 256 << 10

func (d *document) tidy() {
	if grown := d.core.Grown(); grown >= tidyBytes && 3*grown >= d.core.Usage().Bytes {
		d.core.Compact()
	}
}

// updateDoc takes an update of a reader.
func (h *Hub) updateDoc(now time.Time, r *DocReader, id uint64, b []byte) *refusal {
	d := r.doc
	if d == nil || !d.loaded {
		return refuse(CodeDocNotOpen, "The document is not open.")
	}
	fresh, x := h.applyUpdate(now, d, r, b)
	if x != nil {
		return x
	}
	if fresh == nil {
		h.await(d, ack{r, id})
		return nil
	}
	d.seq++
	d.tidy()
	if h.cfg.Relay == RelayAtOnce {
		h.tell(d, r, DocChange{Position: d.position(), Update: fresh, Shared: &Shared{}})
	}
	h.persist(d, &entry{
		record: log.Record{Seq: d.seq, Kind: log.Update, Subject: r.identity, Time: now, Data: fresh},
		acks:   []ack{{r, id}}, author: r,
	})
	return nil
}

// awarenessOf takes an awareness update of a reader, and says whether it held news.
func (h *Hub) awarenessOf(now time.Time, r *DocReader, b []byte) (news bool, x *refusal) {
	d := r.doc
	if d == nil {
		return false, refuse(CodeDocNotOpen, "The document is not open.")
	}
	r.silent = false
	heard, err := d.awareness.Apply(now, yjs.Speaker{Owner: yjs.Owner(r.identity), Via: r.via}, b)
	if err != nil {
		return false, refuseAwareness(err)
	}
	h.meter.dropped(DroppedForeign, uint64(heard.Foreign))
	h.meter.dropped(DroppedEcho, uint64(heard.Echoes))
	if heard.Relay != nil {
		h.tell(d, r, DocAwareness{Update: heard.Relay, Shared: &Shared{}})
	}
	if heard.Reply != nil {
		h.inform(d, r, DocAwareness{Update: heard.Reply})
	}
	if heard.Excess > 0 {
		x = refuse(CodeTooLarge, fmt.Sprintf("One participant has at most %d Yjs clients in a document.", h.cfg.AwarenessClients))
	}
	return heard.Relay != nil, x
}
