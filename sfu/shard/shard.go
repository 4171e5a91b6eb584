// Package shard lets many goroutines take turns at what one owns at a time.
//
// A Shard owns part of what is sent to subscribers. Whoever is in it owns that, so nothing in it has a lock. A Job is entered by the
// goroutine that brings it when nobody else is in the shard, for a wake-up costs more than most jobs; otherwise it waits in a
// bounded queue for the shard's own goroutine. A Task is work that goes on in time: all of them share one timer, which is not
// there while there are none.
//
// The package does not know what the work is.
package shard

import (
	"sync"
	"sync/atomic"
	"time"
)

// Job is a piece of work that comes once.
type Job interface {
	Run()  // in the shard
	Drop() // instead: there was no room. Called from any goroutine
}

// Task is work that is looked after until it is done. It belongs to who is in the shard.
type Task interface {
	// Poll does what is due and says when to look again, or that it is done. It may be called earlier than it asked for.
	Poll(now time.Time) (next time.Time, more bool)
}

// turnJobs are run before others get their turn.
const turnJobs = 8

// Shard is made by New and ended by Close.
type Shard struct {
	// Set at construction, never changed.
	limit int
	leave func() // what who leaves the shard does last
	wake  chan struct{}
	done  chan struct{}
	ended chan struct{}
	timer *time.Timer

	// turn is no lock of data, but the right to be in the shard, and so it is held across calls. Nobody waits for a turn while
	// in another shard.
	turn  sync.Mutex
	tasks []Task // owned by who has the turn

	waiting atomic.Int32 // jobs in the queue; lets no job overtake one of the same origin

	mu          sync.Mutex
	queue       []Job // guarded by mu, like the next two; a circle
	head, count int
	closed      bool
}

// New makes a shard whose queue holds limit jobs. leave is called in the shard by everyone who leaves it, to send what was
// collected.
func New(limit int, leave func()) *Shard {
	s := &Shard{
		limit: limit, leave: leave, wake: make(chan struct{}, 1), done: make(chan struct{}), ended: make(chan struct{}),
		timer: time.NewTimer(time.Hour), queue: make([]Job, limit),
	}
	s.timer.Stop()
	go s.run() // Close waits for it
	return s
}

// Do waits for its turn and runs f in the shard. It must not be called from within a shard.
func (s *Shard) Do(f func()) {
	s.turn.Lock()
	defer s.turn.Unlock()
	f()
	s.leave()
}

// Enter runs j at once when nobody else is in the shard and no job waits, else it lets it wait.
func (s *Shard) Enter(j Job) {
	if s.waiting.Load() == 0 && s.turn.TryLock() {
		if s.waiting.Load() == 0 {
			j.Run()
			s.leave()
			s.turn.Unlock()
			return
		}
		s.turn.Unlock()
	}
	s.Send(j)
}

// Send has the shard's own goroutine run j. When the queue is full the oldest job is dropped: it is the least worth.
func (s *Shard) Send(j Job) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		j.Drop()
		return
	}
	var oldest Job
	if s.count == s.limit {
		oldest = s.pop()
	}
	s.queue[(s.head+s.count)%s.limit] = j
	s.count++
	s.waiting.Store(int32(s.count)) //nolint:gosec // at most limit
	s.mu.Unlock()
	if oldest != nil {
		oldest.Drop()
	}
	s.ring()
}

// pop takes the oldest job out. mu is held.
func (s *Shard) pop() Job {
	j := s.queue[s.head]
	s.queue[s.head] = nil
	s.head = (s.head + 1) % s.limit
	s.count--
	return j
}

func (s *Shard) take() Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count == 0 {
		return nil
	}
	j := s.pop()
	s.waiting.Store(int32(s.count)) //nolint:gosec // at most limit
	return j
}

func (s *Shard) ring() {
	select {
	case s.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// Start has t polled from now on, until it is done. It is called in the shard; a task that is there already must not be added.
func (s *Shard) Start(t Task) {
	s.tasks = append(s.tasks, t)
	s.ring()
}

// run is the goroutine of the shard.
func (s *Shard) run() {
	defer close(s.ended)
	defer s.timer.Stop()
	for {
		select {
		case <-s.done:
			return
		case <-s.wake:
		case <-s.timer.C:
		}
		s.turn.Lock()
		for range turnJobs {
			j := s.take()
			if j == nil {
				break
			}
			j.Run()
		}
		s.poll(time.Now())
		s.leave()
		s.turn.Unlock()
		if s.waiting.Load() > 0 {
			s.ring()
		}
	}
}

// poll looks after the tasks and sets the timer for the next of them. It is called in the shard.
func (s *Shard) poll(now time.Time) {
	var next time.Time
	kept := s.tasks[:0]
	for _, t := range s.tasks {
		at, more := t.Poll(now)
		if !more {
			continue
		}
		kept = append(kept, t)
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	clear(s.tasks[len(kept):])
	s.tasks = kept
	if !next.IsZero() {
		s.timer.Reset(max(next.Sub(now), 0))
	}
}

// Close ends the goroutine and drops what waits. It may be called twice.
func (s *Shard) Close() {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	s.mu.Unlock()
	if first {
		close(s.done)
	}
	<-s.ended
	for j := s.take(); j != nil; j = s.take() {
		j.Drop()
	}
}
