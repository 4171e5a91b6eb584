package datachannel

import (
	"bytes"
	"fmt"
	"reflect"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-rtc/turnout/datachannel/log"
)

// gathered waits until the hub has done what visits sent, which it gathers. Time is that of a synctest.
func gathered() {
	time.Sleep(2 * defaults().Gather)
	synctest.Wait()
}

// taking is a door that takes everything.
func taking(f func(DocEvent)) func(DocEvent) Reception {
	return func(e DocEvent) Reception {
		f(e)
		return Taken
	}
}

func TestDoorsReadAndWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(t, Config{})
		h := s.hub()
		a := edit(join(t, h, "a", everything), 1)
		a.open()
		a.type_("hello")
		a.read()
		var events []DocEvent
		take := func() []DocEvent {
			time.Sleep(50 * time.Millisecond)
			synctest.Wait()
			e := events
			events = nil
			return e
		}
		r := h.Visit().OpenDoc("b", "notes", everything, []byte{0}, taking(func(e DocEvent) {
			if _, pause := e.(DocPause); !pause {
				events = append(events, e)
			}
		}))
		state, ok := take()[0].(DocState)
		if !ok || !state.Writable || !bytes.Contains(state.Update, []byte("hello")) || state.Position.Seq != 1 {
			t.Fatal(state)
		}
		r.Update(7, insertion(2, 0, "world"))
		if got := take(); !reflect.DeepEqual(got, []DocEvent{DocAck{ID: 7, Position: log.Position{Epoch: state.Position.Epoch, Seq: 2}}}) {
			t.Fatalf("%+v", got)
		}
		a.type_("!")
		r.Update(8, []byte{1})
		r.Awareness(awarenessUpdate(2, 1, "{}"))
		got := take()
		if change, ok := got[0].(DocChange); !ok || change.Position.Seq != 3 {
			t.Fatalf("%+v", got)
		}
		if refused, ok := got[1].(DocRefused); !ok || refused.ID != 8 || refused.Code != CodeDocMalformed {
			t.Fatalf("%+v", got)
		}
		r.Sync([]byte{0})
		if got := take(); len(got) != 2 {
			t.Fatalf("%+v", got)
		}
		a.read()
		if a.core.StateVector().Clock(2) != 5 || a.aware[2] != "{}" {
			t.Fatal(a.core.StateVector(), a.aware)
		}
		r.Close()
		r.Close()
		r.Update(9, insertion(2, 5, "late"))
		a.read()
		if len(a.aware) > 0 || a.core.StateVector().Clock(2) != 5 {
			t.Fatal("closed, and still there")
		}
		take()
		h.Visit().OpenDoc("c", "notes", Grants{}, []byte{0}, taking(func(e DocEvent) { events = append(events, e) }))
		if closed, ok := take()[0].(DocClosed); !ok || closed.Code != CodeForbidden {
			t.Fatal(closed)
		}
	})
}

func TestAVisitHasALimitOfDocumentsAndARate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(t, Config{Documents: 2, Rate: 10, Burst: 100})
		h := s.hub()
		told := map[Code]int{}
		tell := func(e DocEvent) {
			switch e := e.(type) {
			case DocClosed:
				told[e.Code]++
			case DocRefused:
				told[e.Code]++
			}
		}
		v := h.Visit()
		var open []*DocReader
		for i := range 20 {
			open = append(open, v.OpenDoc("a", fmt.Sprint("n", i), everything, []byte{0}, taking(tell)))
			gathered()
		}
		if told[CodeDocLimit] != 18 {
			t.Fatal(told)
		}
		open[0].Close()
		last := v.OpenDoc("a", "one more", everything, []byte{0}, taking(tell))
		gathered()
		if told[CodeDocLimit] != 18 {
			t.Fatal("no room after one was closed", told)
		}
		for clock := range uint64(200) {
			last.Update(1, insertion(7, clock, "x"))
		}
		gathered()
		if told[CodeRateLimited] < 100 || told[CodeRateLimited] > 130 {
			t.Fatal(told)
		}
		other := h.Visit().OpenDoc("b", "notes", everything, []byte{0}, taking(tell))
		before := told[CodeRateLimited]
		gathered()
		other.Update(1, insertion(8, 0, "x"))
		gathered()
		if told[CodeRateLimited] != before {
			t.Error("one visit disturbs another")
		}
	})
}

func TestEchoesOfAwarenessCountAsNoMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(t, Config{Rate: 1, Burst: 5})
		h := s.hub()
		refused := 0
		tell := func(e DocEvent) {
			if _, ok := e.(DocRefused); ok {
				refused++
			}
		}
		a := h.Visit().OpenDoc("a", "notes", everything, []byte{0}, taking(tell))
		b := h.Visit().OpenDoc("b", "notes", everything, []byte{0}, taking(tell))
		a.Awareness(awarenessUpdate(1, 1, "{}"))
		for range 1000 {
			b.Awareness(awarenessUpdate(1, 1, "{}"))
		}
		gathered()
		if refused != 0 {
			t.Errorf("%d refused", refused)
		}
		for clock := range byte(20) {
			a.Awareness(awarenessUpdate(1, clock+2, "{}"))
		}
		gathered()
		if refused < 10 {
			t.Errorf("of many news only %d are refused", refused)
		}
	})
}

func TestAFormIsMadeOnce(t *testing.T) {
	var s Shared
	made := 0
	form := func() []byte { made++; return []byte{byte(made)} }
	if a, b, c := s.Form("a", form), s.Form("a", form), s.Form("b", form); made != 2 || a[0] != 1 || b[0] != 1 || c[0] != 2 {
		t.Error(made, a, b, c)
	}
}

func TestWhatVisitsSendIsDoneAtOnceWhenIdleAndGatheredWhenBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(t, Config{})
		h := s.hub()
		var changes, pauses atomic.Int32
		h.Visit().OpenDoc("a", "notes", everything, []byte{0}, taking(func(e DocEvent) {
			switch e.(type) {
			case DocChange:
				changes.Add(1)
			case DocPause:
				pauses.Add(1)
			}
		}))
		writer := h.Visit().OpenDoc("b", "notes", everything, []byte{0}, taking(func(DocEvent) {}))
		want := func(wantChanges, wantPauses int32) {
			t.Helper()
			synctest.Wait()
			if changes.Load() != wantChanges || pauses.Load() != wantPauses {
				t.Errorf("%d changes and %d pauses, want %d and %d", changes.Load(), pauses.Load(), wantChanges, wantPauses)
			}
		}
		time.Sleep(time.Second)
		writer.Update(1, insertion(2, 0, "x"))
		want(1, 1)
		for clock := range uint64(5) {
			writer.Update(1, insertion(2, clock+1, "x"))
		}
		want(1, 1)
		time.Sleep(defaults().Gather)
		want(6, 2)
	})
}
