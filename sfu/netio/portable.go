package netio

import (
	"errors"
	"net"
	"net/netip"
	"os"
)

// portableReceiver receives one datagram per call.
type portableReceiver struct{ conn *net.UDPConn }

func (r portableReceiver) receive(in []message) (int, error) {
	n, from, err := r.conn.ReadFromUDPAddrPort(in[0].buf)
	if err != nil {
		return 0, err
	}
	in[0].n, in[0].seg, in[0].truncated = n, n, false
	in[0].from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	return 1, nil
}

func (r portableReceiver) serve(in []message, got func(n int)) error {
	for {
		n, err := r.receive(in)
		if err != nil {
			return err
		}
		got(n)
	}
}

// portableSender sends one datagram per call.
type portableSender struct{ sock *Socket }

func (p portableSender) send(arena []byte, bursts []burst) error {
	p.sock.waits.Lock()
	defer p.sock.waits.Unlock()
	d := p.sock.newDeadline()
	for i := range bursts {
		b := &bursts[i]
		for at := 0; at < b.size; at += b.seg {
			err := d.write(arena[b.off+at:b.off+min(at+b.seg, b.size)], b.to)
			if errors.Is(err, net.ErrClosed) {
				return net.ErrClosed
			}
		}
	}
	return nil
}

// deadline bounds how long a run of datagrams may wait for a full kernel buffer. Socket.waits is held while it lives.
//
// One that has passed also fails a write that nothing stands in the way of, when this goroutine was not run for a while.
// So a datagram that fails is tried again with a new one; if it fails again the buffer is full, and the rest is dropped.
type deadline struct {
	sock  *Socket
	again int // times it may still be renewed
}

// renewals are what a processor with ten others waiting for it needs in one flush.
const renewals = 8

func (s *Socket) newDeadline() deadline {
	_ = s.conn.SetWriteDeadline(s.cfg.waitUntil())
	return deadline{sock: s, again: renewals}
}

// write sends one datagram and counts it.
func (d *deadline) write(b []byte, to netip.AddrPort) error {
	c := d.sock.count
	_, err := d.sock.conn.WriteToUDPAddrPort(b, to)
	if errors.Is(err, os.ErrDeadlineExceeded) && d.again > 0 {
		c.blockedTimes.Add(1)
		d.again--
		_ = d.sock.conn.SetWriteDeadline(d.sock.cfg.waitUntil())
		if _, err = d.sock.conn.WriteToUDPAddrPort(b, to); errors.Is(err, os.ErrDeadlineExceeded) {
			d.again = 0
		}
	}
	switch {
	case err == nil:
		c.sends.Add(1)
		c.packetsOut.Add(1)
		c.bytesOut.Add(uint64(len(b)))
	case errors.Is(err, net.ErrClosed):
		c.closed.Add(1)
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.blocked.Add(1)
	default:
		c.failed.Add(1)
	}
	return err
}
