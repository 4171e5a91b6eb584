package turn

import (
	"net/netip"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// batchSize is how many datagrams one system call moves at most.
const batchSize = 64

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32 // bytes received
}

// messages are the arguments of recvmmsg and sendmmsg for a batch. They point into themselves and must not be copied.
type messages struct {
	hdr  [batchSize]mmsghdr
	iov  [batchSize]unix.Iovec
	name [batchSize]unix.RawSockaddrInet6 // big enough for IPv4 too
	ctl  [batchSize]segmentSize
}

// segmentSize is the control message UDP_SEGMENT (Linux udp(7)): how the kernel cuts one long send into datagrams.
type segmentSize struct {
	hdr  unix.Cmsghdr
	size uint16
	_    [6]byte // up to the alignment of control messages
}

func newMessages() *messages {
	m := &messages{}
	for i := range m.hdr {
		m.hdr[i].hdr.Iov = &m.iov[i]
		m.hdr[i].hdr.SetIovlen(1)
		m.hdr[i].hdr.Name = (*byte)(unsafe.Pointer(&m.name[i]))
	}
	return m
}

// receive reads up to limit datagrams of fd into the buffers that iov names. It does not block: 0 means there are none.
func (m *messages) receive(fd, limit int) int {
	for i := range limit {
		m.hdr[i].hdr.Namelen = unix.SizeofSockaddrInet6
	}
	// A raw system call: it never blocks, and telling the scheduler of each costs more than the call.
	n, _, errno := syscall.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&m.hdr)), uintptr(limit),
		unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}

// receiveOne is receive for one datagram, which costs less than a batch of one: no message header crosses into the kernel.
func (m *messages) receiveOne(fd int) int {
	size := uint32(unix.SizeofSockaddrInet6)
	n, _, errno := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(m.iov[0].Base)), uintptr(m.iov[0].Len),
		unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(&m.name[0])), uintptr(unsafe.Pointer(&size)))
	if errno != 0 {
		return 0
	}
	m.hdr[0].n = uint32(n) //nolint:gosec // at most the buffer's length
	return 1
}

// buffer says where datagram i is to be received.
func (m *messages) buffer(i int, b []byte) {
	m.iov[i].Base = &b[0]
	m.iov[i].SetLen(len(b))
}

// from is the sender of received datagram i.
func (m *messages) from(i int) netip.AddrPort { return addressOf(&m.name[i]) }

func addressOf(sa *unix.RawSockaddrInet6) netip.AddrPort {
	if sa.Family == unix.AF_INET {
		four := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom4(four.Addr), swap(four.Port))
	}
	return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), swap(sa.Port))
}

// setAddress writes a as a socket address and returns its size.
func setAddress(sa *unix.RawSockaddrInet6, a netip.AddrPort) uint32 {
	if a.Addr().Is4() {
		*(*unix.RawSockaddrInet4)(unsafe.Pointer(sa)) = unix.RawSockaddrInet4{
			Family: unix.AF_INET, Port: swap(a.Port()), Addr: a.Addr().As4(),
		}
		return unix.SizeofSockaddrInet4
	}
	*sa = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: swap(a.Port()), Addr: a.Addr().As16()}
	return unix.SizeofSockaddrInet6
}

// swap turns a port from or into network order, whatever the machine's.
func swap(p uint16) uint16 {
	b := (*[2]byte)(unsafe.Pointer(&p))
	return uint16(b[0])<<8 | uint16(b[1])
}

// datagram is one to be sent.
type datagram struct {
	b  []byte
	to netip.AddrPort
}

// Bounds of one segmented send: the kernel's UDP_MAX_SEGMENTS was 64 for long, and the whole must fit an IP packet.
const (
	maxSegments     = 64
	maxSegmentBytes = 65000
)

// fill prepares list, at most batchSize of them, for sending and returns how many messages that makes: neighbours of one
// size, up to largest, to one address become one message.
func (m *messages) fill(list []datagram, largest int) int {
	k := 0
	for i := 0; i < len(list); k++ {
		n := 1
		if len(list[i].b) <= largest {
			n = run(list[i:])
		}
		for j, d := range list[i : i+n] {
			m.buffer(i+j, d.b)
		}
		h := &m.hdr[k].hdr
		h.Name = (*byte)(unsafe.Pointer(&m.name[k]))
		h.Namelen = setAddress(&m.name[k], list[i].to)
		h.Iov = &m.iov[i]
		h.SetIovlen(n)
		h.Control = nil
		h.SetControllen(0)
		if n > 1 {
			m.segment(k, len(list[i].b))
		}
		i += n
	}
	return k
}

