package store

import (
	"errors"
	"sync"
	"time"

	"github.com/turnout-rtc/turnout/datachannel/log"
)

// ErrBusy is more work than the Writer's queue holds: the disk is slower than those who write.
var ErrBusy = errors.New("the disk is slower than those who write")

// The sizes of a group commit. A transaction costs an fsync whatever is in it; 2 ms are less than a person notices.
const (
	commitRecords = 256
	commitBytes   = 8 << 20
	commitDelay   = 2 * time.Millisecond
)

// queueLength is the number of jobs that wait. Their bytes are bounded by those who wait for their answers.
const queueLength = 4096

// compactSlice is the number of records that one transaction removes, so that writers do not wait long.
const compactSlice = 512

// Writer brings what many rooms write to a Store, gathered into few transactions. Jobs are done in the order in which they
// came. Its methods may be called from any goroutine and return at once; the answers come from the Writer's goroutine, by
// functions that have to return at once.
type Writer struct {
	// Set at construction, never changed.
	store Store
	jobs  chan job
	stop  chan struct{} // closed by Close
	done  chan struct{} // closed when run has returned
	quit  sync.Once

	meter meter
}

// job is one of the types below.
type job interface{ isJob() }

type writing struct {
	write Write
	done  func(error)
}

type loading struct {
	doc  Doc
	done func(State, error)
}

type compaction struct {
	doc      Doc
	snapshot log.Record
	done     func(error)
}

func (*writing) isJob()    {}
func (*loading) isJob()    {}
func (*compaction) isJob() {}

// NewWriter starts a writer. The store stays its owner's to close, after Close.
func NewWriter(s Store) *Writer {
	w := &Writer{store: s, jobs: make(chan job, queueLength), stop: make(chan struct{}), done: make(chan struct{})}
	go w.run()
	return w
}

// Append queues a record and calls done when it is on disk, or could not be stored. The error is ErrBusy or ErrClosed;
// done is not called then.
func (w *Writer) Append(write Write, done func(error)) error {
	return w.put(&writing{write, done})
}

// Load reads a document, after what was queued before has been stored. Errors as of Append.
func (w *Writer) Load(d Doc, done func(State, error)) error {
	return w.put(&loading{d, done})
}

// Compact puts a snapshot in the place of all records up to its sequence number, in slices between which others write.
// Errors as of Append.
func (w *Writer) Compact(d Doc, snapshot log.Record, done func(error)) error {
	return w.put(&compaction{d, snapshot, done})
}

func (w *Writer) put(j job) error {
	select {
	case <-w.stop:
		return ErrClosed
	default:
	}
	select {
	case w.jobs <- j:
		return nil
	default:
		w.meter.add(func(s *Stats) { s.Busy++ })
		return ErrBusy
	}
}

// Close does what is queued and waits for it. It may be called twice.
func (w *Writer) Close() {
	w.quit.Do(func() { close(w.stop) })
	<-w.done
}

func (w *Writer) run() {
	defer close(w.done)
	timer := time.NewTimer(commitDelay)
	defer timer.Stop()
	for {
		select {
		case j := <-w.jobs:
			w.do(j, timer)
		case <-w.stop:
			w.drain(timer)
			return
		}
	}
}

// drain does what was queued before Close.
func (w *Writer) drain(timer *time.Timer) {
	for {
		select {
		case j := <-w.jobs:
			w.do(j, timer)
		default:
			return
		}
	}
}

func (w *Writer) do(j job, timer *time.Timer) {
	switch j := j.(type) {
	case *writing:
		batch, next := w.gather(j, timer)
		w.commit(batch)
		if next != nil {
			w.do(next, timer)
		}
	case *loading:
		j.done(w.store.Load(j.doc))
	case *compaction:
		w.slice(j)
	}
}

// gather waits for company of a write. Another kind of job ends it, and comes next.
func (w *Writer) gather(first *writing, timer *time.Timer) (batch []*writing, next job) {
	timer.Reset(commitDelay)
	batch = []*writing{first}
	size := len(first.write.Record.Data)
	for len(batch) < commitRecords && size < commitBytes {
		select {
		case j := <-w.jobs:
			x, ok := j.(*writing)
			if !ok {
				return batch, j
			}
			batch = append(batch, x)
			size += len(x.write.Record.Data)
		case <-timer.C:
			return batch, nil
		}
	}
	return batch, nil
}

func (w *Writer) commit(batch []*writing) {
	writes := make([]Write, 0, len(batch))
	for _, j := range batch {
		writes = append(writes, j.write)
	}
	begin := time.Now()
	err := w.store.Append(writes)
	took := time.Since(begin)
	w.meter.add(func(s *Stats) {
		s.Commits++
		s.Records += uint64(len(writes))
		s.CommitTime += took
		if err != nil {
			s.Failed++
		}
	})
	for _, j := range batch {
		j.done(err)
	}
}

// slice does a part of a compaction and queues the next.
func (w *Writer) slice(j *compaction) {
	more, err := w.store.Compact(j.doc, j.snapshot, compactSlice)
	if err == nil && more {
		select {
		case w.jobs <- j:
			return
		default: // others wait: the rest is removed by the next compaction
		}
	}
	w.meter.add(func(s *Stats) {
		s.Compactions++
		if err != nil {
			s.Failed++
		}
	})
	j.done(err)
}

// Stats of a Writer since it began.
type Stats struct {
	Commits     uint64 // transactions
	Records     uint64 // in them
	CommitTime  time.Duration
	Compactions uint64
	Failed      uint64 // transactions
	Busy        uint64 // jobs refused, because the queue was full
	Queued      int    // now
}

type meter struct {
	mu    sync.Mutex
	stats Stats // Guarded by mu.
}

func (m *meter) add(f func(*Stats)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f(&m.stats)
}

// Stats of the writer.
func (w *Writer) Stats() Stats {
	w.meter.mu.Lock()
	defer w.meter.mu.Unlock()
	s := w.meter.stats
	s.Queued = len(w.jobs)
	return s
}
