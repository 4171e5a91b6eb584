package netio

import (
	"net/netip"
	"sync/atomic"
)

const (
	// Headroom is the number of free bytes in front of every Packet's Data.
	Headroom = 64
	// MaxDatagram is the largest datagram that is handed out, a jumbo frame. A larger one is dropped and counted.
	MaxDatagram = 9216

	slabSize  = 64 << 10 // about 50 full video packets; one packet kept keeps so much alive
	slabAlign = 16
	slabsKept = 64 // per socket: 4 MiB wait for reuse at most, the rest is left to the garbage collector
)

// Packet is one received datagram. Whoever holds it may change Data in place as long as nobody else holds it.
type Packet struct {
	Data []byte
	From netip.AddrPort // IPv4 addresses are never mapped into IPv6

	slab  *slab
	start int // of the datagram in slab.buf
}

// Retain adds a holder: one more Release is due. It may be called by any holder.
func (p Packet) Retain() { p.slab.refs.Add(1) }

// Release gives the packet back. Data must not be used after it. It may be called from any goroutine.
func (p Packet) Release() { p.slab.release() }

// Front returns the n bytes in front of the datagram and the datagram as one slice. n is at most Headroom.
func (p Packet) Front(n int) []byte {
	if n > Headroom {
		panic("netio: more than Headroom asked for")
	}
	end := p.start + len(p.Data)
	return p.slab.buf[p.start-n : end : end]
}

// slab is memory of many packets. It returns to its pool when the last of them is released.
type slab struct {
	buf  []byte       // Set at construction, never changed.
	home *slabPool    // Set at construction, never changed.
	refs atomic.Int32 // holders: one per packet, and the socket while it fills the slab
}

func (s *slab) release() {
	switch n := s.refs.Add(-1); {
	case n == 0:
		s.home.put(s)
	case n < 0:
		panic("netio: a packet was released twice")
	}
}

// slabPool keeps slabs for reuse. When it is full a slab is left to the garbage collector.
type slabPool struct{ free chan *slab }

func newSlabPool() *slabPool { return &slabPool{free: make(chan *slab, slabsKept)} }

func (p *slabPool) get() *slab {
	var s *slab
	select {
	case s = <-p.free:
	default:
		s = &slab{buf: make([]byte, slabSize), home: p}
	}
	s.refs.Store(1)
	return s
}

func (p *slabPool) put(s *slab) {
	select {
	case p.free <- s:
	default:
	}
}

// Packer copies datagrams into slabs, one behind the other: a small audio packet takes no more room than it needs. It makes
// Packets of what did not come from a Socket, too. It is for one goroutine at a time.
type Packer struct {
	pool *slabPool
	cur  *slab
	off  int
}

// NewPacker makes a Packer with slabs of its own.
func NewPacker() *Packer { return &Packer{pool: newSlabPool()} }

// Pack makes a Packet with a copy of b, which has MaxDatagram bytes at most.
func (k *Packer) Pack(b []byte, from netip.AddrPort) Packet {
	need := Headroom + len(b)
	if k.cur == nil || k.off+need > slabSize {
		k.drop()
		k.cur, k.off = k.pool.get(), 0
	}
	start := k.off + Headroom
	end := start + copy(k.cur.buf[start:], b[:min(len(b), MaxDatagram)])
	k.off = (end + slabAlign - 1) &^ (slabAlign - 1)
	k.cur.refs.Add(1)
	return Packet{Data: k.cur.buf[start:end:end], From: from, slab: k.cur, start: start}
}

// drop lets go of the slab that was being filled.
func (k *Packer) drop() {
	if k.cur != nil {
		k.cur.release()
		k.cur = nil
	}
}
