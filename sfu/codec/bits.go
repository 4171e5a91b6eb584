package codec

import "math/bits"

// bitReader reads fields of bits, the highest first. Once it has run out, everything is 0 and bad is set.
type bitReader struct {
	data []byte
	at   int // in bits
	bad  bool
}

// f reads n ≤ 32 bits, f(n) of the AV1 RTP specification, appendix A.8.1.
func (r *bitReader) f(n int) uint32 {
	if r.at+n > 8*len(r.data) {
		r.bad = true
		return 0
	}
	var v uint32
	for n > 0 {
		free := 8 - r.at%8
		take := min(free, n)
		chunk := uint32(r.data[r.at/8]) >> (free - take) & (1<<take - 1)
		v = v<<take | chunk
		r.at += take
		n -= take
	}
	return v
}

func (r *bitReader) flag() bool { return r.f(1) == 1 }

// ns reads a value below n, ns(n) of the same.
func (r *bitReader) ns(n uint32) uint32 {
	w := bits.Len32(n)
	m := uint32(1)<<w - n
	v := r.f(w - 1)
	if v < m {
		return v
	}
	return v<<1 - m + r.f(1)
}

// bitWriter appends fields of bits to bytes.
type bitWriter struct {
	data []byte
	free int // bits not yet used in the last byte
}

func (w *bitWriter) f(v uint32, n int) {
	for n > 0 {
		if w.free == 0 {
			w.data, w.free = append(w.data, 0), 8
		}
		take := min(w.free, n)
		chunk := byte(v >> (n - take) & (1<<take - 1))
		w.data[len(w.data)-1] |= chunk << (w.free - take)
		w.free -= take
		n -= take
	}
}

// copy appends the bits from, to of b.
func (w *bitWriter) copy(b []byte, from, to int) {
	r := bitReader{data: b, at: from}
	for r.at < to {
		n := min(to-r.at, 32)
		w.f(r.f(n), n)
	}
}
