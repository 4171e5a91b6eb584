package packet

import (
	"sync"
	"time"
)

// Memory is what packets lie in. Who wants to keep one retains it, and releases it in the end.
type Memory interface {
	Retain()
	Release()
}

// leastRing is how many packets a ring has room for at first. A power of two.
const leastRing = 64

// Ring keeps the newest packets of one stream, each under its unwrapped sequence number: those of its horizon, as far as there is
// room for them. It begins small and grows to its bound while packets are pushed out that are younger. One writer and any number of
// readers may use it at the same time. It allocates nothing once it has grown.
type Ring struct {
	// Set at construction, never changed.
	most    int
	horizon time.Duration

	mu sync.Mutex
	// Guarded by mu.
	entries []entry // the length is a power of two
	oldest  uint64  // what is kept has this number or a higher one; 0 for nothing
	newest  uint64
	begin   time.Time // ages count from here
}

type entry struct {
	n      uint64
	data   []byte
	memory Memory // that data lies in; nil for one that nobody else writes into
	at     uint32 // when it came, in ms since begin; it wraps after 49 days, and so do differences
}

// NewRing makes a ring of at most so many packets, which must be a power of two, of so much time.
func NewRing(most int, horizon time.Duration) *Ring {
	if most <= 0 || most&(most-1) != 0 {
		panic("packet: the size of a ring is a power of two")
	}
	return &Ring{most: most, horizon: horizon, entries: make([]entry, min(most, leastRing))}
}

// Put keeps b, which came now, as it is: nobody may change it from now on. The ring retains the memory that it lies in, which is nil
// for bytes that are given to the ring. A packet that is older than what stands in its place is not kept.
func (r *Ring) Put(now time.Time, n uint64, b []byte, memory Memory) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.oldest == 0 {
		r.oldest, r.begin = n, now
	}
	at := uint32(now.Sub(r.begin).Milliseconds())
	if n > r.newest {
		r.newest = n
		r.forget(at)
	}
	if n < r.oldest {
		if r.newest-n >= uint64(len(r.entries)) {
			return
		}
		r.oldest = n
	}
	e := r.at(n)
	if e.n > n {
		return
	}
	e.drop()
	if memory != nil {
		memory.Retain()
	}
	*e = entry{n, b, memory, at}
}

func (r *Ring) at(n uint64) *entry { return &r.entries[n&uint64(len(r.entries)-1)] }

// forget makes room for the newest packet, which came at at, and lets go of those beyond the horizon. mu is held.
func (r *Ring) forget(at uint32) {
	young := func(e *entry) bool { return e.n != 0 && time.Duration(at-e.at)*time.Millisecond < r.horizon }
	for len(r.entries) < r.most && young(r.at(r.newest)) {
		r.grow()
	}
	if r.newest-r.oldest >= 2*uint64(len(r.entries)) { // a leap: no need to look for every number
		for i := range r.entries {
			r.entries[i].drop()
		}
		r.oldest = r.newest
		return
	}
	for ; r.oldest < r.newest; r.oldest++ {
		e := r.at(r.oldest)
		if e.n != r.oldest {
			continue // it never came
		}
		if r.newest-r.oldest < uint64(len(r.entries)) && young(e) {
			return
		}
		e.drop()
	}
}

// grow makes room for twice as many. mu is held.
func (r *Ring) grow() {
	old := r.entries
	r.entries = make([]entry, 2*len(old))
	for i := range old {
		if old[i].n != 0 {
			*r.at(old[i].n) = old[i]
		}
	}
}

// drop lets go of a packet.
func (e *entry) drop() {
	if e.memory != nil {
		e.memory.Release()
	}
	*e = entry{}
}

// Get appends the packet n to dst, and says whether it was still there.
func (r *Ring) Get(n uint64, dst []byte) ([]byte, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.at(n)
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
		r.entries[i].drop()
	}
}
