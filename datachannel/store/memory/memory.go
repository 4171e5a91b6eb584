// Package memory is a store that lasts as long as the process: for tests, and for those who want no file.
package memory

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/turnout-rtc/turnout/datachannel/log"
	"github.com/turnout-rtc/turnout/datachannel/store"
)

// Store keeps documents in memory, encoded as on a disk.
type Store struct {
	mu     sync.Mutex
	docs   map[store.Doc]*doc // Guarded by mu.
	closed bool               // Guarded by mu.
}

type doc struct {
	epoch    uint64
	snapshot []byte
	records  map[uint64][]byte
	aside    map[uint64][]byte // damaged records
}

var _ store.Store = (*Store)(nil)

// New makes an empty store.
func New() *Store { return &Store{docs: map[store.Doc]*doc{}} }

// Append implements store.Store.
func (s *Store) Append(writes []store.Write) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return store.ErrClosed
	}
	for _, w := range writes {
		d := s.docs[w.Doc]
		if d == nil {
			d = &doc{records: map[uint64][]byte{}, aside: map[uint64][]byte{}}
			s.docs[w.Doc] = d
		}
		d.epoch = w.Epoch
		d.records[w.Record.Seq] = log.Append(nil, w.Record)
	}
	return nil
}

// Load implements store.Store.
func (s *Store) Load(name store.Doc) (store.State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return store.State{}, store.ErrClosed
	}
	d := s.docs[name]
	if d == nil {
		return store.State{}, nil
	}
	state := store.State{Epoch: d.epoch}
	after := uint64(0)
	if d.snapshot != nil {
		r, err := log.Decode(d.snapshot)
		if err != nil {
			state.Damaged = append(state.Damaged, store.Damage{Err: err})
		} else {
			state.Snapshot, after = &r, r.Seq
		}
	}
	for _, seq := range slices.Sorted(maps.Keys(d.records)) {
		if seq <= after {
			continue
		}
		r, err := log.Decode(d.records[seq])
		if err != nil {
			state.Damaged = append(state.Damaged, store.Damage{Seq: seq, Err: err})
			continue
		}
		state.Records = append(state.Records, r)
	}
	return state, nil
}

// Compact implements store.Store.
func (s *Store) Compact(name store.Doc, snapshot log.Record, limit int) (more bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false, store.ErrClosed
	}
	d := s.docs[name]
	if d == nil {
		return false, nil
	}
	if _, err := log.Decode(d.snapshot); err != nil && d.snapshot != nil {
		d.aside[0] = d.snapshot
	}
	d.snapshot = log.Append(nil, snapshot)
	for _, seq := range slices.Sorted(maps.Keys(d.records)) {
		if seq > snapshot.Seq {
			return false, nil
		}
		if limit == 0 {
			return true, nil
		}
		limit--
		if _, err := log.Decode(d.records[seq]); err != nil {
			d.aside[seq] = d.records[seq]
		}
		delete(d.records, seq)
	}
	return false, nil
}

// Docs implements store.Store.
func (s *Store) Docs(f func(store.Doc) error) error {
	s.mu.Lock()
	names := slices.Collect(maps.Keys(s.docs))
	closed := s.closed
	s.mu.Unlock()
	if closed {
		return store.ErrClosed
	}
	slices.SortFunc(names, func(a, b store.Doc) int {
		if a.Room != b.Room {
			return strings.Compare(a.Room, b.Room)
		}
		return strings.Compare(a.Name, b.Name)
	})
	for _, name := range names {
		if err := f(name); err != nil {
			return err
		}
	}
	return nil
}

// Close implements store.Store.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

// Damage changes a byte of a stored record, for tests; seq 0 is the snapshot. It says whether there was one.
func (s *Store) Damage(name store.Doc, seq uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.docs[name]
	if d == nil {
		return false
	}
	b := d.records[seq]
	if seq == 0 {
		b = d.snapshot
	}
	if len(b) == 0 {
		return false
	}
	b[len(b)/2] ^= 1
	return true
}
