package datachannel

import (
	"errors"
	"time"

	"github.com/turnout-rtc/turnout/datachannel/log"
	"github.com/turnout-rtc/turnout/datachannel/store"
)

// disk is what a document knows of the store: which updates are there, and who waits for which.
type disk struct {
	durable   uint64   // all records up to it are stored
	pending   []*entry // records that are not, by rising sequence number
	bytes     int      // of the records behind the snapshot
	records   int      // number of them
	snapshot  int      // bytes
	compacted bool     // a compaction is under way

	trouble *refusal  // why the last attempt failed; writers are refused until all of pending is stored
	retry   time.Time // when to try again
}

// entry is a record on its way.
type entry struct {
	record log.Record
	acks   []ack
	author *DocReader
	stored bool
	sent   bool // the writer has it
}

// ack is an update whose author waits for it to be stored.
type ack struct {
	reader *DocReader
	id     uint64
}

// What a slow disk may hold back for one document.
const (
	pendingRecords = 4096
	retryAfter     = time.Second
)

// A document is compacted when so many records, or so many bytes and more than the snapshot has, are behind the snapshot.
const (
	compactRecords = 1000
	compactBytes   = 256 << 10
)

// refuses says why nothing can be written now.
func (k *disk) refuses() *refusal {
	if k.trouble != nil {
		return k.trouble
	}
	if len(k.pending) >= pendingRecords {
		return refuse(CodeStorageFailed, "The disk is slower than those who write.")
	}
	return nil
}

// await acknowledges an update that holds nothing new: at once if all is stored, else with the last that is on its way.
func (h *Hub) await(d *document, a ack) {
	if n := len(d.disk.pending); n > 0 {
		last := d.disk.pending[n-1]
		last.acks = append(last.acks, a)
		return
	}
	h.acknowledge(d, a, d.position())
}

func (h *Hub) acknowledge(d *document, a ack, at log.Position) {
	a.reader.say(DocAck{ID: a.id, Position: at})
	a.reader.told = true
	h.willPause(d)
}

// persist queues a record for the store.
func (h *Hub) persist(d *document, e *entry) {
	d.disk.pending = append(d.disk.pending, e)
	h.submit(d, e)
}

func (h *Hub) submit(d *document, e *entry) {
	e.sent = true
	err := h.with.Store.Append(store.Write{Doc: d.key, Epoch: d.epoch, Record: e.record}, func(err error) {
		h.box.put(opStored{d, e, err})
	})
	if err != nil {
		h.stored(time.Now(), d, e, err)
	}
}

// stored takes the writer's answer.
func (h *Hub) stored(now time.Time, d *document, e *entry, err error) {
	if err != nil {
		h.notStored(now, d, e, err)
		return
	}
	e.stored = true
	for len(d.disk.pending) > 0 && d.disk.pending[0].stored {
		first := d.disk.pending[0]
		d.disk.pending = d.disk.pending[1:]
		h.durable(d, first)
	}
	if len(d.disk.pending) == 0 {
		d.disk.trouble = nil
		h.compact(d)
	}
}

// durable tells that a record is on disk, and all before it.
func (h *Hub) durable(d *document, e *entry) {
	d.disk.durable = e.record.Seq
	d.disk.records++
	d.disk.bytes += len(e.record.Data)
	at := log.Position{Epoch: d.epoch, Seq: e.record.Seq}
	for _, a := range e.acks {
		h.acknowledge(d, a, at)
	}
	h.meter.stored()
	if h.cfg.Relay == RelayAfterCommit {
		h.tell(d, e.author, DocChange{Position: at, Update: e.record.Data, Shared: &Shared{}})
	}
}

// notStored tells those who wait, who send again, and tries again by itself. The record stays: others may have it already.
func (h *Hub) notStored(now time.Time, d *document, e *entry, err error) {
	x := refuse(CodeStorageFailed, "The update could not be stored.")
	if errors.Is(err, store.ErrFull) {
		x = refuse(CodeStorageFull, "The server's disk is full.")
	}
	if d.disk.trouble == nil {
		h.log.Error("storing an update", "document", d.key.Name, "error", err)
	}
	d.disk.trouble = x
	d.disk.retry = now.Add(retryAfter)
	e.sent = false
	for _, a := range e.acks {
		h.meter.refused(x.code)
		a.reader.refuse(a.id, x)
	}
	e.acks = nil
}

// retryStore sends what failed to the writer again.
func (h *Hub) retryStore(now time.Time, d *document) {
	if d.disk.trouble == nil || now.Before(d.disk.retry) {
		return
	}
	d.disk.retry = now.Add(retryAfter)
	for _, e := range d.disk.pending {
		if !e.sent && !e.stored {
			h.submit(d, e)
		}
	}
}

// compact replaces the records by a snapshot, when there are many and all of them are stored.
func (h *Hub) compact(d *document) {
	k := &d.disk
	if k.compacted || len(k.pending) > 0 || k.records < compactRecords && k.bytes < compactBytes+k.snapshot {
		return
	}
	h.snapshot(d)
}

func (h *Hub) snapshot(d *document) {
	k := &d.disk
	d.core.Compact()
	state := d.core.Encode()
	records, bytes := k.records, k.bytes
	record := log.Record{Seq: k.durable, Kind: log.Snapshot, Time: time.Now(), Data: state}
	err := h.with.Store.Compact(d.key, record, func(err error) {
		h.box.put(opCompacted{d, len(state), err})
	})
	if err != nil {
		return // the queue is full: later
	}
	k.compacted = true
	k.records -= records
	k.bytes -= bytes
}

func (h *Hub) compacted(d *document, size int, err error) {
	d.disk.compacted = false
	if err != nil {
		h.log.Error("compacting a document", "document", d.key.Name, "error", err)
		return
	}
	d.disk.snapshot = size
}
