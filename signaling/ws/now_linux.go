package ws

import (
	"syscall"
	"unsafe"
)

// writeSome writes what a socket takes without waiting, and returns how much that is; 0 or less if it takes nothing, or has failed.
// As it never waits, the runtime is not told of it: that would wake its monitor thread whenever little happens.
func writeSome(raw syscall.RawConn, b []byte) int {
	n := 0
	err := raw.Write(func(fd uintptr) bool {
		r, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		if errno == 0 { // the writing goroutine meets an error, too
			n = int(r)
		}
		return true
	})
	if err != nil {
		return 0
	}
	return n
}
