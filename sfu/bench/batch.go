//go:build linux

package main

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// batch reads many messages of a socket with one system call. Owned by one goroutine.
type batch struct {
	headers []mmsghdr
	iovs    []unix.Iovec
	buffers [][]byte
	control []byte
}

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
}

// batchSize is how many messages are read at once: what comes within a visit's pause from nine publishers.
const batchSize = 16

func newBatch() *batch {
	const skew = 64 * 5 // buffers at equal places of a page would compete for the same lines of the cache
	b := &batch{
		headers: make([]mmsghdr, batchSize), iovs: make([]unix.Iovec, batchSize), buffers: make([][]byte, batchSize),
		control: make([]byte, batchSize*controlSpace),
	}
	all := make([]byte, batchSize*(joined+skew))
	for i := range b.headers {
		b.buffers[i] = all[i*(joined+skew):][:joined]
		b.iovs[i].Base = &b.buffers[i][0]
		b.iovs[i].SetLen(joined)
		h := &b.headers[i].hdr
		h.Iov = &b.iovs[i]
		h.SetIovlen(1)
		h.Control = &b.control[i*controlSpace]
	}
	return b
}

// drain hands over all that has come to a socket.
func (b *batch) drain(s *socket, take func(b []byte, at int64)) {
	for {
		n := b.read(s)
		for i := range n {
			c := readControl(b.control[i*controlSpace:][:b.headers[i].hdr.Controllen])
			c.each(b.buffers[i][:b.headers[i].len], take)
		}
		if n < len(b.headers) {
			return
		}
	}
}

func (b *batch) read(s *socket) int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for i := range b.headers {
		b.headers[i].hdr.SetControllen(controlSpace)
	}
	n, _, e := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&b.headers[0])), uintptr(len(b.headers)),
		unix.MSG_DONTWAIT, 0, 0)
	if e != 0 {
		return 0 // nothing there, or closed
	}
	return int(n)
}
