package lite

import "github.com/turnout-rtc/turnout/sfu/netio"

// Outlet is one goroutine's way out to all peers of a Server. A datagram is encrypted into the place it is sent from: Slot,
// write into it, Commit. A peer's datagrams in a row, of one length, go to the kernel as one.
type Outlet struct {
	// Owned by the goroutine that sends.
	writers []*netio.Writer // by the socket's number; made when first needed
	dirty   []*netio.Writer // with something to flush
	frame   []byte          // the place of a datagram over TCP
}

// NewOutlet makes an Outlet. It needs no closing.
func (s *Server) NewOutlet() *Outlet { return &Outlet{} }

// Slot returns n bytes to write the next datagram to p into, or nil if n is more than a datagram holds.
func (o *Outlet) Slot(p Path, n int) []byte {
	if n > netio.MaxDatagram {
		return nil
	}
	if p.TCP == nil {
		return o.writer(p).Slot(n)
	}
	if o.frame == nil {
		o.frame = make([]byte, netio.MaxDatagram)
	}
	return o.frame[:n:n]
}

// Commit sends the first n bytes of the last Slot to p, the same as of that Slot: over TCP at once, else with Flush.
func (o *Outlet) Commit(p Path, n int) {
	if p.TCP != nil {
		p.TCP.Send(o.frame[:n])
		return
	}
	w := o.writer(p)
	if w.Empty() {
		o.dirty = append(o.dirty, w)
	}
	w.Commit(n, p.Remote)
}

// Flush sends what was committed. What the kernel does not take is dropped and counted by the socket.
func (o *Outlet) Flush() {
	for _, w := range o.dirty {
		_ = w.Flush() // the only error is that the server was closed
	}
	o.dirty = o.dirty[:0]
}

func (o *Outlet) writer(p Path) *netio.Writer {
	if missing := p.Number + 1 - len(o.writers); missing > 0 {
		o.writers = append(o.writers, make([]*netio.Writer, missing)...)
	}
	if w := o.writers[p.Number]; w == nil || w.Socket() != p.Socket { // another socket has the number now
		o.writers[p.Number] = p.Socket.NewWriter()
	}
	return o.writers[p.Number]
}
