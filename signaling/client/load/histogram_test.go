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

func TestItSaysWhenItIsTheBottleneck(t *testing.T) {
	for _, c := range []struct {
		share float64
		late  Times
		want  bool
	}{
		{0.5, Times{Count: 9, P99: 2}, false}, {0.9, Times{Count: 9, P99: 2}, true}, {0.5, Times{Count: 9, P99: 30}, true}, {0.5, Times{}, false},
	} {
		if got := bottleneck(c.share, c.late); (got != "") != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

func TestGapsAreCountedUntilThePacketComesLate(t *testing.T) {
	var g gather
	for _, seq := range []uint16{65534, 65535, 2, 0, 3} {
		g.packet(seq, 100, nil, time.Now())
	}
	if g.gaps != 1 || g.packets != 5 || g.bytes != 500 || g.times.count != 0 {
		t.Errorf("%d gaps, %d packets", g.gaps, g.packets)
	}
}
