package datachannel

import (
	"fmt"
	"time"

	"github.com/turnout-rtc/turnout/datachannel/frame"
	"github.com/turnout-rtc/turnout/datachannel/log"
	"github.com/turnout-rtc/turnout/datachannel/store"
	"github.com/turnout-rtc/turnout/datachannel/yjs"
)

// tick is how often documents are looked after: retries, silent members, documents that nobody has open.
const tick = 250 * time.Millisecond

// library is the documents of a hub. All of it is owned by run.
type library struct {
	docs map[string]*document
	next time.Time   // tick
	told []*document // something of them was told since the last pause
}

// openDoc opens a document for a reader, which is told by DocState, now or when it is loaded, or by DocClosed.
func (h *Hub) openDoc(now time.Time, r *DocReader, g Grants, vector []byte) *refusal {
	if read, _ := g.Document(r.name); !read {
		return refuse(CodeForbidden, fmt.Sprintf("You may not read the document %q.", r.name))
	}
	if h.with.Store == nil {
		return refuse(CodeUnsupported, "This server keeps no documents.")
	}
	if r.identity == "" {
		return refuse(CodeForbidden, "Who opens a document has an identity.")
	}
	if r.name == "" || len(r.name) > frame.MaxDocName {
		return refuse(CodeMalformed, fmt.Sprintf("The name of a document has 1 to %d bytes.", frame.MaxDocName))
	}
	v, err := yjs.DecodeStateVector(vector)
	if err != nil {
		return refuseYjs(err)
	}
	d, x := h.document(now, r.name)
	if x != nil {
		return x
	}
	d.readers[r] = struct{}{}
	r.doc = d
	if r.visit != nil {
		r.visit.readers[r] = struct{}{}
	}
	if !d.loaded {
		d.waiting = append(d.waiting, waiting{r, v})
		return nil
	}
	h.sync(r, v)
	return nil
}

// document returns a document that is in memory, or begins to load it.
func (h *Hub) document(now time.Time, name string) (*document, *refusal) {
	if d := h.library.docs[name]; d != nil {
		return d, nil
	}
	if len(h.library.docs) >= h.cfg.RoomDocuments {
		return nil, refuse(CodeDocLimit, fmt.Sprintf("A room has at most %d documents open.", h.cfg.RoomDocuments))
	}
	d := newDocument(store.Doc{Room: h.name, Name: name}, h.cfg)
	err := h.with.Store.Load(d.key, func(s store.State, err error) {
		h.box.put(opLoaded{d, s, err})
	})
	if err != nil {
		return nil, refuse(CodeStorageFailed, "The document cannot be loaded now.")
	}
	if len(h.library.docs) == 0 {
		h.library.next = now.Add(tick)
	}
	h.library.docs[name] = d
	h.meter.documents(len(h.library.docs))
	return d, nil
}

// loaded takes the writer's answer.
func (h *Hub) loaded(now time.Time, d *document, s store.State, err error) {
	if err != nil {
		h.log.Error("loading a document", "document", d.key.Name, "error", err)
		for r := range d.readers {
			h.forget(r)
			r.closed(refuse(CodeStorageFailed, "The document cannot be loaded now."))
		}
		h.unload(d)
		return
	}
	if unusable := d.restore(s); unusable > 0 {
		h.meter.dropped(DroppedDamaged, uint64(unusable))
		d.logger(h.log).Error("records of a document are damaged and were put aside", "records", unusable)
		h.newHistory(now, d)
	} else if d.epoch == 0 {
		d.epoch = log.NewEpoch()
	}
	if len(d.readers) == 0 {
		d.idle = now
	}
	for _, w := range d.waiting {
		if w.reader.doc == d {
			h.sync(w.reader, w.vector)
		}
	}
	d.waiting = nil
}

// newHistory begins a new epoch, because part of the old one is lost. An update that says nothing carries it to the disk,
// and a snapshot puts the damaged records aside.
func (h *Hub) newHistory(now time.Time, d *document) {
	d.epoch = log.NewEpoch()
	d.seq++
	nothing := []byte{0, 0}
	h.persist(d, &entry{record: log.Record{Seq: d.seq, Kind: log.Update, Time: now, Data: nothing}})
	d.disk.records += compactRecords
}

// closeDoc ends a reader; the others see its awareness go.
func (h *Hub) closeDoc(now time.Time, r *DocReader) {
	d := r.doc
	if d == nil {
		return
	}
	h.forget(r)
	if gone := d.awareness.Leave(now, r.via); gone != nil {
		h.tell(d, nil, DocAwareness{Update: gone, Shared: &Shared{}})
	}
	if len(d.readers) == 0 {
		d.idle = now
	}
}

