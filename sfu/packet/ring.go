package packet

import "sync"

// Ring keeps the newest packets of one stream, each under its unwrapped sequence number. One writer and any number of
// readers may use it at the same time. Buffers are reused: once full it allocates nothing.
type Ring struct {
	mu      sync.Mutex
	entries []entry // guarded by mu; the length is a power of two
}

type entry struct {
	n    uint64
	data []byte
}

// NewRing makes a ring of size packets, which must be a power of two.
func NewRing(size int) *Ring {
	if size <= 0 || size&(size-1) != 0 {
		panic("packet: the size of a ring is a power of two")
	}
	return &Ring{entries: make([]entry, size)}
}

// Put copies b into the ring. A packet that is older than what stands in its place is not kept.
func (r *Ring) Put(n uint64, b []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := &r.entries[n&uint64(len(r.entries)-1)]
	if e.n > n {
		return
	}
	e.n, e.data = n, append(e.data[:0], b...)
}

// Get appends the packet n to dst, and says whether it was still there.
func (r *Ring) Get(n uint64, dst []byte) ([]byte, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := &r.entries[n&uint64(len(r.entries)-1)]
	if e.n != n || e.data == nil {
		return dst, false
	}
	return append(dst, e.data...), true
}
