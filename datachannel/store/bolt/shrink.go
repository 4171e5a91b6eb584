package bolt

import (
	"errors"
	"fmt"
	"os"

	"go.etcd.io/bbolt"
)

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
