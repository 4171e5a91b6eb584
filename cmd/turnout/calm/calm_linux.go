// Package calm has TCP connections whose reads the Go runtime is not told of. They never wait, so there is nothing to tell; and
// telling wakes the runtime's monitor thread whenever little happens, which costs more than to read a small message.
package calm

import (
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"
)

// Listener makes what l accepts calm.
func Listener(l net.Listener) net.Listener { return listener{l} }

type listener struct{ net.Listener }

// Accept waits for a connection.
func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	tcp, ok := c.(*net.TCPConn)
	if err != nil || !ok {
		return c, err
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return tcp, nil //nolint:nilerr // it works as it is
	}
	q := &conn{TCPConn: tcp, raw: raw}
	q.try = q.read
	return q, nil
}

// conn is read by one goroutine at a time, as every connection of HTTP is.
type conn struct {
	*net.TCPConn
	raw syscall.RawConn
	try func(fd uintptr) bool // read, made once

	// Owned by who reads.
	into  []byte
	n     int
	errno syscall.Errno
}

// Read reads what is there, and waits when there is nothing.
func (c *conn) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	c.into, c.n, c.errno = b, 0, 0
	err := c.raw.Read(c.try)
	c.into = nil
	switch {
	case err != nil:
		return 0, err
	case c.errno != 0:
		return 0, os.NewSyscallError("read", c.errno)
	case c.n == 0:
		return 0, io.EOF
	}
	return c.n, nil
}

// read says false if there is nothing: the poller calls again when there is.
func (c *conn) read(fd uintptr) bool {
	for {
		n, _, errno := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(unsafe.SliceData(c.into))), uintptr(len(c.into)))
		switch errno {
		case 0:
			c.n = int(n)
			return true
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		default:
			c.errno = errno
			return true
		}
	}
}
