// Package bolt keeps documents in one file (go.etcd.io/bbolt).
//
// The file has a bucket "docs" with one bucket a document, whose name is the room's length, the room and the document's
// name. In it: "epoch", "snapshot", the bucket "records" by sequence number (8 bytes, big-endian), and "aside" with damaged
// records. bbolt has no checksums, so each record carries its own (package log), and the epoch too.
package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/turnout-rtc/turnout/datachannel/log"
	"github.com/turnout-rtc/turnout/datachannel/store"
)

// Store is an open file.
type Store struct{ db *bbolt.DB }

var _ store.Store = (*Store)(nil)

// lockTimeout is how long Open waits for another process that has the file open, which it is not going to close.
const lockTimeout = time.Second

// Open opens the file, and makes it if it is not there.
func Open(path string) (*Store, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockTimeout, FreelistType: bbolt.FreelistMapType})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("%s is in use: another turnout runs with this data directory; stop it, or use another directory", path)
	}
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(bucketDocs())
		return err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("preparing %s: %w", path, classify(err)), db.Close())
	}
	return &Store{db}, nil
}

// The names of buckets and keys, on disk and never changed.

func bucketDocs() []byte    { return []byte("docs") }
func bucketRecords() []byte { return []byte("records") }
func bucketAside() []byte   { return []byte("aside") }
func keyEpoch() []byte      { return []byte("epoch") }
func keySnapshot() []byte   { return []byte("snapshot") }

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

// Append implements store.Store.
func (s *Store) Append(writes []store.Write) error {
	return classify(s.db.Update(func(tx *bbolt.Tx) error {
		for _, w := range writes {
			if err := appendOne(tx, w); err != nil {
				return err
			}
		}
		return nil
	}))
}

func appendOne(tx *bbolt.Tx, w store.Write) error {
	d, err := tx.Bucket(bucketDocs()).CreateBucketIfNotExists(docKey(w.Doc))
	if err != nil {
		return err
	}
	if stored, err := readEpoch(d); err != nil || stored != w.Epoch {
		if err := d.Put(keyEpoch(), encodeEpoch(w.Epoch)); err != nil {
			return err
		}
	}
	records, err := d.CreateBucketIfNotExists(bucketRecords())
	if err != nil {
		return err
	}
	return records.Put(seqKey(w.Record.Seq), log.Append(nil, w.Record))
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
func (s *Store) Load(name store.Doc) (store.State, error) {
	var state store.State
	err := s.db.View(func(tx *bbolt.Tx) error {
		d := tx.Bucket(bucketDocs()).Bucket(docKey(name))
		if d == nil {
			return nil
		}
		epoch, err := readEpoch(d)
		if err != nil {
			state.Damaged = append(state.Damaged, store.Damage{Err: err})
		}
		state.Epoch = epoch
		return loadRecords(d, &state)
	})
	return state, classify(err)
}

func loadRecords(d *bbolt.Bucket, state *store.State) error {
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
		return nil
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
	return nil
}

// Compact implements store.Store.
func (s *Store) Compact(name store.Doc, snapshot log.Record, limit int) (more bool, err error) {
	err = s.db.Update(func(tx *bbolt.Tx) error {
		d := tx.Bucket(bucketDocs()).Bucket(docKey(name))
		if d == nil {
			return nil
		}
		if err := putSnapshot(d, log.Append(nil, snapshot)); err != nil {
			return err
		}
		more, err = removeRecords(d, snapshot.Seq, limit)
		return err
	})
	return more, classify(err)
}

// putSnapshot puts a damaged snapshot aside. The next slice of the same compaction finds its snapshot there, and does not
// write it again.
func putSnapshot(d *bbolt.Bucket, snapshot []byte) error {
	old := d.Get(keySnapshot())
	if bytes.Equal(old, snapshot) {
		return nil
	}
	if _, err := log.Decode(old); old != nil && err != nil {
		aside, err := d.CreateBucketIfNotExists(bucketAside())
		if err != nil {
			return err
		}
		if err := aside.Put(seqKey(0), bytes.Clone(old)); err != nil {
			return err
		}
	}
	return d.Put(keySnapshot(), snapshot)
}

func removeRecords(d *bbolt.Bucket, upTo uint64, limit int) (more bool, err error) {
	records := d.Bucket(bucketRecords())
	if records == nil {
		return false, nil
	}
	aside, err := d.CreateBucketIfNotExists(bucketAside())
	if err != nil {
		return false, err
	}
	c := records.Cursor()
	for k, v := c.First(); k != nil && binary.BigEndian.Uint64(k) <= upTo; k, v = c.First() {
		if limit == 0 {
			return true, nil
		}
		limit--
		if _, err := log.Decode(v); err != nil {
			if err := aside.Put(append([]byte(nil), k...), append([]byte(nil), v...)); err != nil {
				return false, err
			}
		}
		if err := records.Delete(append([]byte(nil), k...)); err != nil {
			return false, err
		}
	}
	return false, nil
}

// Docs implements store.Store.
func (s *Store) Docs(f func(store.Doc) error) error {
	var names []store.Doc
	err := s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketDocs()).ForEachBucket(func(k []byte) error {
			if name, ok := parseDocKey(k); ok {
				names = append(names, name)
			}
			return nil
		})
	})
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

// Close implements store.Store.
func (s *Store) Close() error { return s.db.Close() }

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

// Shrink writes what is in the file at path into a new one of the smallest size and puts it in the place of the old one.
// bbolt keeps the room of what was deleted for later, and never gives it back to the disk. Nobody may have the file open.
func Shrink(path string) error {
	old, err := Open(path)
	if err != nil {
		return err
	}
	fresh := path + ".shrinking"
	if err := errors.Join(copyInto(fresh, old), old.Close()); err != nil {
		return errors.Join(fmt.Errorf("shrinking %s: %w", path, classify(err)), os.Remove(fresh))
	}
	if err := os.Rename(fresh, path); err != nil {
		return fmt.Errorf("shrinking %s: %w", path, err)
	}
	return nil
}

// shrinkTransaction is the number of bytes that Shrink copies at once.
const shrinkTransaction = 1 << 20

func copyInto(path string, old *Store) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) { // of an attempt that was killed
		return err
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockTimeout})
	if err != nil {
		return err
	}
	return errors.Join(bbolt.Compact(db, old.db, shrinkTransaction), db.Close())
}
