//go:build unix && !linux

package ws

import "syscall"

// writeSome writes what a socket takes without waiting, and returns how much that is; 0 or less if it takes nothing, or has failed.
func writeSome(raw syscall.RawConn, b []byte) int {
	n := 0
	err := raw.Write(func(fd uintptr) bool {
		n, _ = syscall.Write(int(fd), b) // the writing goroutine meets the error, too
		return true
	})
	if err != nil {
		return 0
	}
	return n
}
