package packet

import "sync"

// Memory is what packets lie in. Who wants to keep one retains it, and releases it in the end.
type Memory interface {
	Retain()
	Release()
}

// Ring keeps the newest packets of one stream, each under its unwrapped sequence number. One writer and any number of
// readers may use it at the same time. It allocates nothing.
type Ring struct {
	mu      sync.Mutex
	entries []entry // guarded by mu; the length is a power of two
}

type entry struct {
	n      uint64
	data   []byte
	memory Memory // that data lies in; nil for one that nobody else writes into
}

// NewRing makes a ring of size packets, which must be a power of two.
func NewRing(size int) *Ring {
	if size <= 0 || size&(size-1) != 0 {
		panic("packet: the size of a ring is a power of two")
	}
	return &Ring{entries: make([]entry, size)}
}

// Put keeps b as it is: nobody may change it from now on. The ring retains the memory that it lies in, which is nil for bytes
// that are given to the ring. A packet that is older than what stands in its place is not kept.
func (r *Ring) Put(n uint64, b []byte, memory Memory) {
	r.mu.Lock()
	e := &r.entries[n&uint64(len(r.entries)-1)]
	if e.n > n {
		r.mu.Unlock()
		return
	}
	old := e.memory
	*e = entry{n, b, memory}
	if memory != nil {
		memory.Retain()
	}
	r.mu.Unlock()
	if old != nil {
		old.Release()
	}
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

// Clear lets go of all packets.
func (r *Ring) Clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.entries {
		if m := r.entries[i].memory; m != nil {
			m.Release()
		}
	}
	clear(r.entries)
}
