package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/turnout-rtc/turnout/datachannel/log"
	"github.com/turnout-rtc/turnout/datachannel/store"
	"github.com/turnout-rtc/turnout/datachannel/store/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// slow is a store whose transactions wait for the test, and whose errors the test chooses.
type slow struct {
	*memory.Store
	mu      sync.Mutex
	batches []int         // Guarded by mu.
	err     error         // Guarded by mu.
	gate    chan struct{} // nil: open
}

func (s *slow) Append(writes []store.Write) error {
	if s.gate != nil {
		<-s.gate
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batches = append(s.batches, len(writes))
	if s.err != nil {
		return s.err
	}
	return s.Store.Append(writes)
}

func write(doc string, seq uint64) store.Write {
	return store.Write{Doc: store.Doc{Room: "r", Name: doc}, Epoch: 1, Record: log.Record{Seq: seq, Kind: log.Update, Time: time.UnixMilli(0)}}
}

func TestWritesOfTwoMillisecondsShareATransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{Store: memory.New()}
		w := store.NewWriter(s)
		defer w.Close()
		begin := time.Now()
		var acknowledged []time.Duration
		for seq := range uint64(10) {
			if err := w.Append(write("d", seq+1), func(err error) { acknowledged = append(acknowledged, time.Since(begin)) }); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(10 * time.Millisecond)
		synctest.Wait()
		if fmt.Sprint(s.batches) != "[10]" || len(acknowledged) != 10 || acknowledged[0] > 2*time.Millisecond {
			t.Fatal(s.batches, acknowledged)
		}
		if st := w.Stats(); st.Commits != 1 || st.Records != 10 {
			t.Fatal(st)
		}
	})
}

func TestTransactionHasABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{Store: memory.New(), gate: make(chan struct{})}
		w := store.NewWriter(s)
		for seq := range uint64(600) {
			if err := w.Append(write("d", seq+1), func(error) {}); err != nil {
				t.Fatal(err)
			}
		}
		close(s.gate)
		w.Close()
		for _, n := range s.batches {
			if n > 256 {
				t.Fatal(s.batches)
			}
		}
		if state, _ := s.Load(store.Doc{Room: "r", Name: "d"}); len(state.Records) != 600 {
			t.Fatal("Close did not wait for what was queued")
		}
	})
}

func TestFullQueueSaysBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{Store: memory.New(), gate: make(chan struct{})}
		w := store.NewWriter(s)
		var err error
		accepted, answered := 0, 0
		for seq := uint64(1); err == nil; seq++ {
			if err = w.Append(write("d", seq), func(error) { answered++ }); err == nil {
				accepted++
			}
			if seq > 100_000 {
				t.Fatal("takes everything")
			}
		}
		if !errors.Is(err, store.ErrBusy) || w.Stats().Busy != 1 {
			t.Fatal(err, w.Stats())
		}
		close(s.gate)
		w.Close()
		if answered != accepted {
			t.Fatalf("%d accepted, %d answered", accepted, answered)
		}
		if err := w.Append(write("d", 1), nil); !errors.Is(err, store.ErrClosed) {
			t.Fatal(err)
		}
	})
}

func TestFailureIsToldToAllOfTheTransactionAndTheNextWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{Store: memory.New(), err: store.ErrFull}
		w := store.NewWriter(s)
		defer w.Close()
		var errs []error
		for seq := range uint64(3) {
			_ = w.Append(write("d", seq+1), func(err error) { errs = append(errs, err) })
		}
		time.Sleep(time.Second)
		synctest.Wait()
		s.mu.Lock()
		s.err = nil
		s.mu.Unlock()
		_ = w.Append(write("d", 1), func(err error) { errs = append(errs, err) })
		time.Sleep(time.Second)
		synctest.Wait()
		if len(errs) != 4 || !errors.Is(errs[0], store.ErrFull) || !errors.Is(errs[2], store.ErrFull) || errs[3] != nil {
			t.Fatal(errs)
		}
	})
}

func TestLoadSeesWhatWasQueuedBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := store.NewWriter(memory.New())
		defer w.Close()
		for seq := range uint64(5) {
			_ = w.Append(write("d", seq+1), func(error) {})
		}
		got := make(chan store.State, 1)
		_ = w.Load(store.Doc{Room: "r", Name: "d"}, func(s store.State, err error) { got <- s })
		_ = w.Append(write("d", 6), func(error) {})
		if s := <-got; len(s.Records) != 5 {
			t.Fatal(len(s.Records))
		}
	})
}

func TestCompactionTakesTurnsWithWriters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New()
		w := store.NewWriter(s)
		defer w.Close()
		for seq := range uint64(2000) {
			_ = w.Append(write("d", seq+1), func(error) {})
		}
		order := make(chan string, 2)
		snapshot := log.Record{Seq: 1999, Kind: log.Snapshot, Time: time.UnixMilli(0)}
		_ = w.Compact(store.Doc{Room: "r", Name: "d"}, snapshot, func(err error) { order <- fmt.Sprint("compacted ", err) })
		_ = w.Append(write("d", 2001), func(error) { order <- "written" })
		if first, second := <-order, <-order; first != "written" || second != "compacted <nil>" {
			t.Fatal(first, second)
		}
		state, _ := s.Load(store.Doc{Room: "r", Name: "d"})
		if state.Snapshot == nil || len(state.Records) != 2 {
			t.Fatal(len(state.Records))
		}
	})
}
