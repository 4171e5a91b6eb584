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

// portableSender sends one datagram per call.
type portableSender struct{ sock *Socket }

func (p portableSender) send(arena []byte, bursts []burst) error {
	c := p.sock.count
	p.sock.waits.Lock()
	defer p.sock.waits.Unlock()
	_ = p.sock.conn.SetWriteDeadline(p.sock.cfg.waitUntil())
	for i := range bursts {
		b := &bursts[i]
		for at := 0; at < b.size; at += b.seg {
			d := arena[b.off+at : b.off+min(at+b.seg, b.size)]
			switch _, err := p.sock.conn.WriteToUDPAddrPort(d, b.to); {
			case err == nil:
				c.sends.Add(1)
				c.packetsOut.Add(1)
				c.bytesOut.Add(uint64(len(d)))
			case errors.Is(err, net.ErrClosed):
				c.closed.Add(1)
				return net.ErrClosed
			case errors.Is(err, os.ErrDeadlineExceeded):
				c.blockedTimes.Add(1)
				c.blocked.Add(1)
			default:
				c.failed.Add(1)
			}
		}
	}
	return nil
}