// forget lets go of a reader.
func (h *Hub) forget(r *DocReader) {
	delete(r.doc.readers, r)
	r.doc = nil
	if r.member != nil {
		delete(r.member.docs, r.number)
	} else {
		delete(r.visit.readers, r)
	}
}

func (h *Hub) unload(d *document) {
	delete(h.library.docs, d.key.Name)
	h.meter.documents(len(h.library.docs))
}

// tend looks after the documents once a tick, and says when the next one is.
func (h *Hub) tend(now time.Time) (next time.Time, ok bool) {
	if len(h.library.docs) == 0 {
		return time.Time{}, false
	}
	if now.Before(h.library.next) {
		return h.library.next, true
	}
	h.library.next = now.Add(tick)
	for _, d := range h.library.docs {
		h.retryStore(now, d)
		h.silence(now, d)
		if len(d.readers) == 0 && d.loaded && len(d.disk.pending) == 0 && !d.disk.compacted && now.Sub(d.idle) >= h.cfg.DocumentIdle {
			h.unload(d)
		}
	}
	return h.library.next, len(h.library.docs) > 0
}

// silence takes away the awareness of members from which nothing is heard, and states that were not renewed. Their owners are
// told too: a Yjs client that hears of its own removal announces itself again.
func (h *Hub) silence(now time.Time, d *document) {
	for r := range d.readers {
		if r.member == nil || r.silent || now.Sub(r.member.heard) < h.cfg.PresenceTTL {
			continue
		}
		r.silent = true
		d.awareness.Lose(r.via, now)
	}
	if gone := d.awareness.Expire(now); gone != nil {
		h.tell(d, nil, DocAwareness{Update: gone, Shared: &Shared{}})
	}
}

// doReader does what a door asks for, if it does not ask too much.
func (h *Hub) doReader(now time.Time, r *DocReader, id uint64, data []byte, do func() *refusal) {
	<-r.visit.slots
	x := refuse(CodeRateLimited, "This connection sends more than allowed.")
	if r.visit.in.Message(now, len(data)) == nil {
		x = do()
	}
	if x != nil {
		h.meter.refused(x.code)
		r.refuse(id, x)
	}
}

// doAwareness takes a door's awareness update. Only news count as a message: stock clients send on whatever they hear, and would
// be above their rate because others move their cursors.
func (h *Hub) doAwareness(now time.Time, r *DocReader, update []byte) {
	<-r.visit.slots
	x := refuse(CodeRateLimited, "This connection sends more than allowed.")
	if !r.visit.in.Exhausted(now) && r.visit.in.Bytes(now, len(update)) == nil {
		var news bool
		if news, x = h.awarenessOf(now, r, update); news || x != nil {
			_ = r.visit.in.Message(now, 0) // there was room for one
		}
	}
	if x != nil {
		h.meter.refused(x.code)
		r.refuse(0, x)
	}
}

// visitorOpens opens a document for a door.
func (h *Hub) visitorOpens(now time.Time, r *DocReader, g Grants, vector []byte) *refusal {
	v := r.visit
	if len(v.readers) >= h.cfg.Documents {
		return refuse(CodeDocLimit, fmt.Sprintf("You have %d documents open, and more are not allowed.", len(v.readers)))
	}
	if v.in.Message(now, len(vector)) != nil {
		return refuse(CodeRateLimited, "This connection sends more than allowed.")
	}
	r.mark.lost = v.behind
	return h.openDoc(now, r, g, vector)
}

func (h *Hub) tellVector(r *DocReader) *refusal {
	if r.doc == nil || !r.doc.loaded {
		return nil
	}
	r.say(DocVector{StateVector: r.doc.vector()})
	return nil
}

func (h *Hub) tellAwareness(r *DocReader) *refusal {
	if r.doc == nil {
		return nil
	}
	h.inform(r.doc, r, DocAwareness{Update: r.doc.awareness.Encode()})
	return nil
}

func (h *Hub) syncDoc(r *DocReader, vector []byte) *refusal {
	v, err := yjs.DecodeStateVector(vector)
	switch {
	case err != nil:
		return refuseYjs(err)
	case r.doc == nil:
		return refuse(CodeDocNotOpen, "The document is not open.")
	case !r.doc.loaded:
		r.doc.waiting = append(r.doc.waiting, waiting{r, v})
	default:
		h.sync(r, v)
	}
	return nil
}
