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
	slabsKept = 64 // of one pool: 4 MiB wait for reuse at most, the rest is left to the garbage collector
)

// Packet is one received datagram. Whoever holds it may change Data in place as long as nobody else holds it.
type Packet struct {
	Data []byte
	From netip.AddrPort // IPv4 addresses are never mapped into IPv6

	slab  *Slab
	start int // of the datagram in slab.buf
}

// Retain adds a holder: one more Release is due. It may be called by any holder.
func (p Packet) Retain() { p.slab.refs.Add(1) }

// Release gives the packet back. Data must not be used after it. It may be called from any goroutine.
func (p Packet) Release() { p.slab.Release() }

// Memory is what the packet lies in, with others. Whoever retains it holds them all.
func (p Packet) Memory() *Slab { return p.slab }

// Front returns the n bytes in front of the datagram and the datagram as one slice. n is at most Headroom.
func (p Packet) Front(n int) []byte {
	if n > Headroom {
		panic("netio: more than Headroom asked for")
	}
	end := p.start + len(p.Data)
	return p.slab.buf[p.start-n : end : end]
}

// Slab is memory of many packets. It returns to its pool when the last of them is released.
type Slab struct {
	buf  []byte       // Set at construction, never changed.
	home *Pool        // Set at construction, never changed.
	refs atomic.Int32 // holders: one per packet, and the Packer while it fills the slab
}

// Retain adds a holder: one more Release is due. It may be called by any holder.
func (s *Slab) Retain() { s.refs.Add(1) }

// Release takes a holder away.
func (s *Slab) Release() {
	switch n := s.refs.Add(-1); {
	case n == 0:
		s.home.put(s)
	case n < 0:
		panic("netio: a packet was released twice")
	}
}

// Pool keeps slabs for reuse. When it is full a slab is left to the garbage collector, and so is one that is never released.
type Pool struct {
	size int // bytes of a slab
	free chan *Slab
}

// NewPool makes a pool of slabs of so many bytes, of which it keeps some for reuse.
func NewPool(size, keep int) *Pool { return &Pool{size: size, free: make(chan *Slab, keep)} }

func (p *Pool) get() *Slab {
	var s *Slab
	select {
	case s = <-p.free:
	default:
		s = &Slab{buf: make([]byte, p.size), home: p}
	}
	s.refs.Store(1)
	return s
}

func (p *Pool) put(s *Slab) {
	select {
	case p.free <- s:
	default:
	}
}

// Packer puts packets into slabs, one behind the other: a small audio packet takes no more room than it needs. It makes
// Packets of what did not come from a Socket, too. It is for one goroutine at a time.
type Packer struct {
	pool *Pool
	cur  *Slab
	off  int
}

// NewPacker makes a Packer with slabs of its own.
func NewPacker() *Packer { return NewPool(slabSize, slabsKept).NewPacker() }

// NewPacker makes a Packer with slabs of the pool. What is packed must fit into one, with Headroom.
func (p *Pool) NewPacker() *Packer { return &Packer{pool: p} }

// Pack makes a Packet with a copy of b, which has MaxDatagram bytes at most.
func (k *Packer) Pack(b []byte, from netip.AddrPort) Packet {
	p := k.Place(min(len(b), MaxDatagram))
	copy(p.Data, b)
	p.From = from
	return p
}

// Place makes a Packet of n bytes to be written into.
func (k *Packer) Place(n int) Packet {
	if k.cur == nil || k.off+Headroom+n > k.pool.size {
		k.drop()
		k.cur, k.off = k.pool.get(), 0
	}
	start := k.off + Headroom
	end := start + n
	k.off = (end + slabAlign - 1) &^ (slabAlign - 1)
	k.cur.refs.Add(1)
	return Packet{Data: k.cur.buf[start:end:end], slab: k.cur, start: start}
}

// drop lets go of the slab that was being filled.
func (k *Packer) drop() {
	if k.cur != nil {
		k.cur.Release()
		k.cur = nil
	}
}
