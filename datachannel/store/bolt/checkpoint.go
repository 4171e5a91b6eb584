package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"

	"go.etcd.io/bbolt"

	"github.com/turnout-rtc/turnout/datachannel/log"
	"github.com/turnout-rtc/turnout/datachannel/store"
)

func bucketJournal() []byte { return []byte("journal") }
func keyGeneration() []byte { return []byte("generation") }

// update brings what the journal has into the file, does f, and makes the journal empty, all or nothing. mu is held, or nobody else
// has the Store. After an error it is not known which generation the file names. What the journal has is good with either: with the
// old one it is replayed, with the new one it is in the file. But it takes nothing more until an update has succeeded.
func (s *Store) update(f func(*bbolt.Tx) error) error {
	generation := newGeneration()
	s.journal.stop()
	err := s.db.Update(func(tx *bbolt.Tx) error {
		for doc, batch := range s.pending {
			if err := put(tx, doc, batch); err != nil {
				return err
			}
		}
		if err := f(tx); err != nil {
			return err
		}
		return tx.Bucket(bucketJournal()).Put(keyGeneration(), binary.BigEndian.AppendUint64(nil, generation))
	})
	if err != nil {
		return classify(err)
	}
	clear(s.pending)
	s.journal.begin(generation)
	return nil
}

// put writes records of one document.
func put(tx *bbolt.Tx, doc string, batch []entry) error {
	d, err := tx.Bucket(bucketDocs()).CreateBucketIfNotExists([]byte(doc))
	if err != nil {
		return err
	}
	epoch := batch[len(batch)-1].epoch
	if stored, err := readEpoch(d); err != nil || stored != epoch {
		if err := d.Put(keyEpoch(), encodeEpoch(epoch)); err != nil {
			return err
		}
	}
	records, err := d.CreateBucketIfNotExists(bucketRecords())
	if err != nil {
		return err
	}
	for _, e := range batch {
		if err := records.Put(seqKey(e.seq), e.body); err != nil {
			return err
		}
	}
	return nil
}

// replay takes in what a process before has left in the journal, and begins a new one. On a full disk that has to wait, and documents
// can be read meanwhile.
func (s *Store) replay() error {
	left, err := s.leftBehind()
	if err != nil {
		return err
	}
	for _, e := range left.entries {
		s.pending[e.doc] = append(s.pending[e.doc], e)
	}
	err = s.update(func(tx *bbolt.Tx) error { return putAside(tx, left.lost) })
	if errors.Is(err, store.ErrFull) && len(left.lost) == 0 {
		return nil
	}
	return err
}

// leftBehind is what is in the journal, if it is that of the file.
func (s *Store) leftBehind() (left found, err error) {
	b, err := s.journal.read()
	if err != nil {
		return left, err
	}
	var generation []byte
	err = s.db.View(func(tx *bbolt.Tx) error {
		if of := tx.Bucket(bucketJournal()); of != nil {
			generation = bytes.Clone(of.Get(keyGeneration()))
		}
		return nil
	})
	if len(generation) == 8 {
		left = scan(b, binary.BigEndian.Uint64(generation))
	}
	return left, err
}

// prepare makes the buckets of a new file.
func prepare(db *bbolt.DB) error {
	there := false
	err := db.View(func(tx *bbolt.Tx) error {
		there = tx.Bucket(bucketDocs()) != nil && tx.Bucket(bucketJournal()) != nil
		return nil
	})
	if err != nil || there {
		return err
	}
	return db.Update(func(tx *bbolt.Tx) error {
		_, docs := tx.CreateBucketIfNotExists(bucketDocs())
		_, journal := tx.CreateBucketIfNotExists(bucketJournal())
		return errors.Join(docs, journal)
	})
}

// putAside keeps the parts of a journal in which nothing can be read, and has every document say that something of it may be lost:
// of which it is cannot be known.
func putAside(tx *bbolt.Tx, lost [][]byte) error {
	for _, part := range lost {
		key := binary.BigEndian.AppendUint64([]byte("lost "), newGeneration())
		if err := tx.Bucket(bucketJournal()).Put(key, part); err != nil {
			return err
		}
	}
	if len(lost) == 0 {
		return nil
	}
	docs := tx.Bucket(bucketDocs())
	return docs.ForEachBucket(func(k []byte) error {
		return docs.Bucket(k).Put(keyLost(), []byte(log.ErrDamaged.Error()))
	})
}
