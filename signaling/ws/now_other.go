//go:build !unix

package ws

import "syscall"

// writeSome leaves all to the writing goroutine.
func writeSome(syscall.RawConn, []byte) int { return 0 }
