package turn

import (
	"net"
	"os"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// poller waits for many sockets with one epoll set, which is itself one file in Go's own poller. So a waiting goroutine
// blocks no thread; blocking in epoll_wait on a thread of its own costs more CPU than it saves.
type poller struct {
	file *os.File
	raw  syscall.RawConn

	look func(fd uintptr) bool // Set at construction, never changed: made once, as making it allocates.

	events [pollEvents]unix.EpollEvent // Owned by wait's caller.
	n      int                         // Owned by wait's caller: how many events there are
	idle   uint64                      // Owned by wait's caller: how often there were none, from 1

	mu     sync.Mutex
	closed bool // Guarded by mu, which also keeps the descriptor open while it is used.
	fd     int  // Guarded by mu.
}

const pollEvents = 64

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // otherwise os.NewFile does not give it to Go's poller
		_ = unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	p := &poller{file: os.NewFile(uintptr(fd), "epoll"), fd: fd}
	p.look, p.idle = p.poll, 1
	if p.raw, err = p.file.SyscallConn(); err != nil {
		_ = p.file.Close()
		return nil, err
	}
	return p, nil
}

func (p *poller) add(fd int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return net.ErrClosed
	}
	return unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}) //nolint:gosec // a descriptor
}

func (p *poller) remove(fd int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		_ = unix.EpollCtl(p.fd, unix.EPOLL_CTL_DEL, fd, nil)
	}
}

// wait returns the sockets that can be read, at least one. It fails when the poller is closed.
func (p *poller) wait() ([]unix.EpollEvent, error) {
	err := p.raw.Read(p.look)
	return p.events[:p.n], err
}

// poll looks for events without blocking and says whether there are any.
func (p *poller) poll(fd uintptr) bool {
	n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, fd, uintptr(unsafe.Pointer(&p.events[0])), pollEvents, 0, 0, 0)
	p.n = 0
	if errno == 0 {
		p.n = int(n)
	}
	if p.n == 0 {
		p.idle++
	}
	return p.n > 0
}

func (p *poller) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.closed = true
		_ = p.file.Close()
	}
}
