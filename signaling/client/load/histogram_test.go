package load

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestQuantilesAreRightWithinOneSixteenth(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var h, a, b histogram
	var all []time.Duration
	for i := range 10_000 {
		d := time.Duration(r.ExpFloat64() * float64(40*time.Millisecond))
		all = append(all, d)
		h.add(d)
		if i%2 == 0 {
			a.add(d)
		} else {
			b.add(d)
		}
	}
	slices.Sort(all)
	a.merge(&b)
	for _, q := range []float64{0, 0.1, 0.5, 0.9, 0.99, 0.999, 1} {
		want := all[int(q*float64(len(all)-1))]
		got := h.quantile(q)
		if got < want-time.Microsecond || float64(got) > float64(want)*(1+1.0/precision)+float64(2*time.Microsecond) {
			t.Errorf("quantile %v is %v, really %v", q, got, want)
		}
		if a.quantile(q) != got {
			t.Errorf("quantile %v of the parts is %v", q, a.quantile(q))
		}
	}
	if h.count != 10_000 || h.most != all[len(all)-1] {
		t.Errorf("%d times, at most %v", h.count, h.most)
	}
}

func TestQuantileOfExtremes(t *testing.T) {
	var h histogram
	if h.quantile(0.5) != 0 {
		t.Error("an empty histogram has a median")
	}
	h.add(-time.Second)
	h.add(100 * time.Hour)
	if h.quantile(0) > 2*time.Microsecond || h.quantile(1) != 100*time.Hour {
		t.Errorf("%v to %v", h.quantile(0), h.quantile(1))
	}
}
