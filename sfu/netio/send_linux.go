package netio

import (
	"encoding/binary"
	"net"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

var gsoSpace = unix.CmsgSpace(2) // a uint16

// batchSender sends with sendmmsg. Owned by the goroutine that writes.
//
// The first try goes through RawConn.Control, which takes no lock: Writers of one socket do not wait for each other. Only
// one that finds the kernel's buffer full waits on the poller.
type batchSender struct {
	// Set at construction, never changed.
	sock     *Socket
	rc       syscall.RawConn
	sendmmsg func(fd uintptr, hdrs *mmsghdr, n int) (int, unix.Errno)
	try      func(fd uintptr)
	wait     func(fd uintptr) bool

	all     vector
	singles vector  // of one burst that the kernel would not cut
	cut     []burst // the same, as bursts of one datagram
	cur     *vector // the one that attempt sends
	errno   unix.Errno
	sent    int
	until   time.Time // when this send stops waiting; zero while it has not had to
}

// vector is the argument of one sendmmsg, and how far it has come.
type vector struct {
	hdrs    []mmsghdr
	iovs    []unix.Iovec
	addrs   []unix.RawSockaddrInet6
	control []byte
	bursts  []burst // what the headers stand for, one each
	next    int     // the first that has not been sent
}

func newVector(n int) vector {
	return vector{hdrs: make([]mmsghdr, n), iovs: make([]unix.Iovec, n), addrs: make([]unix.RawSockaddrInet6, n),
		control: make([]byte, n*gsoSpace)}
}

// fill writes a header for each burst.
func (v *vector) fill(arena []byte, bursts []burst) {
	v.bursts, v.next = bursts, 0
	for i := range bursts {
		u, h := &bursts[i], &v.hdrs[i].hdr
		h.Name, h.Namelen = (*byte)(unsafe.Pointer(&v.addrs[i])), putAddr(&v.addrs[i], u.to)
		v.iovs[i].Base = &arena[u.off]
		v.iovs[i].SetLen(u.size)
		h.Iov = &v.iovs[i]
		h.SetIovlen(1)
		h.Control = nil
		h.SetControllen(0)
		if u.size == u.seg {
			continue
		}
		c := v.control[i*gsoSpace : (i+1)*gsoSpace]
		m := (*unix.Cmsghdr)(unsafe.Pointer(&c[0]))
		m.Level, m.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
		m.SetLen(unix.CmsgLen(2))
		binary.NativeEndian.PutUint16(c[unix.CmsgLen(0):], uint16(u.seg))
		h.Control = &c[0]
		h.SetControllen(gsoSpace)
	}
}

func (s *Socket) newSender() sender {
	rc, err := s.conn.SyscallConn()
	if err != nil || !s.caps.Batch {
		return portableSender{s}
	}
	b := &batchSender{sock: s, rc: rc, sendmmsg: sendmmsg, all: newVector(maxBursts), singles: newVector(maxBurst)}
	b.try = b.attempt
	b.wait = func(fd uintptr) bool { b.attempt(fd); return b.errno != unix.EAGAIN }
	return b
}

// atOnce is how many messages a system call takes at most. The runtime is not told of the call, see sendmmsg, so it must not last.
const atOnce = 64

// sendmmsg never waits. So the runtime is not told of it: at low rates that would wake its monitor thread every time, which costs
// more than sending a packet.
func sendmmsg(fd uintptr, hdrs *mmsghdr, n int) (int, unix.Errno) {
	r, _, e := unix.RawSyscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(hdrs)), uintptr(n), unix.MSG_DONTWAIT, 0, 0)
	return int(r), e
}

func (b *batchSender) attempt(fd uintptr) {
	b.sent, b.errno = 0, unix.EINTR
	for b.errno == unix.EINTR {
		b.sent, b.errno = b.sendmmsg(fd, &b.cur.hdrs[b.cur.next], min(len(b.cur.bursts)-b.cur.next, atOnce))
	}
}

func (b *batchSender) send(arena []byte, bursts []burst) error {
	b.until = time.Time{}
	b.all.fill(arena, bursts)
	return b.run(&b.all, arena)
}

// run sends v to its end.
func (b *batchSender) run(v *vector, arena []byte) error {
	c := b.sock.count
	for v.next < len(v.bursts) {
		b.cur = v
		err := b.rc.Control(b.try)
		if err == nil && b.errno == unix.EAGAIN {
			c.blockedTimes.Add(1)
			if !b.waitForRoom() {
				c.blocked.Add(v.rest())
				return nil
			}
		}
		u := &v.bursts[v.next]
		switch {
		case err != nil:
			c.closed.Add(v.rest())
			return net.ErrClosed
		case b.errno == 0:
			c.sends.Add(1)
			b.countSent(v)
		case u.size > u.seg && b.refused(b.errno):
			v.next++
			if err := b.sendSingly(arena, u); err != nil {
				return err
			}
		default:
			c.failed.Add(u.segments())
			v.next++
		}
	}
	return nil
}

// waitForRoom sends as soon as the kernel has room, and says false if WriteWait is over.
func (b *batchSender) waitForRoom() bool {
	b.sock.waits.Lock()
	defer b.sock.waits.Unlock()
	if b.until.IsZero() {
		b.until = b.sock.cfg.waitUntil()
	}
	_ = b.sock.conn.SetWriteDeadline(b.until)
	return b.rc.Write(b.wait) == nil
}

// refused says whether e is about GSO, and turns it off for the socket if it will not get better. EIO: the device cannot
// compute checksums. EINVAL: the kernel does not know the option after all. EMSGSIZE: this path's MTU is smaller than the
// datagrams, which then go as IP fragments.
func (b *batchSender) refused(e unix.Errno) bool {
	if e == unix.EIO || e == unix.EINVAL {
		b.sock.gso.Store(false)
	}
	return e == unix.EIO || e == unix.EINVAL || e == unix.EMSGSIZE
}

func (b *batchSender) sendSingly(arena []byte, u *burst) error {
	b.cut = b.cut[:0]
	for at := 0; at < u.size; at += u.seg {
		n := min(u.seg, u.size-at)
		b.cut = append(b.cut, burst{off: u.off + at, size: n, seg: n, to: u.to})
	}
	b.singles.fill(arena, b.cut)
	return b.run(&b.singles, arena)
}

func (b *batchSender) countSent(v *vector) {
	var packets, bytes uint64
	for _, u := range v.bursts[v.next : v.next+b.sent] {
		packets += u.segments()
		bytes += uint64(u.size)
	}
	v.next += b.sent
	b.sock.count.packetsOut.Add(packets)
	b.sock.count.bytesOut.Add(bytes)
}

// rest is the number of datagrams that have not been sent.
func (v *vector) rest() (n uint64) {
	for i := range v.bursts[v.next:] {
		n += v.bursts[v.next+i].segments()
	}
	return n
}
