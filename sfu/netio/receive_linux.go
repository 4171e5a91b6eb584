package netio

import (
	"encoding/binary"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// receiveBatch datagrams, or runs of them, are taken per recvmmsg; beyond 32 a call gains nothing measurable.
const receiveBatch = 32

var groSpace = unix.CmsgSpace(4) // an int

// batchReceiver receives with recvmmsg. Owned by the reader.
type batchReceiver struct {
	rc      syscall.RawConn
	hdrs    []mmsghdr
	iovs    []unix.Iovec
	addrs   []unix.RawSockaddrInet6
	control []byte
	call    func(fd uintptr) bool // made once: a closure per call would be garbage
	got     int
	used    int // headers that are to be made ready again
	errno   unix.Errno
}

func newBatchReceiver(rc syscall.RawConn, in []message) *batchReceiver {
	n := len(in)
	r := &batchReceiver{rc: rc, hdrs: make([]mmsghdr, n), iovs: make([]unix.Iovec, n), addrs: make([]unix.RawSockaddrInet6, n),
		control: make([]byte, n*groSpace), used: n}
	for i := range in {
		r.iovs[i].Base = &in[i].buf[0]
		r.iovs[i].SetLen(len(in[i].buf))
		h := &r.hdrs[i].hdr
		h.Name = (*byte)(unsafe.Pointer(&r.addrs[i]))
		h.Iov = &r.iovs[i]
		h.SetIovlen(1)
		h.Control = &r.control[i*groSpace]
	}
	r.call = r.recvmmsg
	return r
}

// recvmmsg says false if there is nothing: the poller calls again when there is. Like sendmmsg it never waits, and the runtime is
// not told of it.
func (r *batchReceiver) recvmmsg(fd uintptr) bool {
	for i := range r.hdrs[:r.used] { // the kernel has written into them
		r.hdrs[i].hdr.Namelen = unix.SizeofSockaddrInet6
		r.hdrs[i].hdr.SetControllen(groSpace)
	}
	for {
		n, _, e := unix.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&r.hdrs[0])), uintptr(len(r.hdrs)), unix.MSG_DONTWAIT, 0, 0)
		if e == unix.EINTR {
			continue
		}
		r.got, r.used, r.errno = int(n), max(int(n), 0), e
		return e != unix.EAGAIN
	}
}

func (r *batchReceiver) receive(in []message) (int, error) {
	for {
		if err := r.rc.Read(r.call); err != nil {
			return 0, err
		}
		if r.broken() {
			return 0, os.NewSyscallError("recvmmsg", r.errno)
		}
		if r.errno == 0 {
			r.read(in)
			return r.got, nil
		}
	}
}

// serve asks the kernel once for each time that something has come, not again for whether that was all: a call that gives less than
// there was room for has emptied the socket, and the poller tells of what comes after that (epoll(7), edge-triggered). One wait
// lasts until the end for that reason: to begin another would forget what the poller has told since.
func (r *batchReceiver) serve(in []message, got func(n int)) error {
	err := r.rc.Read(func(fd uintptr) bool {
		for r.recvmmsg(fd) {
			if r.broken() {
				return true
			}
			if r.errno != 0 {
				continue
			}
			r.read(in)
			got(r.got)
			if r.got < len(r.hdrs) {
				break
			}
		}
		return false
	})
	if err == nil {
		err = os.NewSyscallError("recvmmsg", r.errno)
	}
	return err
}

// broken says whether nothing will be received any more. Other errors are an ICMP error of an earlier send, or no memory for the
// moment: nothing was received.
func (r *batchReceiver) broken() bool {
	switch r.errno {
	case unix.EBADF, unix.ENOTSOCK, unix.EINVAL, unix.EFAULT:
		return true
	}
	return false
}

// read takes over what was received.
func (r *batchReceiver) read(in []message) {
	for i := range r.got {
		m, h := &in[i], &r.hdrs[i]
		m.n = int(h.len)
		m.seg = r.segment(i, m.n)
		m.truncated = h.hdr.Flags&unix.MSG_TRUNC != 0
		m.from = getAddr(&r.addrs[i])
	}
}

// segment is the length of the datagrams that were joined into message i of n bytes.
func (r *batchReceiver) segment(i, n int) int {
	if int(r.hdrs[i].hdr.Controllen) < unix.CmsgLen(4) {
		return n
	}
	h := (*unix.Cmsghdr)(unsafe.Pointer(&r.control[i*groSpace]))
	if h.Level != unix.IPPROTO_UDP || h.Type != unix.UDP_GRO {
		return n
	}
	if seg := int(binary.NativeEndian.Uint32(r.control[i*groSpace+unix.CmsgLen(0):])); seg > 0 {
		return seg
	}
	return n
}
