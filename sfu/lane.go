package sfu

import (
	"sync/atomic"
	"time"

	"github.com/turnout-rtc/turnout/sfu/forward"
	"github.com/turnout-rtc/turnout/sfu/link"
	"github.com/turnout-rtc/turnout/sfu/packet"
	"github.com/turnout-rtc/turnout/sfu/shard"
)

const (
	// smallRoom is how many transports of a room share a lane before the next ones get another: a packet then needs no second
	// goroutine.
	smallRoom = 8
	// spareBatches wait for use. There are as many in use as there are readers, and those in the queues of lanes.
	spareBatches = 64
	// inlineWork is how many packets are sent by who received them rather than by a lane's own goroutine: to wake one costs as
	// much as sending a few, and the first of them waits for it.
	inlineWork = 64
	// maxRun is how many packets to one slot are made before they are sent: what most frames have.
	maxRun = 8
)

// lane is a shard with what those in it work with. A transport belongs to one lane for life, and what is sent to it to who is in
// that.
type lane struct {
	*shard.Shard
	number int // in Engine.lanes

	// Owned by who is in the lane.
	via     *link.Outlet  // nil in tests without a network
	run     []forward.Out // to one slot, not sent yet; maxRun at most
	scratch [maxRun][link.MTU + forward.ScratchSize]byte
	in      forward.In // for packets that are sent again
	raw     [link.MTU]byte
}

// newLanes makes n lanes. outlet makes each its way to send, nil for none.
func newLanes(n, queue int, outlet func() *link.Outlet) []*lane {
	all := make([]*lane, n)
	for i := range all {
		l := &lane{number: i, run: make([]forward.Out, 0, maxRun)}
		if outlet != nil {
			l.via = outlet()
		}
		l.Shard = shard.New(queue, func() {
			if l.via != nil {
				l.via.Flush()
			}
		})
		all[i] = l
	}
	return all
}

// now sets the time of what is sent from here on.
func (l *lane) now(t time.Time) {
	if l.via != nil {
		l.via.Now = t
	}
}

// batch is a run of packets of one layer on its way to all lanes that have slots for it. It does not change after hand.
type batch struct {
	engine  *Engine
	now     time.Time
	layer   *layer
	shown   *Publication
	source  *source
	ranking forward.Ranking // of the publication's layers
	bytes   int
	broken  bool // something before it is given up: a decoder cannot go on without a key frame
	run     []forward.In
	held    []packet.Memory // that the run lies in

	errands []errand     // one for each lane
	left    atomic.Int32 // errands under way, and one for hand
}

// errand takes a batch to the slots of one lane. It is a shard.Job.
type errand struct {
	*batch
	row *row
}

// row are the slots of one lane that show a publication.
type row struct {
	lane *lane // set at construction

	watchers atomic.Int32 // how many slots there are
	lost     atomic.Bool  // packets were lost before they came here

	slots []*slot // owned by who is in lane
}

func (e *Engine) newBatch() *batch {
	select {
	case b := <-e.batches:
		return b
	default:
	}
	b := &batch{engine: e, errands: make([]errand, len(e.lanes))}
	for i := range b.errands {
		b.errands[i].batch = b
	}
	return b
}

// add puts a packet behind the others, and holds its memory.
func (b *batch) add(in *forward.In, memory packet.Memory) {
	if n := len(b.held); n == 0 || b.held[n-1] != memory { // packets of a layer lie side by side
		memory.Retain()
		b.held = append(b.held, memory)
	}
	b.run = append(b.run, *in)
}

// hand takes the batch to all rows. The largest one is served by this goroutine, if nobody else is in its lane.
func (b *batch) hand(rows []row) {
	var busiest *row
	b.left.Store(1)
	for i := range rows {
		if n := rows[i].watchers.Load(); n > 0 && (busiest == nil || n > busiest.watchers.Load()) {
			busiest = &rows[i]
		}
	}
	for i := range rows {
		r := &rows[i]
		n := int(r.watchers.Load())
		if n == 0 || r == busiest {
			continue
		}
		j := b.errand(r)
		if n*len(b.run) > inlineWork {
			r.lane.Send(j)
		} else {
			r.lane.Enter(j)
		}
	}
	if busiest != nil {
		busiest.lane.Enter(b.errand(busiest))
	}
	b.end()
}

func (b *batch) errand(r *row) *errand {
	b.left.Add(1)
	e := &b.errands[r.lane.number]
	e.row = r
	return e
}

// end is the end of one errand. The last one gives the memory back.
func (b *batch) end() {
	if b.left.Add(-1) > 0 {
		return
	}
	for _, m := range b.held {
		m.Release()
	}
	clear(b.held)
	clear(b.run)
	b.held, b.run, b.bytes = b.held[:0], b.run[:0], 0
	b.layer, b.shown, b.source = nil, nil, nil
	select {
	case b.engine.batches <- b:
	default:
	}
}

// Run sends the batch to the slots of the row, one after the other: packets to one receiver leave together.
func (e *errand) Run() {
	r := e.row
	r.lane.now(e.now)
	lost := r.lost.Load() && r.lost.Swap(false)
	for _, s := range r.slots {
		if lost && s.Kind == Video {
			s.lose()
		}
		s.forward(e.batch)
	}
	e.end()
}

// Drop counts what is lost, and has the slots of a video wait for a key frame.
func (e *errand) Drop() {
	e.engine.counters.dropped[dropLane].Add(uint64(len(e.run)))
	e.row.lost.Store(true)
	e.end()
}

func (r *row) add(s *slot) {
	r.slots = append(r.slots, s)
	r.watchers.Store(int32(len(r.slots))) //nolint:gosec // slots are limited
}

func (r *row) remove(s *slot) {
	for i, other := range r.slots {
		if other == s {
			last := len(r.slots) - 1
			r.slots[i] = r.slots[last]
			r.slots[last] = nil
			r.slots = r.slots[:last]
			break
		}
	}
	r.watchers.Store(int32(len(r.slots))) //nolint:gosec // slots are limited
}
