package bolt

import (
	"errors"
	"os"
	"syscall"
)

// syncData waits until what was written to f is on disk. Its size has not changed, so the metadata can wait.
func syncData(f *os.File) error {
	for {
		if err := syscall.Fdatasync(int(f.Fd())); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
