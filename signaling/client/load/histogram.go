package load

import (
	"math/bits"
	"time"
)

// precision is into how many parts each power of two is divided: a quantile is right within 1/16.
const precision = 16

// histogram counts times in buckets that grow with them. The zero value is empty. Times of less than 1 µs count as 1 µs.
type histogram struct {
	buckets [64 * precision]uint64
	count   uint64
	most    time.Duration
}

func bucket(d time.Duration) int {
	us := uint64(max(d.Microseconds(), 1))
	exponent := bits.Len64(us) - 1
	rest := us - 1<<exponent // below 2^exponent
	return exponent*precision + int(rest*precision>>exponent)
}

// upper is the end of a bucket.
func upper(b int) time.Duration {
	exponent, part := b/precision, uint64(b%precision)
	return time.Duration(1<<exponent+((part+1)<<exponent)/precision) * time.Microsecond
}

func (h *histogram) add(d time.Duration) {
	h.buckets[bucket(d)]++
	h.count++
	h.most = max(h.most, d)
}

func (h *histogram) merge(o *histogram) {
	for i, n := range o.buckets {
		h.buckets[i] += n
	}
	h.count += o.count
	h.most = max(h.most, o.most)
}

// quantile is the time that a share q of all did not exceed, 0 for none.
func (h *histogram) quantile(q float64) time.Duration {
	if h.count == 0 {
		return 0
	}
	want := uint64(q * float64(h.count-1))
	for i, n := range h.buckets {
		if n > want {
			return min(upper(i), h.most)
		}
		want -= n
	}
	return h.most
}
