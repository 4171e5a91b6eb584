package netio

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// single is one datagram on its way, with what the kernel wants to know. They are used again: a new one for each would be garbage.
type single struct {
	b     []byte
	to    unix.RawSockaddrInet6
	size  uint32
	errno unix.Errno
	send  func(fd uintptr) // sendto, made once
}

// spareSingles is how many wait for use: more goroutines than that seldom send at the same moment.
const spareSingles = 8

func (s *Socket) takeSingle() *single {
	select {
	case one := <-s.singles:
		return one
	default:
		one := new(single)
		one.send = one.sendto
		return one
	}
}

func (s *Socket) giveSingle(one *single) {
	one.b = nil
	select {
	case s.singles <- one:
	default:
	}
}

// sendto never waits, and the runtime is not told of it, see sendmmsg.
func (s *single) sendto(fd uintptr) {
	for {
		_, _, s.errno = unix.RawSyscall6(unix.SYS_SENDTO, fd, uintptr(unsafe.Pointer(unsafe.SliceData(s.b))), uintptr(len(s.b)),
			unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(&s.to)), uintptr(s.size))
		if s.errno != unix.EINTR {
			return
		}
	}
}

// writeNow sends a datagram if nothing stands in the way, and counts it. It says false if something does: then it was not sent.
func (s *Socket) writeNow(b []byte, to netip.AddrPort) bool {
	if s.rc == nil || len(b) == 0 || !to.IsValid() || to.Addr().Is4() != s.addr.Addr().Is4() {
		return false
	}
	one := s.takeSingle()
	one.b, one.size = b, putAddr(&one.to, to)
	err := s.rc.Control(one.send)
	sent := err == nil && one.errno == 0
	s.giveSingle(one)
	if sent {
		s.count.sends.Add(1)
		s.count.packetsOut.Add(1)
		s.count.bytesOut.Add(uint64(len(b)))
	}
	return sent
}
