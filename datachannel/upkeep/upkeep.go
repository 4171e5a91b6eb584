// Package upkeep looks after a store whose server is stopped: it checks, compacts, exports and imports documents.
package upkeep

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/turnout-rtc/turnout/datachannel/log"
	"github.com/turnout-rtc/turnout/datachannel/store"
	"github.com/turnout-rtc/turnout/datachannel/yjs"
)

// Report is what Check says of one document.
type Report struct {
	Doc      store.Doc
	Position log.Position
	Records  int // behind the snapshot
	Bytes    int // of snapshot and records
	Problems []error
}

// Check reads every document and calls f for each, until f returns an error, which it returns.
func Check(s store.Store, f func(Report) error) error {
	return s.Docs(func(d store.Doc) error {
		state, err := s.Load(d)
		if err != nil {
			return fmt.Errorf("loading document %q of room %q: %w", d.Name, d.Room, err)
		}
		_, problems := open(state)
		r := Report{Doc: d, Position: log.Position{Epoch: state.Epoch, Seq: state.Last()}, Records: len(state.Records), Problems: problems}
		for _, x := range records(state) {
			r.Bytes += len(x.Data)
		}
		return f(r)
	})
}

// records are the snapshot, if there is one, and what is behind it.
func records(state store.State) []log.Record {
	if state.Snapshot == nil {
		return state.Records
	}
	return append([]log.Record{*state.Snapshot}, state.Records...)
}

// open builds the document, leaving out what cannot be used.
func open(state store.State) (*yjs.Doc, []error) {
	var problems []error
	for _, d := range state.Damaged {
		problems = append(problems, fmt.Errorf("record %d: %w", d.Seq, d.Err))
	}
	doc := &yjs.Doc{}
	for _, r := range records(state) {
		if _, err := doc.Restore(r.Data); err != nil {
			problems = append(problems, fmt.Errorf("record %d: %w", r.Seq, err))
		}
	}
	return doc, problems
}

// slice is the number of records that one transaction removes.
const slice = 512

// Compact puts a snapshot in the place of all records, document by document; damaged ones are put aside. It returns how many
// documents it has changed. A document with damaged records gets a new epoch, because part of its history is lost.
func Compact(s store.Store, now time.Time) (changed int, err error) {
	err = s.Docs(func(d store.Doc) error {
		state, err := s.Load(d)
		if err != nil {
			return fmt.Errorf("loading document %q of room %q: %w", d.Name, d.Room, err)
		}
		if len(state.Records)+len(state.Damaged) == 0 {
			return nil
		}
		changed++
		return compact(s, d, state, now)
	})
	return changed, err
}

func compact(s store.Store, d store.Doc, state store.State, now time.Time) error {
	doc, problems := open(state)
	doc.Compact()
	seq := state.Last()
	if len(problems) > 0 {
		seq++
		nothing := log.Record{Seq: seq, Kind: log.Update, Time: now, Data: []byte{0, 0}}
		if err := s.Append([]store.Write{{Doc: d, Epoch: log.NewEpoch(), Record: nothing}}); err != nil {
			return fmt.Errorf("writing document %q of room %q: %w", d.Name, d.Room, err)
		}
	}
	snapshot := log.Record{Seq: seq, Kind: log.Snapshot, Time: now, Data: doc.Encode()}
	for more := true; more; {
		var err error
		if more, err = s.Compact(d, snapshot, slice); err != nil {
			return fmt.Errorf("compacting document %q of room %q: %w", d.Name, d.Room, err)
		}
	}
	return nil
}

// exported is one line of an export: a whole document as one Yjs update.
type exported struct {
	Room   string `json:"room"`
	Name   string `json:"name"`
	Update []byte `json:"update"` // base64
}

// Export writes every document as a line of JSON: room, name, and the document as one Yjs update in base64. What cannot be
// read is left out, and Check names it.
func Export(s store.Store, w io.Writer) (documents int, err error) {
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(out)
	err = s.Docs(func(d store.Doc) error {
		state, err := s.Load(d)
		if err != nil {
			return fmt.Errorf("loading document %q of room %q: %w", d.Name, d.Room, err)
		}
		doc, _ := open(state)
		documents++
		return enc.Encode(exported{d.Room, d.Name, doc.Encode()})
	})
	return documents, errors.Join(err, out.Flush())
}

// Import reads what Export wrote and merges it into what is there. A line that is wrong ends it, with the number of the line;
// the documents before it are stored.
func Import(s store.Store, r io.Reader, now time.Time) (documents int, err error) {
	in := bufio.NewReader(r)
	for number := 1; ; number++ {
		line, readErr := in.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			if err := importLine(s, line, now); err != nil {
				return documents, fmt.Errorf("line %d: %w", number, err)
			}
			documents++
		}
		if errors.Is(readErr, io.EOF) {
			return documents, nil
		}
		if readErr != nil {
			return documents, fmt.Errorf("reading line %d: %w", number, readErr)
		}
	}
}

func importLine(s store.Store, line []byte, now time.Time) error {
	var x exported
	if err := json.Unmarshal(line, &x); err != nil {
		return fmt.Errorf("not a line of an export: %w", err)
	}
	if x.Room == "" || x.Name == "" {
		return errors.New("not a line of an export: it needs a room and a name")
	}
	d := store.Doc{Room: x.Room, Name: x.Name}
	state, err := s.Load(d)
	if err != nil {
		return fmt.Errorf("loading document %q of room %q: %w", d.Name, d.Room, err)
	}
	doc, _ := open(state)
	restored, err := doc.Restore(x.Update)
	var twice *yjs.EquivocationError
	switch {
	case errors.As(err, &twice):
		return fmt.Errorf("document %q of room %q is another one than that in the store: %w", x.Name, x.Room, err)
	case err != nil:
		return fmt.Errorf("document %q of room %q: %w", x.Name, x.Room, err)
	case restored.New == nil:
		return nil
	}
	epoch := state.Epoch
	if epoch == 0 {
		epoch = log.NewEpoch()
	}
	write := store.Write{Doc: d, Epoch: epoch, Record: log.Record{Seq: state.Last() + 1, Kind: log.Update, Time: now, Data: restored.New}}
	if err := s.Append([]store.Write{write}); err != nil {
		return fmt.Errorf("storing document %q of room %q: %w", d.Name, d.Room, err)
	}
	return nil
}
