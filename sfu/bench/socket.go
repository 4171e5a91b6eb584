//go:build linux

package main

import (
	"net"
	"net/netip"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// receiveBuffer is asked of the kernel, in bytes: all that a subscriber gets within seconds.
const receiveBuffer = 4 << 20

// socket is a UDP socket on loopback. The kernel notes when each datagram arrives.
type socket struct {
	// Set at construction, never changed.
	local netip.AddrPort
	conn  *net.UDPConn // to wait for datagrams; closed when the socket is read without waiting

	mu sync.RWMutex
	fd int // the same socket, to send and to read without waiting; guarded by mu, -1 when closed
}

func newSocket() (*socket, error) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	s := &socket{local: conn.LocalAddr().(*net.UDPAddr).AddrPort(), conn: conn, fd: -1} //nolint:forcetypeassert // a UDP socket
	raw, err := conn.SyscallConn()
	if err == nil {
		err = with(raw, s.setUp)
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return s, nil
}

func with(raw syscall.RawConn, f func(fd int) error) error {
	var err error
	if e := raw.Control(func(fd uintptr) { err = f(int(fd)) }); e != nil {
		return e
	}
	return err
}

func (s *socket) setUp(fd int) error {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer) // as much as the system allows
	}
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_GRO, 1) // without it, one datagram at a time
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
		return err
	}
	var err error
	s.fd, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	return err
}

// listen waits for datagrams and hands each to take, with the time of its arrival in ns since 1970. It calls idle when it has
// handed over what came at once, and returns when the socket, or its waiting, is closed.
func (s *socket) listen(take func(b []byte, at int64), idle func()) {
	buf, oob := make([]byte, joined), make([]byte, controlSpace)
	for {
		n, oobn, _, _, err := s.conn.ReadMsgUDPAddrPort(buf, oob)
		if err != nil {
			return
		}
		c := readControl(oob[:oobn])
		c.each(buf[:n], take)
		idle()
	}
}

// quiet ends listen: from now on the socket is read without waiting, and nobody is woken up by what arrives.
func (s *socket) quiet() { _ = s.conn.Close() }

// send never waits; what the kernel has no room for is lost. The Go runtime is not told of the system call, as in sfu/netio.
func (s *socket) send(b []byte, to *unix.RawSockaddrInet4) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, _, e := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(s.fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
		unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(to)), unix.SizeofSockaddrInet4)
	if e != 0 {
		return e
	}
	return nil
}

// drops is how many messages the kernel has dropped because nobody read them in time.
func (s *socket) drops() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var info [unix.SK_MEMINFO_VARS]uint32
	size := uint32(unsafe.Sizeof(info))
	_, _, _ = unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(s.fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	return uint64(info[unix.SK_MEMINFO_DROPS])
}

// close closes the socket. It may be called twice.
func (s *socket) close() {
	_ = s.conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fd >= 0 {
		_ = unix.Close(s.fd)
	}
	s.fd = -1
}

// destination is an address as the kernel wants it.
func destination(a netip.AddrPort) *unix.RawSockaddrInet4 {
	to := &unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: a.Addr().As4()}
	port := (*[2]byte)(unsafe.Pointer(&to.Port)) // network byte order
	port[0], port[1] = byte(a.Port()>>8), byte(a.Port())
	return to
}
