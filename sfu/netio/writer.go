package netio

import "net/netip"

const (
	arenaSize   = 256 << 10 // bytes: about 200 full packets per flush
	maxBursts   = 256       // sends per flush
	maxGSOBytes = 65000     // an IP packet holds 65,535 bytes with its headers
)

// Writer collects datagrams and sends them together. It is for one goroutine; a Socket may have many.
//
// A datagram is written where it is sent from: Slot, write into it, Commit. Datagrams that follow each other to the same
// address with the same length, the last may be shorter, go to the kernel as one: give a subscriber's packets in a row.
type Writer struct {
	// Set at construction, never changed.
	sock  *Socket
	tx    sender
	arena []byte

	// Owned by the goroutine that writes.
	used   int
	bursts []burst
}

// burst is a run of datagrams to one address in a Writer's arena.
type burst struct {
	off, size int // bytes
	seg       int // bytes of each datagram but the last
	open      bool
	to        netip.AddrPort
}

func (b *burst) segments() uint64 { return uint64((b.size + b.seg - 1) / b.seg) }

// NewWriter makes a Writer. It needs no closing.
func (s *Socket) NewWriter() *Writer {
	return &Writer{sock: s, tx: s.newSender(), arena: make([]byte, arenaSize), bursts: make([]burst, 0, maxBursts)}
}

// Socket is the one it writes to.
func (w *Writer) Socket() *Socket { return w.sock }

// Slot returns n bytes to write the next datagram into, or nil if n is more than there can be. It flushes when the arena is
// full. Contents are undefined.
func (w *Writer) Slot(n int) []byte {
	if n > len(w.arena) {
		w.sock.count.noRoom.Add(1)
		return nil
	}
	if w.used+n > len(w.arena) || len(w.bursts) == cap(w.bursts) {
		_ = w.Flush()
	}
	return w.arena[w.used : w.used+n : w.used+n]
}

// Commit makes the first n bytes of the last Slot a datagram to the given address. An empty one is left out; one to an
// address of the other family, or to none, is dropped and counted.
func (w *Writer) Commit(n int, to netip.AddrPort) {
	if n == 0 {
		return
	}
	if !to.IsValid() || to.Port() == 0 || to.Addr().Is4() != w.sock.addr.Addr().Is4() {
		w.sock.count.failed.Add(1)
		return
	}
	if !w.extend(n, to) {
		w.bursts = append(w.bursts, burst{off: w.used, size: n, seg: n, open: true, to: to})
	}
	w.used += n
}

// extend adds the datagram to the last burst if the kernel can cut it off again.
func (w *Writer) extend(n int, to netip.AddrPort) bool {
	if len(w.bursts) == 0 || !w.sock.gso.Load() {
		return false
	}
	b := &w.bursts[len(w.bursts)-1]
	if !b.open || n > b.seg || b.size+n > maxGSOBytes || b.to != to || b.size >= b.seg*w.sock.cfg.Burst {
		return false
	}
	b.size += n
	b.open = n == b.seg
	return true
}

// Empty says whether there is nothing to flush.
func (w *Writer) Empty() bool { return len(w.bursts) == 0 }

// Flush sends what was committed. What the kernel does not take is dropped and counted, after WriteWait at the latest.
// The error is net.ErrClosed after the socket's Close, else nil.
func (w *Writer) Flush() error {
	if len(w.bursts) == 0 {
		return nil
	}
	err := w.tx.send(w.arena, w.bursts)
	w.used, w.bursts = 0, w.bursts[:0]
	return err
}
