// Package bolt keeps documents in one file (go.etcd.io/bbolt), with a journal before it.
//
// A commit of bbolt costs two fsyncs and several pages for every bucket it touches. So Append writes into a journal of fixed size
// beside the file, which costs one fsync, and what it holds comes into the file in one transaction when it is much. The file names
// the journal's generation: the same transaction that takes the records in makes the journal empty. A seal behind the last commit tells
// damage from what a power cut has torn.
//
// The file has a bucket "docs" with one bucket a document, whose name is the room's length, the room and the document's
// name. In it: "epoch", "snapshot", the bucket "records" by sequence number (8 bytes, big-endian), "aside" with damaged records, and
// "lost" if a part of the journal could not be read, in which records of the document may have been. "journal" has the journal's
// "generation" and the parts that could not be read. bbolt has no checksums, so each record carries its own (package log), and the epoch too.
package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"sync"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/turnout-rtc/turnout/datachannel/log"
	"github.com/turnout-rtc/turnout/datachannel/store"
)

// Store is an open file with its journal.
type Store struct {
	// Set at construction, never changed.
	db *bbolt.DB

	// Guarded by mu.
	mu      sync.Mutex
	journal *journal
	pending map[string][]entry // what only the journal has, by the name of the document's bucket; in order
	closed  bool
}

var _ store.Store = (*Store)(nil)

// lockTimeout is how long Open waits for another process that has the file open, which it is not going to close.
const lockTimeout = time.Second

// Open opens the file, and makes it if it is not there. What a process that was killed has left in the journal is brought into it.
func Open(path string) (*Store, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockTimeout, FreelistType: bbolt.FreelistMapType})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("%s is in use: another turnout runs with this data directory; stop it, or use another directory", path)
	}
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	s := &Store{db: db, journal: &journal{path: path + journalSuffix}, pending: map[string][]entry{}}
	err = prepare(db)
	if err == nil {
		err = s.replay()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("preparing %s: %w", path, classify(err)), s.journal.close(), db.Close())
	}
	return s, nil
}

// The names of buckets and keys, on disk and never changed.

func bucketDocs() []byte    { return []byte("docs") }
func bucketRecords() []byte { return []byte("records") }
func bucketAside() []byte   { return []byte("aside") }
func keyEpoch() []byte      { return []byte("epoch") }
func keySnapshot() []byte   { return []byte("snapshot") }
func keyLost() []byte       { return []byte("lost") }

func docKey(d store.Doc) []byte {
	b := binary.AppendUvarint(nil, uint64(len(d.Room)))
	b = append(b, d.Room...)
	return append(b, d.Name...)
}

func parseDocKey(b []byte) (store.Doc, bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return store.Doc{}, false
	}
	return store.Doc{Room: string(b[n : n+int(size)]), Name: string(b[n+int(size):])}, true
}

func seqKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

// Append implements store.Store. What fits goes into the journal, with one write and one fsync, and later into the file together
// with much else; what does not, or when the journal has failed, goes into the file.
func (s *Store) Append(writes []store.Write) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return store.ErrClosed
	}
	batch := entries(writes)
	written := s.journal.append(batch)
	for _, e := range batch {
		s.pending[e.doc] = append(s.pending[e.doc], e)
	}
	if written && s.journal.at < checkpointBytes {
		return nil
	}
	err := s.update(func(*bbolt.Tx) error { return nil })
	if written {
		return nil // the journal has it, whatever became of the file
	}
	if err != nil {
		s.withdraw(batch)
	}
	return err
}

// withdraw forgets the newest entries.
func (s *Store) withdraw(batch []entry) {
	for _, e := range batch {
		of := s.pending[e.doc]
		if s.pending[e.doc] = of[:len(of)-1]; len(of) == 1 {
			delete(s.pending, e.doc)
		}
	}
}

