package storetest

import (
	"errors"

	"github.com/turnout-rtc/turnout/datachannel/log"
	"github.com/turnout-rtc/turnout/datachannel/store"
)

// Fault is a way for Append to fail.
type Fault int

// The faults.
const (
	None        Fault = iota
	FailedWrite       // nothing is stored
	FailedSync        // all is stored, and the caller is told that it is not known
	FullDisk          // nothing is stored, store.ErrFull
	TornRecord        // all is stored, the last record is damaged, and the caller is told
)

// errInjected is what the caller is told.
var errInjected = errors.New("injected fault")

// Faulty is a store whose Append fails when Next says so.
type Faulty struct {
	store.Store
	Next   func() Fault
	Damage func(d store.Doc, seq uint64)
}

// Append fails as Next says.
func (f *Faulty) Append(writes []store.Write) error {
	switch f.Next() {
	case FailedWrite:
		return errInjected
	case FullDisk:
		return store.ErrFull
	case FailedSync:
		return errors.Join(f.Store.Append(writes), errInjected)
	case TornRecord:
		err := f.Store.Append(writes)
		if n := len(writes); n > 0 {
			f.Damage(writes[n-1].Doc, writes[n-1].Record.Seq)
		}
		return errors.Join(err, errInjected)
	case None:
	}
	return f.Store.Append(writes)
}

var _ store.Store = (*Faulty)(nil)

// record is one for tests.
func record(seq uint64, data string) log.Record {
	return log.Record{Seq: seq, Kind: log.Update, Subject: "alice", Time: at, Data: []byte(data)}
}
