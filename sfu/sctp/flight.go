package sctp

// flight is the chunks that have a number and are not acknowledged up to it, without a hole: what is acknowledged or given up in
// between stays until all before it is.
type flight struct {
	ring  []*chunk // its length is a power of two
	first int      // index of the oldest
	n     int
	base  tsn // of the oldest, or the next one's if there is none
}

// keptRing is the ring that is kept while nothing is in flight.
const keptRing = 16

func (f *flight) next() tsn { return f.base + tsn(f.n) }

func (f *flight) at(i int) *chunk { return f.ring[(f.first+i)&(len(f.ring)-1)] }

// push gives a chunk its number.
func (f *flight) push(c *chunk) {
	if f.n == len(f.ring) {
		f.grow()
	}
	c.tsn = f.next()
	f.ring[(f.first+f.n)&(len(f.ring)-1)] = c
	f.n++
}

func (f *flight) grow() {
	ring := make([]*chunk, max(4, 2*len(f.ring)))
	for i := range f.n {
		ring[i] = f.at(i)
	}
	f.ring, f.first = ring, 0
}

// pop takes the oldest out.
func (f *flight) pop() *chunk {
	c := f.at(0)
	f.ring[f.first] = nil
	f.first = (f.first + 1) & (len(f.ring) - 1)
	f.n--
	f.base++
	if f.n == 0 && len(f.ring) > keptRing {
		f.ring, f.first = nil, 0
	}
	return c
}