func encodeEpoch(epoch uint64) []byte {
	b := binary.BigEndian.AppendUint64(nil, epoch)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

func readEpoch(d *bbolt.Bucket) (uint64, error) {
	b := d.Get(keyEpoch())
	if len(b) != 12 || crc32.ChecksumIEEE(b[:8]) != binary.BigEndian.Uint32(b[8:]) {
		return 0, fmt.Errorf("%w: the epoch", log.ErrDamaged)
	}
	return binary.BigEndian.Uint64(b), nil
}

// Load implements store.Store.
func (s *Store) Load(name store.Doc) (state store.State, err error) {
	key := docKey(name)
	err = s.view(string(key), func(tx *bbolt.Tx) error {
		state = loadState(tx, key)
		return nil
	})
	return state, err
}

// view lets f see a document as it is with what only the journal has.
func (s *Store) view(doc string, f func(*bbolt.Tx) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	batch := s.pending[doc]
	if len(batch) == 0 {
		return classify(s.db.View(f))
	}
	tx, err := s.db.Begin(true) // which is never committed, and so needs no room on a full disk
	if err != nil {
		return classify(err)
	}
	return classify(errors.Join(put(tx, doc, batch), f(tx), tx.Rollback()))
}

func loadState(tx *bbolt.Tx, key []byte) (state store.State) {
	d := tx.Bucket(bucketDocs()).Bucket(key)
	if d == nil {
		return state
	}
	epoch, err := readEpoch(d)
	state.Epoch = epoch
	if err != nil {
		state.Damaged = append(state.Damaged, store.Damage{Err: err})
	}
	if d.Get(keyLost()) != nil {
		state.Damaged = append(state.Damaged, store.Damage{Err: fmt.Errorf("%w: a part of the journal, in which updates of this document may have been", log.ErrDamaged)})
	}
	loadRecords(d, &state)
	return state
}

func loadRecords(d *bbolt.Bucket, state *store.State) {
	after := uint64(0)
	if b := d.Get(keySnapshot()); b != nil {
		r, err := log.Decode(append([]byte(nil), b...)) // b is gone with the transaction
		if err != nil {
			state.Damaged = append(state.Damaged, store.Damage{Err: err})
		} else {
			state.Snapshot, after = &r, r.Seq
		}
	}
	records := d.Bucket(bucketRecords())
	if records == nil {
		return
	}
	c := records.Cursor()
	for k, v := c.Seek(seqKey(after + 1)); k != nil; k, v = c.Next() {
		r, err := log.Decode(append([]byte(nil), v...))
		if err != nil {
			state.Damaged = append(state.Damaged, store.Damage{Seq: binary.BigEndian.Uint64(k), Err: err})
			continue
		}
		state.Records = append(state.Records, r)
	}
}

// Docs implements store.Store.
func (s *Store) Docs(f func(store.Doc) error) error {
	names, err := s.names()
	if err != nil {
		return classify(err)
	}
	for _, name := range names {
		if err := f(name); err != nil {
			return err
		}
	}
	return nil
}

// names are those of all documents.
func (s *Store) names() (names []store.Doc, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err = s.db.View(func(tx *bbolt.Tx) error {
		docs := tx.Bucket(bucketDocs())
		for key := range s.pending {
			if name, ok := parseDocKey([]byte(key)); ok && docs.Bucket([]byte(key)) == nil {
				names = append(names, name)
			}
		}
		return docs.ForEachBucket(func(k []byte) error {
			if name, ok := parseDocKey(k); ok {
				names = append(names, name)
			}
			return nil
		})
	})
	return names, err
}

// Close implements store.Store.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if len(s.pending) > 0 {
		_ = s.update(func(*bbolt.Tx) error { return nil }) // else the next Open does it: the journal has it all
	}
	return errors.Join(s.journal.close(), s.db.Close())
}

// classify gives errors of bbolt and of the system the names that package store has for them.
func classify(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, bolterrors.ErrDatabaseNotOpen):
		return store.ErrClosed
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	default:
		return err
	}
}
