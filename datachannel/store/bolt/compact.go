package bolt

import (
	"bytes"
	"encoding/binary"

	"go.etcd.io/bbolt"

	"github.com/turnout-rtc/turnout/datachannel/log"
	"github.com/turnout-rtc/turnout/datachannel/store"
)

// Compact implements store.Store.
func (s *Store) Compact(name store.Doc, snapshot log.Record, limit int) (more bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err = s.update(func(tx *bbolt.Tx) error {
		d := tx.Bucket(bucketDocs()).Bucket(docKey(name))
		if d == nil {
			return nil
		}
		if err := d.Delete(keyLost()); err != nil {
			return err
		}
		if err := putSnapshot(d, log.Append(nil, snapshot)); err != nil {
			return err
		}
		more, err = removeRecords(d, snapshot.Seq, limit)
		return err
	})
	return more, err
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
