// Package store keeps the logs of documents where a restart does not lose them.
//
// A Store is a place for them: package memory loses everything at the end, package bolt keeps a file. A Writer stands
// before a Store: it gathers what many rooms write into few transactions, and answers when they are on disk. The contract
// of a Store is written down in package storetest, which tests them all.
package store

import (
	"errors"

	"github.com/turnout-rtc/turnout/datachannel/log"
)

// Doc names a document.
type Doc struct{ Room, Name string }

// Write is a record to be appended to a document's log.
type Write struct {
	Doc    Doc
	Epoch  uint64 // the document's epoch from now on
	Record log.Record
}

// State is all that is stored of a document.
type State struct {
	Epoch    uint64      // 0: nothing is stored
	Snapshot *log.Record // nil: there is none
	Records  []log.Record
	Damaged  []Damage
}

// Damage is a record that cannot be read. Those who load go on without it.
type Damage struct {
	Seq uint64 // 0: the epoch or the snapshot
	Err error
}

// The ways in which a store fails.
var (
	ErrFull   = errors.New("the disk is full")
	ErrClosed = errors.New("the store is closed")
)

// Store keeps documents. Its methods may be called from any goroutine.
type Store interface {
	// Append stores all writes or none, and returns when they are on disk. A record with a sequence number that is stored
	// already takes its place. After an error it is not known whether they are stored.
	Append(writes []Write) error
	// Load returns what is stored of a document: the snapshot, and the records behind it by rising sequence number.
	Load(d Doc) (State, error)
	// Compact puts snapshot in the place of all records up to its sequence number, of which it removes at most limit. It
	// says whether more are left to be removed by another call. Damaged records are put aside, not removed.
	Compact(d Doc, snapshot log.Record, limit int) (more bool, err error)
	// Docs calls f for each document, until f returns an error, which it returns.
	Docs(f func(Doc) error) error
	// Close may be called twice.
	Close() error
}

// Last is the sequence number of the newest record.
func (s State) Last() uint64 {
	last := uint64(0)
	if s.Snapshot != nil {
		last = s.Snapshot.Seq
	}
	if n := len(s.Records); n > 0 {
		last = max(last, s.Records[n-1].Seq)
	}
	for _, d := range s.Damaged {
		last = max(last, d.Seq)
	}
	return last
}
