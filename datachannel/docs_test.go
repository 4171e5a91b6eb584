package datachannel

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-rtc/turnout/datachannel/frame"
	"github.com/turnout-rtc/turnout/datachannel/log"
	"github.com/turnout-rtc/turnout/datachannel/store"
	"github.com/turnout-rtc/turnout/datachannel/store/memory"
	"github.com/turnout-rtc/turnout/datachannel/store/storetest"
	"github.com/turnout-rtc/turnout/datachannel/yjs"
)

// insertion is a Yjs update: client inserts text at its clock, behind its own last character (at clock 0: at the beginning
// of the root type "t").
func insertion(client, clock uint64, text string) []byte {
	number := func(b []byte, n uint64) []byte {
		for ; n >= 0x80; n >>= 7 {
			b = append(b, byte(n)|0x80)
		}
		return append(b, byte(n))
	}
	b := number(number([]byte{1, 1}, client), clock)
	if clock == 0 {
		b = append(b, 4, 1, 1, 't')
	} else {
		b = number(number(append(b, 4|0x80), client), clock-1)
	}
	return append(append(number(b, uint64(len(text))), text...), 0)
}

func awarenessUpdate(client, clock byte, state string) []byte {
	return append([]byte{1, client, clock, byte(len(state))}, state...)
}

// library of a test: a store that outlives hubs.
type shelf struct {
	t      *testing.T
	store  *memory.Store
	faulty *storetest.Faulty
	fault  atomic.Int32 // a storetest.Fault
	cfg    Config
}

func newShelf(t *testing.T, cfg Config) *shelf {
	s := &shelf{t: t, store: memory.New(), cfg: cfg}
	s.faulty = &storetest.Faulty{
		Store: s.store, Next: func() storetest.Fault { return storetest.Fault(s.fault.Load()) },
		Damage: func(d store.Doc, seq uint64) { s.store.Damage(d, seq) },
	}
	return s
}

// start starts a hub on the shelf, and returns what ends both.
func (s *shelf) start() (*Hub, func()) {
	w := store.NewWriter(s.faulty)
	h := NewHub("room", s.cfg, slog.New(slog.DiscardHandler), Services{Store: w})
	return h, func() {
		h.Close()
		w.Close()
	}
}

func (s *shelf) hub() *Hub {
	h, end := s.start()
	s.t.Cleanup(end)
	return h
}

// editor is a client with one document.
type editor struct {
	*client
	core     *yjs.Doc
	id       uint64 // its Yjs client
	clock    uint64
	unsynced map[uint64]uint64 // id of the update: clock behind it
	acked    uint64            // clock up to which everything was acknowledged
	nextID   uint64
	at       log.Position
	aware    map[byte]string
	closed   []frame.DocClosed
	writable bool
	onState  func(yjs.StateVector) // may be nil
}

func edit(c *client, id uint64) *editor {
	return &editor{client: c, core: &yjs.Doc{}, id: id, unsynced: map[uint64]uint64{}, aware: map[byte]string{}}
}

func (e *editor) open() {
	e.nextID++
	e.say(frame.DocOpen{ID: e.nextID, Doc: 1, Name: "notes", StateVector: e.core.StateVector().Append(nil)})
	e.read()
	e.read() // the answer to the state is answered too
}

// type_ inserts text and sends it.
func (e *editor) type_(text string) {
	b := insertion(e.id, e.clock, text)
	e.clock += uint64(len(text))
	e.apply(b)
	e.update(b)
}

func (e *editor) update(b []byte) {
	e.nextID++
	e.unsynced[e.nextID] = e.clock
	e.say(frame.DocUpdate{ID: e.nextID, Doc: 1, Update: b})
}

func (e *editor) apply(b []byte) {
	if _, err := e.core.Apply(b); err != nil {
		e.t.Fatal(err)
	}
}

func (e *editor) read() {
	e.t.Helper()
	e.client.read()
	e.take()
}

// take handles what has come.
func (e *editor) take() {
	e.client.take()
	docs := e.docs
	e.docs = nil
	for _, f := range docs {
		e.doc(f)
	}
}

func (e *editor) doc(f frame.Frame) {
	switch f := f.(type) {
	case frame.DocState:
		e.apply(f.Update)
		e.writable = f.Writable
		e.at = log.Position{Epoch: f.Epoch, Seq: f.Seq}
		v, err := yjs.DecodeStateVector(f.StateVector)
		if err != nil {
			e.t.Fatal(err)
		}
		if e.onState != nil {
			e.onState(v)
		}
		e.update(e.core.Diff(v)) // even if it is empty: its ack says that all before is on disk
	case frame.DocChange:
		e.at = log.Position{Epoch: f.Epoch, Seq: f.Seq}
		e.apply(f.Update)
	case frame.DocAck:
		e.acked = max(e.acked, e.unsynced[f.ID])
		delete(e.unsynced, f.ID)
	case frame.DocAwareness:
		for b := f.Update[1:]; len(b) > 0; b = b[3+int(b[2]):] {
			if state := string(b[3 : 3+int(b[2])]); state == "null" {
				delete(e.aware, b[0])
			} else {
				e.aware[b[0]] = state
			}
		}
	case frame.DocClosed:
		e.closed = append(e.closed, f)
	}
}

