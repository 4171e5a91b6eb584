package datachannel

import (
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-rtc/turnout/datachannel/frame"
)

func TestAwarenessIsItsOwnersAndGoesWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newShelf(t, Config{}).hub()
		a, b := edit(join(t, h, "a", everything), 1), edit(join(t, h, "b", everything), 2)
		a.open()
		a.say(frame.DocAwareness{Doc: 1, Update: awarenessUpdate(1, 5, `{"a":1}`)})
		b.open()
		b.say(frame.DocAwareness{Doc: 1, Update: awarenessUpdate(1, 6, `{"spoof":1}`)})
		b.say(frame.DocAwareness{Doc: 1, Update: awarenessUpdate(1, 6, `null`)})
		b.say(frame.DocAwareness{Doc: 1, Update: awarenessUpdate(1, 5, `{"a":1}`)})
		b.say(frame.DocAwareness{Doc: 1, Update: []byte{9}})
		b.say(frame.DocAwareness{Doc: 1, Update: awarenessUpdate(2, 1, `{"b":1}`)})
		b.read()
		a.read()
		if !reflect.DeepEqual(b.aware, map[byte]string{1: `{"a":1}`}) || !reflect.DeepEqual(a.aware, map[byte]string{2: `{"b":1}`}) {
			t.Fatal(a.aware, b.aware)
		}
		if d := h.Stats().Dropped; d[DroppedForeign] != 2 || d[DroppedEcho] != 1 || b.codes() != "doc.malformed" {
			t.Fatal(d, b.codes())
		}
		b.say(frame.DocClose{Doc: 1})
		b.say(frame.DocClose{Doc: 1})
		a.read()
		if len(a.aware) > 0 {
			t.Fatal("closed, and still there", a.aware)
		}
		b.open()
		time.Sleep(4900 * time.Millisecond)
		b.read()
		if len(b.aware) > 0 {
			t.Fatal("a ghost", b.aware)
		}
		a.aware[1] = "mine"
		a.read()
		if len(a.aware) > 0 {
			t.Fatal("the silent one is not told of its own removal")
		}
		a.say(frame.DocAwareness{Doc: 1, Update: awarenessUpdate(1, 6, `{"a":2}`)}) // as Yjs answers that
		b.read()
		if b.aware[1] != `{"a":2}` {
			t.Fatal("not back", b.aware)
		}
	})
}

func TestEachConnectionOfOneMemberHasItsOwnAwareness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newShelf(t, Config{AwarenessClients: 2}).hub()
		a := edit(join(t, h, "a", everything), 1)
		a.open()
		var refused []Code
		door := func() *DocReader {
			return h.Visit().OpenDoc("b", "notes", everything, []byte{0}, taking(func(e DocEvent) {
				if r, ok := e.(DocRefused); ok {
					refused = append(refused, r.Code)
				}
			}))
		}
		want := func(states map[byte]string) {
			t.Helper()
			a.read()
			if !reflect.DeepEqual(a.aware, states) {
				t.Fatalf("seen is %v, want %v", a.aware, states)
			}
		}
		old, other, again := door(), door(), door()
		old.Awareness(awarenessUpdate(2, 1, "{}"))
		other.Awareness(awarenessUpdate(3, 1, "{}"))
		other.Awareness(awarenessUpdate(4, 1, "{}")) // one too many
		want(map[byte]string{2: "{}", 3: "{}"})
		if len(refused) != 1 || refused[0] != CodeTooLarge {
			t.Fatal(refused)
		}
		again.Awareness(awarenessUpdate(2, 1, "{}")) // the page of old has come back before old is known to be dead
		old.Close()
		want(map[byte]string{2: "{}", 3: "{}"})
		other.Close()
		want(map[byte]string{2: "{}"})
		again.Close()
		want(map[byte]string{})
	})
}

func TestWhoComesBackIsSeenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newShelf(t, Config{}).hub()
		a, b := edit(join(t, h, "a", everything), 1), edit(join(t, h, "b", everything), 2)
		a.open()
		b.open()
		a.say(frame.DocAwareness{Doc: 1, Update: awarenessUpdate(1, 5, `{"a":1}`)})
		a.client = join(t, h, "a", everything) // takes the place of the one before
		a.open()
		a.aware[1] = "mine"
		a.say(frame.DocAwareness{Doc: 1, Update: awarenessUpdate(1, 5, `{"a":1}`)}) // as y-protocols does it
		a.read()
		if _, here := a.aware[1]; here {
			t.Fatal("not told that it was gone, which a Yjs client answers with a higher clock")
		}
		a.say(frame.DocAwareness{Doc: 1, Update: awarenessUpdate(1, 6, `{"a":1}`)})
		b.read()
		if b.aware[1] != `{"a":1}` {
			t.Fatal(b.aware)
		}
	})
}

func TestStatesThatNobodyRenewsGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newShelf(t, Config{PresenceTTL: time.Hour}).hub()
		a := edit(join(t, h, "a", everything), 1)
		a.open()
		r := h.Visit().OpenDoc("b", "notes", everything, []byte{0}, taking(func(DocEvent) {}))
		r.Awareness(awarenessUpdate(2, 1, "{}"))
		time.Sleep(20 * time.Second)
		r.Awareness(awarenessUpdate(2, 1, "{}"))
		time.Sleep(20 * time.Second)
		a.read()
		if a.aware[2] != "{}" {
			t.Fatal("gone although it was renewed")
		}
		time.Sleep(11 * time.Second)
		a.read()
		if len(a.aware) > 0 {
			t.Fatal("a ghost", a.aware)
		}
	})
}
