package turn

import (
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// batchOutlet is a relay's socket, read and written by its transport.
type batchOutlet struct {
	t      *batchTransport
	fd     int    // Guarded by t.mu: valid while not closed
	closed bool   // Guarded by t.mu.
	relay  *relay // Guarded by t.mu.
	want   int    // Guarded by t.mu: how many datagrams were asked for last
	idle   uint64 // Guarded by t.mu: the poller's idle at that time
	done   chan struct{}
}

// open takes conn over for a relay.
func (t *batchTransport) open(conn *net.UDPConn) (outlet, error) {
	fd, err := detach(conn)
	if err != nil {
		return nil, err
	}
	return &batchOutlet{t: t, fd: fd, done: make(chan struct{})}, nil
}

func (o *batchOutlet) send(b []byte, to netip.AddrPort) error {
	o.t.mu.Lock()
	defer o.t.mu.Unlock()
	if o.closed {
		return net.ErrClosed
	}
	if o.t.direct.send(o.fd, []datagram{{b, to}}) > 0 {
		return errNotSent
	}
	return nil
}

// pump has the transport read the socket, and waits for the end.
func (o *batchOutlet) pump(r *relay) {
	if err := o.register(r); err != nil {
		_ = o.close()
	}
	<-o.done
}

func (o *batchOutlet) register(r *relay) error {
	o.t.mu.Lock()
	defer o.t.mu.Unlock()
	if o.closed {
		return net.ErrClosed
	}
	o.relay = r
	o.t.relays[o.fd] = o
	return o.t.poll.add(o.fd)
}

func (o *batchOutlet) close() error {
	o.t.mu.Lock()
	defer o.t.mu.Unlock()
	if !o.closed {
		o.closed = true
		o.t.poll.remove(o.fd)
		delete(o.t.relays, o.fd)
		_ = unix.Close(o.fd)
		close(o.done)
	}
	return nil
}
