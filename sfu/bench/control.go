//go:build linux

package main

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"
)

const joined = 1 << 16 // bytes of datagrams that the kernel has joined (GRO) at most

// timespecSize is of what the kernel says the time with.
const timespecSize = int(unsafe.Sizeof(unix.Timespec{}))

var controlSpace = unix.CmsgSpace(timespecSize) + unix.CmsgSpace(4)

// control is what the kernel says of a message it hands over.
type control struct {
	at      int64 // when it arrived, in ns since 1970; on loopback that is while the sender sends it
	segment int   // size of the datagrams it was joined from; 0 for one datagram
}

func readControl(oob []byte) (c control) {
	const header = unix.SizeofCmsghdr
	for len(oob) >= header {
		h := (*unix.Cmsghdr)(unsafe.Pointer(unsafe.SliceData(oob)))
		size := int(h.Len)
		if size < header || size > len(oob) {
			return c
		}
		data := oob[header:size]
		switch {
		case h.Level == unix.SOL_SOCKET && h.Type == unix.SCM_TIMESTAMPNS && len(data) >= timespecSize:
			t := (*unix.Timespec)(unsafe.Pointer(unsafe.SliceData(data)))
			c.at = t.Nano()
		case h.Level == unix.IPPROTO_UDP && h.Type == unix.UDP_GRO && len(data) >= 4:
			c.segment = int(int32(binary.NativeEndian.Uint32(data)))
		}
		oob = oob[min(len(oob), unix.CmsgSpace(size-header)):]
	}
	return c
}

// each hands the datagrams of a message to take.
func (c control) each(b []byte, take func(b []byte, at int64)) {
	size := c.segment
	if size <= 0 {
		size = max(len(b), 1)
	}
	for len(b) > 0 {
		n := min(size, len(b))
		take(b[:n], c.at)
		b = b[n:]
	}
}
