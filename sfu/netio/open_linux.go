package netio

import (
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const hasReusePort = true

func reusePort(_, _ string, rc syscall.RawConn) error {
	var err error
	if e := rc.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	}); e != nil {
		return e
	}
	return err
}

// setUp asks the kernel for what cfg wants and notes what it does not give.
func (s *Socket) setUp() error {
	rc, err := s.conn.SyscallConn()
	if err != nil {
		return err
	}
	var caps Capabilities
	if err := rc.Control(func(fd uintptr) { caps = s.cfg.probe(int(fd)) }); err != nil {
		return err
	}
	if !caps.Batch {
		s.portableSetUp("")
		s.caps = caps
		return nil
	}
	s.caps = caps
	size := MaxDatagram + 1
	if caps.GRO {
		size = 1 << 16 // a joined run is an IP packet's worth
	}
	s.in = newMessages(receiveBatch, size)
	s.rx = newBatchReceiver(rc, s.in)
	s.rc, s.singles = rc, make(chan *single, spareSingles)
	return nil
}

// probe sets the options of fd.
func (c Config) probe(fd int) Capabilities {
	caps := Capabilities{ReusePort: true}
	note := func(format string, args ...any) { caps.Notes = append(caps.Notes, fmt.Sprintf(format, args...)) }
	caps.ReadBuffer = setBuffer(fd, unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, c.ReadBuffer)
	caps.WriteBuffer = setBuffer(fd, unix.SO_SNDBUFFORCE, unix.SO_SNDBUF, c.WriteBuffer)
	if caps.ReadBuffer < c.ReadBuffer {
		note("read buffer %d instead of %d bytes: raise net.core.rmem_max", caps.ReadBuffer, c.ReadBuffer)
	}
	if caps.WriteBuffer < c.WriteBuffer {
		note("write buffer %d instead of %d bytes: raise net.core.wmem_max", caps.WriteBuffer, c.WriteBuffer)
	}
	if c.Mode == Portable {
		note("one datagram per call: asked for by configuration")
		return caps
	}
	if errno := tryBatches(fd); errno != 0 {
		note("one datagram per call: no recvmmsg or sendmmsg (%v)", errno)
		return caps
	}
	caps.Batch = true
	if c.Mode == Batch {
		note("no GSO and GRO: asked for by configuration")
		return caps
	}
	if _, err := unix.GetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT); err != nil {
		note("no GSO: %v", err)
	} else {
		caps.GSO = true
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_GRO, 1); err != nil {
		note("no GRO: %v", err)
	} else {
		caps.GRO = true
	}
	return caps
}

// setBuffer asks for a socket buffer, past the system's limit if we may, and returns the bytes granted.
func setBuffer(fd, force, normal, bytes int) int {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, force, bytes) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, normal, bytes)
	}
	n, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, normal)
	return n / 2 // the kernel doubles it for its own book-keeping, socket(7)
}

// tryBatches makes both calls with nothing to receive and nothing to send: a sandbox may refuse them.
func tryBatches(fd int) unix.Errno {
	var h mmsghdr
	_, _, e := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&h)), 1, unix.MSG_DONTWAIT, 0, 0)
	if e == unix.ENOSYS || e == unix.EPERM {
		return e
	}
	_, e = sendmmsg(uintptr(fd), &h, 0)
	return e
}

// kernelDrops is the number of datagrams the kernel dropped because nobody read fast enough.
func (s *Socket) kernelDrops() uint64 {
	rc, err := s.conn.SyscallConn()
	if err != nil {
		return 0
	}
	var info [unix.SK_MEMINFO_VARS]uint32
	_ = rc.Control(func(fd uintptr) {
		size := uint32(unsafe.Sizeof(info))
		_, _, _ = unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	})
	return uint64(info[unix.SK_MEMINFO_DROPS])
}
