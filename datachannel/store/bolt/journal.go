package bolt

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// journalSuffix makes the journal's name of the file's.
const journalSuffix = ".journal"

// journalBytes is the size of a journal. It is written full once and used again and again, so that an fsync has no metadata to
// write. checkpointBytes is from when on its content comes into the file: some 2000 small updates, which keep others waiting for
// some milliseconds.
const (
	journalBytes    = 512 << 10
	checkpointBytes = 256 << 10
)

// journal is the file of what is not in the Store's file yet. The zero value with a path takes nothing until begin.
type journal struct {
	path       string
	file       *os.File // nil: there is none, and append takes nothing
	usable     bool     // false: what was written last may or may not be on disk
	generation uint64
	batch      uint64 // the next one
	at         int    // where it begins
	buffer     []byte
}

func newGeneration() uint64 { return rand.Uint64() }

// read returns the whole journal as a process before has left it; nothing if there is none.
func (j *journal) read() ([]byte, error) {
	b, err := os.ReadFile(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// begin makes the journal empty. The Store's file must name the generation already.
func (j *journal) begin(generation uint64) {
	if j.file == nil {
		j.file = makeJournal(j.path)
	}
	j.generation, j.batch, j.at, j.usable = generation, 0, 0, j.file != nil
}

// stop takes nothing more until begin.
func (j *journal) stop() { j.usable = false }

// makeJournal opens a journal of full size. It is nil when that is not possible, of which a full disk is one reason: then all goes
// into the Store's file, which has a word for it.
func makeJournal(path string) *os.File {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // beside the file that the caller has named
	if err != nil {
		return nil
	}
	if fill(f) != nil || syncFolder(filepath.Dir(path)) != nil {
		_ = f.Close() // nothing was written that anybody needs
		return nil
	}
	return f
}

// fill gives the journal its full size on disk.
func fill(f *os.File) error {
	about, err := f.Stat()
	if err != nil || about.Size() == journalBytes {
		return err
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	if _, err := f.WriteAt(make([]byte, journalBytes), 0); err != nil {
		return errors.Join(err, f.Truncate(0)) // the Store's file needs the room
	}
	return f.Sync()
}

// syncFolder makes the name of a new file as durable as its content.
func syncFolder(path string) error {
	f, err := os.Open(path) //nolint:gosec // the folder of the file that the caller has named
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// append says whether the batch is on disk. If not, nothing more is taken until begin.
func (j *journal) append(batch []entry) bool {
	size := 0
	for _, e := range batch {
		size += e.frameSize()
	}
	if !j.usable || j.at+size > journalBytes {
		return false
	}
	j.buffer = j.buffer[:0]
	for i, e := range batch {
		j.buffer = appendFrame(j.buffer, place{j.generation, j.batch, uint32(i), uint32(len(batch))}, e)
	}
	_, err := j.file.WriteAt(j.buffer, int64(j.at))
	if err == nil {
		err = syncData(j.file)
	}
	if err != nil {
		j.stop()
		return false
	}
	j.at += size
	j.seal()
	j.batch++
	return true
}

// seal says of the batch that was written that it is on disk. Nothing depends on its being written, so an error is none.
func (j *journal) seal() {
	if j.at+sealBytes <= journalBytes {
		j.buffer = appendSeal(j.buffer[:0], j.generation, j.batch)
		_, _ = j.file.WriteAt(j.buffer, int64(j.at))
	}
}

func (j *journal) close() error {
	if j.file == nil {
		return nil
	}
	f := j.file
	j.file, j.usable = nil, false
	return f.Close()
}
