package bolt

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"go.uber.org/goleak"

	"github.com/turnout-rtc/turnout/datachannel/log"
	"github.com/turnout-rtc/turnout/datachannel/store"
	"github.com/turnout-rtc/turnout/datachannel/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openAt(t *testing.T, path string) store.Store {
	t.Helper()
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestContract(t *testing.T) {
	storetest.Run(t, storetest.Subject{
		Open: func(t *testing.T) store.Store { return openAt(t, filepath.Join(t.TempDir(), "data.db")) },
		Reopen: func(t *testing.T, s store.Store) store.Store {
			path := s.(*Store).db.Path()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return openAt(t, path)
		},
		Damage: func(t *testing.T, s store.Store, d store.Doc, seq uint64) {
			err := s.(*Store).edit(func(tx *bbolt.Tx) error {
				b, k := tx.Bucket(bucketDocs()).Bucket(docKey(d)), keySnapshot()
				if seq > 0 {
					b, k = b.Bucket(bucketRecords()), seqKey(seq)
				}
				v := append([]byte(nil), b.Get(k)...)
				v[len(v)/2] ^= 1
				return b.Put(k, v)
			})
			if err != nil {
				t.Fatal(err)
			}
		},
	})
}

func TestDamagedEpochIsReported(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "data.db"))
	d := store.Doc{Room: "r", Name: "d"}
	w := store.Write{Doc: d, Epoch: 5, Record: log.Record{Seq: 1, Kind: log.Update, Time: time.UnixMilli(0)}}
	if err := s.Append([]store.Write{w}); err != nil {
		t.Fatal(err)
	}
	err := s.(*Store).edit(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketDocs()).Bucket(docKey(d)).Put(keyEpoch(), []byte("nonsense"))
	})
	if err != nil {
		t.Fatal(err)
	}
	state, err := s.Load(d)
	if err != nil || state.Epoch != 0 || len(state.Damaged) != 1 || len(state.Records) != 1 {
		t.Fatal(state, err)
	}
}

func TestFileInUseSaysSo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	openAt(t, path)
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "is in use") {
		t.Fatal(err)
	}
}

func TestUnreadableFileIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	if err := os.WriteFile(path, make([]byte, 100_000), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil {
		t.Fatal("opened zeroes")
	}
}

func BenchmarkAppend256(b *testing.B) {
	s, err := Open(filepath.Join(b.TempDir(), "data.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	writes := make([]store.Write, 256)
	seq := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		for i := range writes {
			seq++
			writes[i] = store.Write{
				Doc: store.Doc{Room: "room", Name: "notes"}, Epoch: 1,
				Record: log.Record{Seq: seq, Kind: log.Update, Subject: "alice", Time: time.UnixMilli(0), Data: make([]byte, 100)},
			}
		}
		if err := s.Append(writes); err != nil {
			b.Fatal(err)
		}
	}
}

func TestShrinkGivesRoomBackAndKeepsDocuments(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	s := openAt(t, path)
	d := store.Doc{Room: "r", Name: "d"}
	for seq := uint64(1); seq <= 50; seq++ {
		w := store.Write{Doc: d, Epoch: 5, Record: log.Record{Seq: seq, Kind: log.Update, Time: time.UnixMilli(0), Data: make([]byte, 100_000)}}
		if err := s.Append([]store.Write{w}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Compact(d, log.Record{Seq: 50, Kind: log.Snapshot, Time: time.UnixMilli(0), Data: []byte("all")}, 100); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before, _ := os.Stat(path)
	if err := Shrink(path); err != nil {
		t.Fatal(err)
	}
	after, _ := os.Stat(path)
	if after.Size() > before.Size()/10 {
		t.Fatalf("%d bytes before, %d after", before.Size(), after.Size())
	}
	state, err := openAt(t, path).Load(d)
	if err != nil || state.Epoch != 5 || state.Snapshot == nil || string(state.Snapshot.Data) != "all" {
		t.Fatal(state, err)
	}
	if err := Shrink(filepath.Join(path, "nowhere")); err == nil {
		t.Fatal("no error")
	}
}

// edit changes the file behind the Store's back, once it has everything.
func (s *Store) edit(f func(*bbolt.Tx) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.update(f)
}
