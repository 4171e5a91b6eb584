package datachannel

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-rtc/turnout/datachannel/store"
	"github.com/turnout-rtc/turnout/datachannel/store/storetest"
)

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
