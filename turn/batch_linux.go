package turn

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/turnout-rtc/turnout/turn/frame"
)

// batchTransport is a UDP socket and the sockets of all its clients' relays, read by one goroutine, pion's read loop. Many
// datagrams cross into the kernel at once: up from the clients in one call, then one call per relay; down from each relay
// in one call, then one for all clients together.
type batchTransport struct {
	// Set at construction or by attach, before the first read; never changed.
	sock *socket
	poll *poller
	fd   int

	// Owned by read.
	in     inbox
	up     upBatch
	down   downBatch
	events []unix.EpollEvent // not yet looked at

	mu     sync.Mutex           // held while descriptors are in use, for one system call
	relays map[int]*batchOutlet // Guarded by mu: by descriptor
	closed bool                 // Guarded by mu.
	direct sender               // Guarded by mu: for single messages
}

// inbox holds what recvmmsg brought from clients.
type inbox struct {
	msgs  *messages
	bufs  [batchSize][frame.Max + 1]byte
	at, n int // what has been looked at, and what there is
}

// upBatch collects payloads on their way to peers.
type upBatch struct {
	sender
	list   [batchSize]datagram
	relays [batchSize]*relay
	n      int
	group  [batchSize]datagram // those of one relay
}

// downBatch collects messages on their way to clients, in the buffers into which they were read.
type downBatch struct {
	sender
	msgs *messages // for receiving
	bufs [batchSize][relayBuf]byte
	used int // buffers
	list [batchSize]datagram
	n    int
}

// newBatch takes conn over. The sockets are taken out of Go's poller: they are waited for here.
func newBatch(conn *net.UDPConn) (*batchTransport, error) {
	poll, err := newPoller()
	if err != nil {
		return nil, err
	}
	fd, err := detach(conn)
	if err == nil {
		if err = poll.add(fd); err != nil {
			_ = unix.Close(fd)
		}
	}
	if err != nil {
		poll.close()
		return nil, err
	}
	t := &batchTransport{poll: poll, fd: fd, relays: map[int]*batchOutlet{}}
	t.in.msgs, t.down.msgs = newMessages(), newMessages()
	for i := range t.in.bufs {
		t.in.msgs.buffer(i, t.in.bufs[i][:])
	}
	for _, s := range []*sender{&t.up.sender, &t.down.sender, &t.direct} {
		*s = newSender()
	}
	return t, nil
}

// detach returns a descriptor of conn's socket that Go's poller does not know, and closes conn if that succeeds.
func detach(conn *net.UDPConn) (fd int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return -1, err
	}
	if cerr := raw.Control(func(old uintptr) { fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0) }); cerr != nil {
		return -1, cerr
	}
	if err != nil {
		return -1, os.NewSyscallError("fcntl", err)
	}
	return fd, conn.Close()
}

func (t *batchTransport) attach(s *socket) { t.sock = s }

// read returns the next message that is not data.
func (t *batchTransport) read(p []byte) (int, netip.AddrPort, error) {
	for {
		if n, from, ok := t.drain(p); ok {
			return n, from, nil
		}
		if len(t.events) == 0 {
			t.flushDown()
			events, err := t.poll.wait()
			if err != nil {
				return 0, netip.AddrPort{}, net.ErrClosed
			}
			t.events = events
		}
		fd := int(t.events[0].Fd)
		t.events = t.events[1:]
		if fd == t.fd {
			t.receive()
		} else {
			t.pump(fd)
		}
	}
}

// receive fills the inbox.
func (t *batchTransport) receive() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.in.at, t.in.n = 0, 0
	if !t.closed {
		t.in.n = t.in.msgs.receive(t.fd, batchSize)
	}
}

// drain relays what is in the inbox, up to a message that is not data, which it puts into p.
func (t *batchTransport) drain(p []byte) (n int, from netip.AddrPort, ok bool) {
	if t.in.at == t.in.n {
		return 0, from, false
	}
	now := time.Now()
	for !ok && t.in.at < t.in.n {
		i := t.in.at
		t.in.at++
		b := t.in.bufs[i][:t.in.msgs.hdr[i].n]
		from = t.in.msgs.from(i)
		if !t.forward(now, b, from) {
			n, ok = copy(p, b), true
		}
	}
	t.flushUp()
	return n, from, ok
}

