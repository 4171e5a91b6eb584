package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/turnout-rtc/turnout/datachannel/log"
	"github.com/turnout-rtc/turnout/datachannel/store"
)

// killed copies the files of an open store, as a process that is killed leaves them.
func killed(t *testing.T, s *Store, change func(journal []byte)) string {
	t.Helper()
	from := s.db.Path()
	to := filepath.Join(t.TempDir(), "data.db")
	for _, suffix := range []string{"", journalSuffix} {
		b, err := os.ReadFile(from + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if suffix != "" {
			change(b)
		}
		if err := os.WriteFile(to+suffix, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

var (
	first  = store.Doc{Room: "room", Name: "first"}
	second = store.Doc{Room: "room", Name: "second"}
)

// both writes a record to each of two documents, in one batch.
func both(t *testing.T, s store.Store, seq uint64) {
	t.Helper()
	write := func(d store.Doc) store.Write {
		return store.Write{Doc: d, Epoch: 5, Record: log.Record{Seq: seq, Kind: log.Update, Time: time.UnixMilli(0), Data: fmt.Append(nil, d.Name, seq)}}
	}
	if err := s.Append([]store.Write{write(first), write(second)}); err != nil {
		t.Fatal(err)
	}
}

// stored is how many records of a document are as they were written, and how many are reported as damaged.
func stored(t *testing.T, s store.Store, d store.Doc) (good, damaged int) {
	t.Helper()
	state, err := s.Load(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range state.Records {
		if !bytes.Equal(r.Data, fmt.Append(nil, d.Name, r.Seq)) {
			t.Fatalf("record %d is %q", r.Seq, r.Data)
		}
	}
	for _, x := range state.Damaged {
		if !errors.Is(x.Err, log.ErrDamaged) {
			t.Error(x.Err)
		}
	}
	return len(state.Records), len(state.Damaged)
}

func TestWhatWasAcknowledgedIsThereAfterAKill(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "data.db")).(*Store)
	for seq := uint64(1); seq <= 3; seq++ {
		both(t, s, seq)
		again := openAt(t, killed(t, s, func([]byte) {}))
		for _, d := range []store.Doc{first, second} {
			if good, damaged := stored(t, again, d); good != int(seq) || damaged != 0 {
				t.Fatalf("%d records of %d, %d damaged", good, seq, damaged)
			}
		}
		both(t, again, seq+1) // and goes on
		if good, _ := stored(t, openAt(t, killed(t, again.(*Store), func([]byte) {})), first); good != int(seq)+1 {
			t.Fatalf("%d records of %d", good, seq+1)
		}
	}
}

// unseal makes a journal one whose last batch was being written when the power was lost.
func unseal(s *Store, journal []byte) { clear(journal[s.journal.at : s.journal.at+sealBytes]) }

// TestABatchTornByAPowerCutIsLeftOut damages every byte of the last batch: it is there as a whole or not at all, and all before it
// is there.
func TestABatchTornByAPowerCutIsLeftOut(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "data.db")).(*Store)
	both(t, s, 1)
	begin := s.journal.at
	both(t, s, 2)
	for at := begin; at < s.journal.at; at += 3 {
		left, err := os.ReadFile(s.journal.path)
		if err != nil {
			t.Fatal(err)
		}
		unseal(s, left)
		left[at] ^= 0x40
		f := scan(left, s.journal.generation)
		if n := len(f.entries); n != 2 && n != 4 || len(f.lost) > 0 {
			t.Fatalf("byte %d: %d entries, %d parts lost", at, n, len(f.lost))
		}
	}
	again := openAt(t, killed(t, s, func(b []byte) {
		unseal(s, b)
		clear(b[begin+20 : s.journal.at])
	}))
	for _, d := range []store.Doc{first, second} {
		if good, damaged := stored(t, again, d); good != 1 || damaged != 0 {
			t.Fatalf("%d records, %d damaged", good, damaged)
		}
	}
}

// TestDamageInTheJournalIsReported damages every byte of the first of three batches, and of the last.
func TestDamageInTheJournalIsReported(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "data.db")).(*Store)
	both(t, s, 1)
	end := s.journal.at
	both(t, s, 2)
	last := s.journal.at
	both(t, s, 3)
	for at := 0; at < s.journal.at; at += 11 {
		if at >= end && at < last {
			continue
		}
		again := openAt(t, killed(t, s, func(b []byte) { b[at] ^= 0x40 }))
		missing, reported := 0, 0
		for _, d := range []store.Doc{first, second} {
			good, damaged := stored(t, again, d)
			missing += 3 - good
			reported += damaged
		}
		if missing > 2 || (missing > 0) != (reported > 0) {
			t.Fatalf("byte %d: %d records are missing, %d reported", at, missing, reported)
		}
		if _, err := again.Compact(first, log.Record{Seq: 3, Kind: log.Snapshot, Time: time.UnixMilli(0)}, 10); err != nil {
			t.Fatal(err)
		}
		if _, damaged := stored(t, again, first); damaged != 0 {
			t.Fatal("not put aside")
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestALastBatchThatIsGoneIsReported wipes out all that was written since the journal was made empty, but not its seal.
func TestALastBatchThatIsGoneIsReported(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "data.db")).(*Store)
	both(t, s, 1)
	if err := s.update(func(*bbolt.Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	both(t, s, 2)
	again := openAt(t, killed(t, s, func(b []byte) { clear(b[:s.journal.at]) }))
	if good, damaged := stored(t, again, first); good != 1 || damaged != 1 {
		t.Errorf("%d records, %d reported", good, damaged)
	}
	healthy := openAt(t, killed(t, s, func([]byte) {}))
	if good, damaged := stored(t, healthy, first); good != 2 || damaged != 0 {
		t.Errorf("%d records, %d reported", good, damaged)
	}
}

func TestAJournalOfAnotherFileIsIgnored(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "data.db")).(*Store)
	both(t, s, 1)
	backup := killed(t, s, func([]byte) {})
	if err := s.edit(func(*bbolt.Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	both(t, s, 2)
	newer, err := os.ReadFile(s.journal.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(backup+journalSuffix, newer, 0o600); err != nil {
		t.Fatal(err)
	}
	if good, _ := stored(t, openAt(t, backup), first); good != 0 {
		t.Fatalf("%d records", good)
	}
}

// TestAJournalThatFailsIsDoneWithout closes the journal's file behind the store's back.
func TestAJournalThatFailsIsDoneWithout(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "data.db")).(*Store)
	both(t, s, 1)
	if err := s.journal.file.Close(); err != nil {
		t.Fatal(err)
	}
	both(t, s, 2)
	both(t, s, 3)
	for _, at := range []store.Store{s, openAt(t, killed(t, s, func([]byte) {}))} {
		if good, damaged := stored(t, at, second); good != 3 || damaged != 0 {
			t.Fatalf("%d records, %d damaged", good, damaged)
		}
	}
}

func TestTheJournalComesIntoTheFileWhenItIsLong(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "data.db")).(*Store)
	before := s.journal.generation
	seq := uint64(1)
	for ; s.journal.generation == before; seq++ {
		both(t, s, seq)
		if s.journal.at > checkpointBytes+1000 {
			t.Fatal("the journal grows and grows")
		}
	}
	both(t, s, seq)
	if len(s.pending) != 2 || len(s.pending[string(docKey(first))]) != 1 {
		t.Fatalf("%d documents are pending", len(s.pending))
	}
	large := store.Write{Doc: first, Epoch: 5, Record: log.Record{Seq: 1e6, Kind: log.Update, Time: time.UnixMilli(0), Data: make([]byte, 2*journalBytes)}}
	if err := s.Append([]store.Write{large}); err != nil {
		t.Fatal(err)
	}
	state, err := openAt(t, killed(t, s, func([]byte) {})).Load(first)
	if err != nil || len(state.Records) != int(seq)+1 {
		t.Fatalf("%d records of %d: %v", len(state.Records), seq+1, err)
	}
}

func FuzzScan(f *testing.F) {
	record := log.Append(nil, log.Record{Seq: 7, Kind: log.Update, Time: time.UnixMilli(0), Data: []byte("x")})
	good := appendFrame(nil, place{1, 0, 0, 1}, entry{"doc", 2, 7, record})
	good = appendFrame(good, place{1, 1, 0, 2}, entry{"doc", 2, 8, record})
	good = appendFrame(good, place{1, 1, 1, 2}, entry{"doc", 2, 9, record})
	f.Add(good)
	f.Add(append(make([]byte, 64), good...))
	f.Add(appendSeal(append([]byte(nil), good[:len(good)-16]...), 1, 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		size := 0
		found := scan(b, 1)
		for _, e := range found.entries {
			size += e.frameSize()
		}
		for _, l := range found.lost {
			size += len(l)
		}
		if size > len(b)+alignment {
			t.Fatalf("%d bytes of %d", size, len(b))
		}
	})
}