func (m *messages) segment(k, size int) {
	c := &m.ctl[k]
	c.hdr.Level, c.hdr.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
	c.hdr.SetLen(unix.CmsgLen(2))
	c.size = uint16(size) //nolint:gosec // a datagram's length
	m.hdr[k].hdr.Control = (*byte)(unsafe.Pointer(c))
	m.hdr[k].hdr.SetControllen(unix.CmsgSpace(2))
}

// run is how many datagrams at the start of list can be one segmented send: same address, same size, the last may be shorter.
func run(list []datagram) int {
	total, size := 0, len(list[0].b)
	for i, d := range list {
		if i == maxSegments || d.to != list[0].to || len(d.b) > size || total+len(d.b) > maxSegmentBytes {
			return i
		}
		total += len(d.b)
		if len(d.b) < size {
			return i + 1
		}
	}
	return len(list)
}

// sendOne sends a datagram, which costs less than a batch of one. It does not block.
func (m *messages) sendOne(fd int, d datagram) syscall.Errno {
	size := setAddress(&m.name[0], d.to)
	_, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(d.b))), uintptr(len(d.b)),
		unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(&m.name[0])), uintptr(size))
	return errno
}

// send sends messages from..to of what fill prepared and returns how many went. It does not block.
func (m *messages) send(fd, from, to int) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&m.hdr[from])), uintptr(to-from),
		unix.MSG_DONTWAIT, 0, 0)
	runtime.KeepAlive(m)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// sender sends batches on one socket, or on sockets of one kind.
type sender struct {
	msgs    *messages
	largest int // the largest segment that the kernel takes, as far as we know; 0 when it takes none
}

// Bounds of what is learnt about segments, in bytes.
const (
	largestSegment = relayBuf // larger than any datagram here: nothing is known yet
	leastSegment   = 500      // not worth trying below: no path of the Internet is narrower
)

func newSender() sender { return sender{newMessages(), largestSegment} }

// writableWait is how long a full send buffer is waited for, in milliseconds: more than a busy network card needs to drain
// it, and short enough that the other clients of the socket do not notice.
const writableWait = 5

// send sends list, at most batchSize, and returns how many datagrams could not be sent.
func (s *sender) send(fd int, list []datagram) (failed int) {
	if len(list) == 1 {
		return s.sendOne(fd, list[0])
	}
	total := s.msgs.fill(list, s.largest)
	waited := false
	for at := 0; at < total; {
		n, errno := s.msgs.send(fd, at, total)
		at += n
		switch {
		case n > 0 || errno == 0 && n == 0 && at >= total:
			waited = false
		case errno == unix.EINTR:
		case (errno == unix.EAGAIN || errno == unix.ENOBUFS) && !waited:
			waited = true
			awaitWritable(fd)
		case (errno == unix.EIO || errno == unix.EINVAL) && s.msgs.hdr[at].hdr.Control != nil:
			s.learn(errno, int(s.msgs.ctl[at].size))
			return failed + s.send(fd, list[s.datagrams(at):])
		default:
			failed += int(s.msgs.hdr[at].hdr.Iovlen) //nolint:gosec,unconvert // at most batchSize; 32 bits wide on some machines
			at++
		}
	}
	return failed
}

func (s *sender) sendOne(fd int, d datagram) (failed int) {
	errno := s.msgs.sendOne(fd, d)
	if errno == unix.EAGAIN || errno == unix.ENOBUFS {
		awaitWritable(fd)
		errno = s.msgs.sendOne(fd, d)
	}
	if errno != 0 {
		return 1
	}
	return 0
}

// learn notes what a refused segmented send teaches: EIO says that the device cannot do it, EINVAL that the segments do not
// fit the path, or that the kernel knows none.
func (s *sender) learn(errno syscall.Errno, size int) {
	s.largest = size - 1
	if errno == unix.EIO || s.largest < leastSegment {
		s.largest = 0
	}
}

// datagrams is how many datagrams the messages before at hold.
func (s *sender) datagrams(at int) (n int) {
	for i := range at {
		n += int(s.msgs.hdr[i].hdr.Iovlen) //nolint:gosec,unconvert // see send
	}
	return n
}

func awaitWritable(fd int) {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}} //nolint:gosec // a descriptor
	_, _ = unix.Poll(fds, writableWait)
}