// forward puts b into the upward batch if it is data, and says whether it was.
func (t *batchTransport) forward(now time.Time, b []byte, from netip.AddrPort) (isData bool) {
	r, to, payload, why, ok, isData := t.sock.route(now, b, from)
	switch {
	case !isData:
	case !ok:
		t.sock.srv.count.drop(why)
	default:
		u := &t.up
		u.list[u.n], u.relays[u.n] = datagram{payload, to}, r
		u.n++
	}
	return isData
}

// flushUp sends the upward batch, relay by relay, each in the order of arrival.
func (t *batchTransport) flushUp() {
	u := &t.up
	for i := range u.n {
		r := u.relays[i]
		if r == nil {
			continue // went with an earlier one of its relay
		}
		k, size := 0, 0
		for j := i; j < u.n; j++ {
			if u.relays[j] == r {
				u.group[k], u.relays[j] = u.list[j], nil
				k++
				size += len(u.list[j].b)
			}
		}
		t.sendUp(r, u.group[:k], size)
	}
	u.n = 0
}

func (t *batchTransport) sendUp(r *relay, list []datagram, size int) {
	o, ok := r.out.(*batchOutlet)
	if !ok { // handed over in memory
		for _, d := range list {
			r.send(d.b, d.to)
		}
		return
	}
	t.mu.Lock()
	if o.closed {
		t.mu.Unlock()
		return
	}
	failed := t.up.send(o.fd, list)
	t.mu.Unlock()
	t.sock.srv.count.dropped[dropFull].Add(uint64(failed)) //nolint:gosec // a count
	r.sent(len(list)-failed, size)
}

// pump reads one relay's socket into the downward batch.
func (t *batchTransport) pump(fd int) {
	d := &t.down
	if batchSize-d.used < pumpSize {
		t.flushDown()
	}
	first := d.used
	r, n := t.receiveFrom(fd, d.bufs[first:first+pumpSize])
	now := time.Now()
	relayed, size := 0, 0
	for i := range n {
		length := int(d.msgs.hdr[i].n)
		if m := r.wrap(now, d.bufs[first+i][:], length, d.msgs.from(i)); m != nil {
			d.list[d.n] = datagram{m, r.client}
			d.n++
			relayed++
			size += length
		}
	}
	d.used += n
	if relayed > 0 {
		r.received(relayed, size)
	}
}

// receiveFrom receives what one relay's socket has, if it is still open. Most have one datagram at a time, and looking in vain
// for a second costs half as much as the first. So one is asked for alone. If the poller names the relay again before it has
// run out of work, there are more, and each time twice as many are asked for.
func (t *batchTransport) receiveFrom(fd int, bufs [][relayBuf]byte) (r *relay, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.relays[fd]
	if o == nil {
		return nil, 0
	}
	want := 1
	if o.idle == t.poll.idle {
		want = min(2*o.want, pumpSize)
	}
	o.want, o.idle = want, t.poll.idle
	for i := range want {
		t.down.msgs.buffer(i, bufs[i][frame.Headroom:frame.Headroom+relayMTU])
	}
	if want == 1 {
		n = t.down.msgs.receiveOne(fd)
	} else {
		n = t.down.msgs.receive(fd, want)
	}
	return o.relay, n
}

// pumpSize is how many datagrams are taken from one relay before the next has its turn.
const pumpSize = 16

// flushDown sends the downward batch.
func (t *batchTransport) flushDown() {
	d := &t.down
	if d.n > 0 {
		t.mu.Lock()
		if !t.closed {
			failed := d.send(t.fd, d.list[:d.n])
			t.sock.srv.count.dropped[dropFull].Add(uint64(failed)) //nolint:gosec // a count
		}
		t.mu.Unlock()
	}
	d.n, d.used = 0, 0
}

// write sends one message at once.
func (t *batchTransport) write(b []byte, to netip.AddrPort) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return net.ErrClosed
	}
	if t.direct.send(t.fd, []datagram{{b, to}}) > 0 {
		return errNotSent
	}
	return nil
}

func (t *batchTransport) hold(bool) {}

func (t *batchTransport) close() error {
	t.poll.close() // ends read
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		t.closed = true
		_ = unix.Close(t.fd)
	}
	return nil
}