func (e *editor) text() string {
	var c yjs.Doc
	if _, err := c.Restore(e.core.Encode()); err != nil {
		e.t.Fatal(err)
	}
	c.Compact()
	return string(c.Encode())
}

func TestUpdateIsRelayedAtOnceAndAcknowledgedWhenOnDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(t, Config{})
		h := s.hub()
		a, b := edit(join(t, h, "a", everything), 1), edit(join(t, h, "b", everything), 2)
		a.open()
		b.open()
		a.type_("hello")
		synctest.Wait() // time stands still: the writer still gathers
		a.client.take()
		b.client.take()
		if len(b.docs) != 1 || len(a.docs) != 0 {
			t.Fatalf("b was told %d things, a %d", len(b.docs), len(a.docs))
		}
		a.read()
		b.read()
		if len(a.unsynced) != 0 || b.core.StateVector().Clock(1) != 5 || b.at.Seq != 1 || b.at.Epoch == 0 || b.at.Epoch != a.at.Epoch {
			t.Fatal(a.unsynced, b.core.StateVector(), a.at, b.at)
		}
		if stored, _ := s.store.Load(store.Doc{Room: "room", Name: "notes"}); len(stored.Records) != 1 || stored.Records[0].Subject != "a" {
			t.Fatal(stored)
		}
	})
}

func TestAfterCommitHoldsBackWhatIsNotOnDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(t, Config{Relay: RelayAfterCommit})
		h := s.hub()
		a, b := edit(join(t, h, "a", everything), 1), edit(join(t, h, "b", everything), 2)
		a.open()
		b.open()
		s.fault.Store(int32(storetest.FullDisk))
		a.type_("hello")
		a.read()
		b.read()
		if b.core.StateVector().Clock(1) != 0 || a.codes() != "storage.full" {
			t.Fatal("told before it was stored", a.codes())
		}
		s.fault.Store(int32(storetest.None))
		time.Sleep(2 * time.Second)
		b.read()
		if b.core.StateVector().Clock(1) != 5 {
			t.Fatal("not told after it was stored")
		}
	})
}

func TestOfflineEditsAreCollectedWhenOpening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newShelf(t, Config{}).hub()
		a, b := edit(join(t, h, "a", everything), 1), edit(join(t, h, "b", everything), 2)
		b.apply(insertion(2, 0, "offline"))
		b.clock = 7
		a.open()
		a.type_("online")
		b.open()
		b.read()
		a.read()
		if a.text() != b.text() || len(b.unsynced) != 0 || a.core.StateVector().Clock(2) != 7 {
			t.Fatal(a.core.StateVector(), b.core.StateVector(), b.unsynced)
		}
	})
}

func TestDocumentSurvivesARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(t, Config{Rate: 1e6, Burst: 1e6})
		h, end := s.start()
		a := edit(join(t, h, "a", everything), 1)
		a.open()
		for range 2500 { // compacted twice
			a.type_("x")
		}
		a.read()
		if len(a.unsynced) > 0 {
			t.Fatal(len(a.unsynced), "updates are not acknowledged")
		}
		time.Sleep(time.Second)
		before := a.at
		end()
		stored, err := s.store.Load(store.Doc{Room: "room", Name: "notes"})
		if err != nil || stored.Snapshot == nil || len(stored.Records) > compactRecords {
			t.Fatal("not compacted", err, len(stored.Records))
		}
		again := edit(join(t, s.hub(), "b", everything), 2)
		again.open()
		if again.text() != a.text() || again.at.Epoch != before.Epoch || again.at.Seq != 2500 {
			t.Fatal(again.core.StateVector(), before, again.at)
		}
	})
}

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

func TestRepeatedUpdateIsAcknowledgedAndNotRelayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(t, Config{})
		h := s.hub()
		a, b := edit(join(t, h, "a", everything), 1), edit(join(t, h, "b", everything), 2)
		a.open()
		b.open()
		u := insertion(1, 0, "hello")
		a.update(u)
		a.update(u) // before the first is on disk
		synctest.Wait()
		a.client.take()
		if len(a.docs) > 0 {
			t.Fatal("the repetition is acknowledged before the original is on disk")
		}
		a.read()
		a.update(u)
		a.read()
		b.client.take()
		if len(a.unsynced) > 0 || len(b.docs) != 1 {
			t.Fatal(a.unsynced, len(b.docs))
		}
		if stored, _ := s.store.Load(store.Doc{Room: "room", Name: "notes"}); len(stored.Records) != 1 {
			t.Fatal(len(stored.Records))
		}
	})
}

