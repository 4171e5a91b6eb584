package datachannel

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-rtc/turnout/datachannel/frame"
	"github.com/turnout-rtc/turnout/datachannel/store"
	"github.com/turnout-rtc/turnout/datachannel/yjs"
)

func TestReadOnlyReadsAndIsSeenAndDoesNotWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newShelf(t, Config{}).hub()
		a := edit(join(t, h, "a", everything), 1)
		r := edit(join(t, h, "r", Grants{Publish: true, Subscribe: true, Topics: map[string]string{"doc:notes": "r", "*": "rw"}}), 2)
		a.open()
		a.type_("hello")
		r.open()
		if r.writable || r.core.StateVector().Clock(1) != 5 {
			t.Fatal(r.writable, r.core.StateVector())
		}
		r.say(frame.DocAwareness{Doc: 1, Update: awarenessUpdate(2, 1, `{"n":1}`)})
		r.update(r.core.Encode()) // nothing new: acknowledged
		r.type_("no")
		r.read()
		a.read()
		if r.codes() != "doc.readOnly" || len(r.unsynced) != 1 || a.core.StateVector().Clock(2) != 0 || a.aware[2] != `{"n":1}` {
			t.Fatal(r.codes(), r.unsynced, a.core.StateVector(), a.aware)
		}
		none := edit(join(t, h, "none", Grants{Publish: true, Subscribe: true, Topics: map[string]string{"doc:*": "", "*": "rw"}}), 3)
		none.open()
		if none.codes() != "data.forbidden" {
			t.Fatal(none.codes())
		}
	})
}

func TestBadUpdatesAreNamedAndNeitherRelayedNorStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(t, Config{})
		h := s.hub()
		a, b := edit(join(t, h, "a", everything), 1), edit(join(t, h, "b", everything), 2)
		a.open()
		b.open()
		a.type_("hello")
		for _, u := range [][]byte{
			{}, {1, 2, 3}, insertion(2, 0, "x")[:6], append(insertion(2, 0, "x"), 9), // malformed, half
			insertion(1, 0, "HELLO"),  // other bytes under the same clock
			insertion(2, 100, "late"), // gap
		} {
			b.update(u)
		}
		b.say(frame.DocUpdate{ID: 99, Doc: 7, Update: insertion(2, 0, "x")})
		b.say(frame.DocOpen{ID: 100, Doc: 1, Name: "other", StateVector: []byte{0}})
		b.say(frame.DocOpen{ID: 101, Doc: 2, Name: "other", StateVector: []byte{5}})
		b.read()
		a.read()
		want := "doc.malformed doc.malformed doc.malformed doc.malformed doc.equivocation doc.gap doc.notOpen data.malformed doc.malformed"
		if b.codes() != want {
			t.Fatal(b.codes())
		}
		for i, e := range b.errors[:6] {
			if e.ID != uint64(i)+3 || e.Hint == "" {
				t.Fatalf("%+v", e)
			}
		}
		if !reflect.DeepEqual(a.core.StateVector(), yjs.StateVector{{Client: 1, Clock: 5}}) {
			t.Fatal("something was relayed", a.core.StateVector())
		}
		if stored, _ := s.store.Load(store.Doc{Room: "room", Name: "notes"}); len(stored.Records) != 1 {
			t.Fatal("something was stored", stored.Records)
		}
		b.type_("fine")
		b.read()
		a.read()
		if len(b.unsynced) != 6 || a.core.StateVector().Clock(2) != 4 {
			t.Fatal("the room is disturbed", b.unsynced)
		}
	})
}

func TestDocumentsHaveLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newShelf(t, Config{Documents: 3, RoomDocuments: 4, DocumentBytes: 3000, Rate: 1e6, Burst: 1e6}).hub()
		a := join(t, h, "a", everything)
		for n := range uint64(10_000) {
			a.say(frame.DocOpen{ID: n + 1, Doc: n + 1, Name: fmt.Sprint("doc", n), StateVector: []byte{0}})
			if n%1000 == 999 {
				a.read()
			}
		}
		a.read()
		if n := strings.Count(a.codes(), "doc.limit"); n != 10_000-3 || h.Stats().Documents != 3 {
			t.Fatal(n, h.Stats().Documents)
		}
		b := join(t, h, "b", everything)
		b.say(frame.DocOpen{ID: 1, Doc: 1, Name: "b0", StateVector: []byte{0}})
		b.say(frame.DocOpen{ID: 2, Doc: 2, Name: "b1", StateVector: []byte{0}})
		b.wantCodes("doc.limit")
		b.say(frame.DocUpdate{ID: 3, Doc: 1, Update: insertion(1, 0, strings.Repeat("x", 2000))})
		b.say(frame.DocUpdate{ID: 4, Doc: 1, Update: insertion(1, 2000, strings.Repeat("x", 2000))})
		b.wantCodes("doc.limit doc.limit")
		if b.errors[1].ID != 4 {
			t.Fatal(b.errors[1])
		}
		a.member.Leave()
		b.member.Leave()
		time.Sleep(time.Minute)
		if n := h.Stats().Documents; n != 0 {
			t.Fatalf("%d documents stay in memory", n)
		}
	})
}

func TestRefusalsNameTheFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newShelf(t, Config{DocumentClients: 2}).hub()
		a := edit(join(t, h, "a", everything), 1)
		a.open()
		a.type_("hello")
		for _, c := range []struct {
			update []byte
			want   string
		}{
			{insertion(2, 0, "x")[:6], "doc.malformed: The update is malformed at byte 6: it ends inside a value (truncated)."},
			{append(insertion(2, 0, "x"), 9), "doc.malformed: The update is malformed at byte 11: bytes follow its end (trailing)."},
			{insertion(1, 0, "HELLO"), "doc.equivocation: Client 1 has already written something else at clock 0."},
			{insertion(1, 6, "late"), "doc.gap: The update begins after what the server has of its client."},
			{insertion(2, 0, "x"), ""},
			{insertion(3, 0, "x"), "doc.limit: At most 2 Yjs clients write in one document."},
		} {
			a.errors = nil
			a.update(c.update)
			a.read()
			got := ""
			for _, e := range a.errors {
				got = e.Code + ": " + e.Message
			}
			if got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		}
		a.errors = nil
		a.say(frame.DocAwareness{Doc: 1, Update: []byte{1, 1, 1, 1, '{'}})
		a.say(frame.DocOpen{ID: 100, Doc: 1, Name: "notes", StateVector: []byte{5}})
		a.read()
		for i, want := range []string{
			"The awareness update is malformed at byte 5: a JSON value does not parse (bad_json).",
			"The state vector is malformed at byte 1: a count is larger than the bytes that follow can hold (bad_count).",
		} {
			if len(a.errors) != 2 || a.errors[i].Message != want {
				t.Errorf("got %+v, want %q", a.errors, want)
			}
		}
	})
}

func TestWhatIsRelayedAndStoredIsOnlyWhatIsNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(t, Config{})
		h := s.hub()
		a, b := edit(join(t, h, "a", everything), 1), edit(join(t, h, "b", everything), 2)
		a.open()
		b.open()
		a.type_("hello")
		a.read()
		b.client.take()
		b.docs = nil
		a.update(insertion(1, 0, "hello world"))
		a.read()
		b.client.take()
		want := insertion(1, 5, " world")
		if len(b.docs) != 1 || !bytes.Equal(b.docs[0].(frame.DocChange).Update, want) {
			t.Fatalf("relayed is %q, want %q", b.docs, want)
		}
		stored, _ := s.store.Load(store.Doc{Room: "room", Name: "notes"})
		if len(stored.Records) != 2 || !bytes.Equal(stored.Records[1].Data, want) {
			t.Fatalf("stored is %v", stored.Records)
		}
	})
}

func TestFullDocumentMakesRoomOfWhatWasDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newShelf(t, Config{DocumentBytes: 3000}).hub()
		a := edit(join(t, h, "a", everything), 1)
		a.open()
		a.type_(strings.Repeat("x", 2000))
		more := func(want string) {
			t.Helper()
			a.errors = nil
			a.update(insertion(1, a.clock, strings.Repeat("y", 1500)))
			a.read()
			if a.codes() != want {
				t.Fatalf("%q, want %q", a.codes(), want)
			}
		}
		more("doc.limit")
		a.update([]byte{0, 1, 1, 1, 0, 0xd0, 0x0f}) // the first 2000 are deleted
		more("doc.limit")                           // it was looked through a moment ago
		time.Sleep(squeezeEvery)
		more("")
	})
}
