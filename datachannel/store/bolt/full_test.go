//go:build linux

package bolt_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/turnout-rtc/turnout/datachannel/log"
	"github.com/turnout-rtc/turnout/datachannel/store"
	"github.com/turnout-rtc/turnout/datachannel/store/bolt"
)

// TestAFullDiskIsNamedAndCostsNothing fills a file system of 2 MB. It needs the right to mount one.
func TestAFullDiskIsNamedAndCostsNothing(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("a small file system cannot be mounted: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	s, err := bolt.Open(filepath.Join(dir, "data.db"))
	if err != nil {
		t.Fatal(err)
	}
	doc := store.Doc{Room: "room", Name: "notes"}
	stored := uint64(0)
	for ; err == nil && stored < 1000; stored++ {
		err = s.Append([]store.Write{{Doc: doc, Epoch: 1, Record: log.Record{Seq: stored + 1, Kind: log.Update, Data: bytes.Repeat([]byte{1}, 16<<10)}}})
	}
	if !errors.Is(err, store.ErrFull) {
		t.Fatalf("after %d records: %v", stored, err)
	}
	state, err := s.Load(doc)
	if err != nil || state.Last() < stored-1 || len(state.Damaged) > 0 {
		t.Errorf("%d records of %d, %v", state.Last(), stored-1, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = bolt.Open(filepath.Join(dir, "data.db")); err != nil {
		t.Fatal(err)
	}
	if again, err := s.Load(doc); err != nil || again.Last() < stored-1 || len(again.Damaged) > 0 {
		t.Errorf("after opening it again: %d records of %d, %v", again.Last(), stored-1, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