func TestFullDiskIsToldAndNothingAcknowledgedIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(t, Config{})
		h, end := s.start()
		a, b := edit(join(t, h, "a", everything), 1), edit(join(t, h, "b", everything), 2)
		a.open()
		b.open()
		a.type_("safe")
		a.read()
		s.fault.Store(int32(storetest.FullDisk))
		a.type_("one")
		a.read()
		a.type_("two")
		a.read()
		if a.codes() != "storage.full storage.full" || !a.errors[0].Retryable {
			t.Fatal(a.codes())
		}
		a.send("chat", "goes on")
		b.wantMessages("a chat goes on")
		b.open()
		if b.core.StateVector().Clock(1) != 7 {
			t.Fatal("reading does not go on", b.core.StateVector())
		}
		s.fault.Store(int32(storetest.None))
		time.Sleep(2 * time.Second)
		a.open() // sends again what the server lacks
		a.read()
		if a.acked != 10 {
			t.Fatal("not acknowledged after there was room", a.acked, a.codes())
		}
		end()
		c := edit(join(t, s.hub(), "c", everything), 3)
		c.open()
		if c.core.StateVector().Clock(1) != 10 {
			t.Fatal(c.core.StateVector())
		}
	})
}

func TestDamagedRecordIsPutAsideAndTheEpochChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(t, Config{})
		h, end := s.start()
		a := edit(join(t, h, "a", everything), 1)
		a.open()
		for range 3 {
			a.type_("abc")
			a.read()
		}
		before := a.at
		end()
		s.store.Damage(store.Doc{Room: "room", Name: "notes"}, 2)
		h, end = s.start()
		b := edit(join(t, h, "b", everything), 2)
		b.open()
		if b.at.Epoch == before.Epoch || b.at.Epoch == 0 || h.Stats().Dropped[DroppedDamaged] != 1 {
			t.Fatal(b.at, before, h.Stats().Dropped)
		}
		a2 := edit(join(t, h, "a", everything), 1) // has everything, and brings back what was lost
		a2.core, a2.clock = a.core, a.clock
		a2.open()
		b.read()
		if b.core.StateVector().Clock(1) != 9 {
			t.Fatal(b.core.StateVector())
		}
		time.Sleep(time.Second)
		end()
		state, _ := s.store.Load(store.Doc{Room: "room", Name: "notes"})
		if len(state.Damaged) > 0 || state.Epoch != b.at.Epoch {
			t.Fatal("not put aside, or the epoch is not on disk", state.Damaged, state.Epoch)
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

// TestEditorsConverge lets editors type, close, lose their wires and their room, while the store fails now and then. At the
// end all have the same, and whatever was acknowledged is there after a restart.
func TestEditorsConverge(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 8))
			s := newShelf(t, Config{Rate: 1e6, Burst: 1e6, Relay: []string{RelayAtOnce, RelayAfterCommit}[seed%2]})
			h, end := s.start()
			editors := make([]*editor, 3)
			for i := range editors {
				editors[i] = edit(join(t, h, fmt.Sprint(i), everything), uint64(i)+1)
				editors[i].open()
			}
			for range 150 {
				e := editors[random.IntN(3)]
				switch random.IntN(12) {
				case 0:
					s.fault.Store(int32([]storetest.Fault{storetest.FailedWrite, storetest.FailedSync, storetest.FullDisk}[random.IntN(3)]))
				case 1:
					s.fault.Store(int32(storetest.None))
				case 2:
					breakWire(random, e.client)
				case 3:
					e.read()
				case 4:
					time.Sleep(time.Duration(random.IntN(1500)) * time.Millisecond)
				case 5:
					if random.IntN(4) == 0 { // the server restarts, in order
						end()
						h, end = s.start()
						for _, e := range editors {
							e.client = join(t, h, e.name, everything)
							clear(e.unsynced)
							e.open()
						}
					}
				default:
					e.type_(strings.Repeat("x", 1+random.IntN(5)))
				}
			}
			s.fault.Store(int32(storetest.None))
			time.Sleep(3 * time.Second)
			for range 2 {
				for _, e := range editors {
					e.open()
					e.read()
				}
			}
			end()
			h, end = s.start()
			defer end()
			late := edit(join(t, h, "late", everything), 9)
			late.open()
			for i, e := range editors {
				if e.text() != late.text() || e.acked != e.clock {
					t.Fatalf("seed %d: editor %d has %v, the disk %v, acknowledged is %d of %d", seed, i, e.core.StateVector(), late.core.StateVector(), e.acked, e.clock)
				}
			}
		})
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

func TestWithoutAStoreThereAreNoDocuments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := edit(join(t, startHub(t, Config{}), "a", everything), 1)
		a.open()
		if a.codes() != "data.unsupported" {
			t.Fatal(a.codes())
		}
	})
}

func TestUnreadableStoreClosesTheDocument(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(t, Config{})
		h := s.hub()
		_ = s.store.Close()
		a := edit(join(t, h, "a", everything), 1)
		a.open()
		if len(a.closed) != 1 || a.closed[0].Code != string(CodeStorageFailed) || !a.closed[0].Retryable || h.Stats().Documents != 0 {
			t.Fatal(a.closed, a.codes())
		}
	})
}
