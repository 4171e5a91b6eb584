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

// job is one of the three.
type job struct {
	write   *Write
	written func(error)

	load   *Doc
	loaded func(State, error)

	compact *compaction
}

type compaction struct {
	doc      Doc
	snapshot log.Record
	done     func(error)
}

// NewWriter starts a writer. The store stays its owner's to close, after Close.
func NewWriter(s Store) *Writer {
	w := &Writer{store: s, jobs: make(chan job, queueLength), stop: make(chan struct{}), done: make(chan struct{})}
	go w.run()
	return w
}

// Append queues a record and calls done when it is on disk, or could not be stored. The error is ErrBusy or ErrClosed;
// done is not called then.
func (w *Writer) Append(write Write, done func(error)) error {
	return w.put(job{write: &write, written: done})
}

// Load reads a document, after what was queued before has been stored. Errors as of Append.
func (w *Writer) Load(d Doc, done func(State, error)) error {
	return w.put(job{load: &d, loaded: done})
}

// Compact puts a snapshot in the place of all records up to its sequence number, in slices between which others write.
// Errors as of Append.
func (w *Writer) Compact(d Doc, snapshot log.Record, done func(error)) error {
	return w.put(job{compact: &compaction{d, snapshot, done}})
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
	var batch []job
	for {
		select {
		case j := <-w.jobs:
			batch = w.gather(append(batch[:0], j), timer)
		case <-w.stop:
			w.drain()
			return
		}
		w.do(batch)
		clear(batch)
	}
}

// gather waits for company of a write. Another kind of job ends it.
func (w *Writer) gather(batch []job, timer *time.Timer) []job {
	if batch[0].write == nil {
		return batch
	}
	timer.Reset(commitDelay)
	size := len(batch[0].write.Record.Data)
	for len(batch) < commitRecords && size < commitBytes {
		select {
		case j := <-w.jobs:
			batch = append(batch, j)
			if j.write == nil {
				return batch
			}
			size += len(j.write.Record.Data)
		case <-timer.C:
			return batch
		case <-w.stop:
			return batch
		}
	}
	return batch
}

// drain does what was queued before Close.
func (w *Writer) drain() {
	for {
		select {
		case j := <-w.jobs:
			w.do([]job{j})
		default:
			return
		}
	}
}

// do does the jobs: the writes at the beginning in one transaction, then the others.
func (w *Writer) do(batch []job) {
	writes := 0
	for writes < len(batch) && batch[writes].write != nil {
		writes++
	}
	w.commit(batch[:writes])
	for _, j := range batch[writes:] {
		switch {
		case j.load != nil:
			j.loaded(w.store.Load(*j.load))
		case j.compact != nil:
			w.compactSlice(j)
		}
	}
}

func (w *Writer) commit(batch []job) {
	if len(batch) == 0 {
		return
	}
	writes := make([]Write, 0, len(batch))
	for _, j := range batch {
		writes = append(writes, *j.write)
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
		j.written(err)
	}
}

// compactSlice does a slice and queues the next.
func (w *Writer) compactSlice(j job) {
	more, err := w.store.Compact(j.compact.doc, j.compact.snapshot, compactSlice)
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
	j.compact.done(err)
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
