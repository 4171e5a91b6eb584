package datachannel

import (
	"bytes"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-rtc/turnout/datachannel/log"
)

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
		r := h.OpenDoc("b", "notes", everything, []byte{0}, func(e DocEvent) { events = append(events, e) })
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
		h.OpenDoc("c", "notes", Grants{}, []byte{0}, func(e DocEvent) { events = append(events, e) })
		if closed, ok := take()[0].(DocClosed); !ok || closed.Code != CodeForbidden {
			t.Fatal(closed)
		}
	})
}
