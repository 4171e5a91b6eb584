package shard

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// job is a Job of functions.
type job struct{ run, drop func() }

func (j job) Run()  { j.run() }
func (j job) Drop() { j.drop() }

func must(t *testing.T) func() { return func() { t.Error("a job was dropped") } }

func TestJobRunsAtOnceWhenNobodyIsIn(t *testing.T) {
	left := 0
	s := New(4, func() { left++ })
	defer s.Close()
	ran := false
	s.Enter(job{func() { ran = true }, must(t)})
	if !ran || left != 1 {
		t.Errorf("ran %v, left %d times", ran, left)
	}
}

func TestJobsOfOneOriginKeepTheirOrder(t *testing.T) {
	s := New(1024, func() {})
	var next int
	var done sync.WaitGroup
	done.Add(1000)
	for i := range 1000 {
		enter := s.Enter
		if i%3 == 0 {
			enter = s.Send
		}
		enter(job{func() {
			if i != next {
				t.Errorf("job %d comes when it is the turn of %d", i, next)
			}
			next = i + 1
			done.Done()
		}, must(t)})
	}
	done.Wait()
	s.Close()
}

func TestOnlyOneIsIn(t *testing.T) {
	s := New(4096, func() {})
	var in atomic.Int32
	work := func() {
		if in.Add(1) != 1 {
			t.Error("two are in the shard")
		}
		in.Add(-1)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 500 {
				switch i % 3 {
				case 0:
					s.Do(work)
				case 1:
					s.Enter(job{work, must(t)})
				case 2:
					s.Send(job{work, must(t)})
				}
			}
		})
	}
	all.Wait()
	for s.waiting.Load() > 0 {
		s.Do(func() {})
	}
	s.Close()
}

func TestFullQueueDropsTheOldest(t *testing.T) {
	s := New(3, func() {})
	var dropped, ran []int
	var done sync.WaitGroup
	done.Add(3)
	s.Do(func() { // the goroutine cannot take any
		for i := range 5 {
			s.Send(job{func() { ran = append(ran, i); done.Done() }, func() { dropped = append(dropped, i) }})
		}
	})
	done.Wait()
	s.Close()
	if len(dropped) != 2 || dropped[0] != 0 || dropped[1] != 1 || len(ran) != 3 || ran[0] != 2 {
		t.Errorf("dropped %v, ran %v", dropped, ran)
	}
}

func TestClosedShardDropsWhatWaitsAndWhatComes(t *testing.T) {
	s := New(3, func() {})
	dropped := 0
	s.Close()
	s.Close()
	s.Send(job{func() { t.Error("it ran") }, func() { dropped++ }})
	if dropped != 1 {
		t.Errorf("%d dropped", dropped)
	}
}

// ticker is a Task that comes n times.
type ticker struct {
	every time.Duration
	n     int
	at    []time.Time
	due   time.Time
}

// Poll counts when it is due. It may be asked earlier: when another task is due, or has just been added.
func (k *ticker) Poll(now time.Time) (time.Time, bool) {
	if !now.Before(k.due) {
		k.at = append(k.at, now)
		k.n--
		k.due = now.Add(k.every)
	}
	return k.due, k.n > 0
}

func TestTasksArePolledInTimeUntilTheyAreDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(3, func() {})
		began := time.Now()
		fast, slow := &ticker{every: 5 * time.Millisecond, n: 5}, &ticker{every: 20 * time.Millisecond, n: 2}
		s.Do(func() { s.Start(fast); s.Start(slow) })
		time.Sleep(time.Second)
		synctest.Wait()
		s.Do(func() {
			if len(fast.at) != 5 || len(slow.at) != 2 || len(s.tasks) != 0 || fast.at[4].Sub(began) != 20*time.Millisecond || slow.at[1].Sub(began) != 20*time.Millisecond {
				t.Errorf("fast %v, slow %v since %v", fast.at, slow.at, began)
			}
		})
		s.Close()
	})
}

func BenchmarkEnter(b *testing.B) {
	s := New(64, func() {})
	defer s.Close()
	j := &job{func() {}, func() {}}
	b.ReportAllocs()
	for b.Loop() {
		s.Enter(j)
	}
}
