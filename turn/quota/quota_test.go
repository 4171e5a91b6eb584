package quota

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

var start = time.Unix(1_790_000_000, 0)

func TestBucketGivesItsBurstThenItsRate(t *testing.T) {
	var b Bucket
	r := Rate{PerSecond: 5, Burst: 20}
	taken := 0
	for range 100 {
		if b.Take(start, r, 1) {
			taken++
		}
	}
	if taken != 20 {
		t.Errorf("took %d at once, want 20", taken)
	}
	for i := range 10 {
		now := start.Add(time.Duration(i+1) * 200 * time.Millisecond)
		if !b.Take(now, r, 1) || b.Take(now, r, 1) {
			t.Errorf("after %v: want exactly one token", now.Sub(start))
		}
	}
}

// Over any time no more is given than the burst and what flowed in, and a clock that steps back gives nothing.
func TestBucketNeverGivesMore(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var b Bucket
		r := Rate{PerSecond: 1 + 100*rng.Float64(), Burst: 1 + 50*rng.Float64()}
		b.Take(start, r, 0) // time counts from here
		now, last, given := start, start, 0.0
		for range 500 {
			now = now.Add(time.Duration(rng.IntN(50)-5) * time.Millisecond)
			if now.After(last) {
				last = now
			}
			if n := 3 * rng.Float64(); b.Take(now, r, n) {
				given += n
			}
			if most := r.Burst + last.Sub(start).Seconds()*r.PerSecond + 1e-6; given > most {
				t.Fatalf("gave %f, at most %f", given, most)
			}
		}
	}
}

func TestSourcesAreLimitedEach(t *testing.T) {
	s := NewSources(Rate{PerSecond: 10, Burst: 10})
	count := func(addr string, now time.Time) (n int) {
		for range 50 {
			if s.Take(now, netip.MustParseAddr(addr)) {
				n++
			}
		}
		return n
	}
	if n := count("192.0.2.1", start); n != 10 {
		t.Errorf("%d answers, want 10", n)
	}
	if n := count("::ffff:192.0.2.1", start); n != 0 {
		t.Errorf("the same host in disguise got %d", n)
	}
	if n := count("192.0.2.1", start.Add(time.Second)); n != 10 {
		t.Errorf("%d answers a second later, want 10", n)
	}
	if n := count("2001:db8::1", start) + count("2001:db8::2", start); n != 10 {
		t.Errorf("two hosts of one /64 got %d answers, want 10", n)
	}
}

func TestSourcesTakeNoMemoryPerSource(t *testing.T) {
	s := NewSources(Rate{PerSecond: 10, Burst: 10})
	i := uint32(0)
	if n := testing.AllocsPerRun(1000, func() {
		i += 977
		s.Take(start, netip.AddrFrom4([4]byte{byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}))
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Random reservations and releases against a list of what is held.
func TestHoldingsAgreeWithAList(t *testing.T) {
	type held struct {
		user string
		from netip.Addr
	}
	caps := Caps{PerUser: 3, PerSource: 4, Total: 9}
	rng := rand.New(rand.NewPCG(3, 4))
	h, list := NewHoldings(), []held{}
	for range 20000 {
		if len(list) > 0 && rng.IntN(2) == 0 {
			i := rng.IntN(len(list))
			h.Release(list[i].user, list[i].from)
			list = append(list[:i], list[i+1:]...)
			continue
		}
		one := held{[]string{"", "a", "b", "c"}[rng.IntN(4)], netip.AddrFrom4([4]byte{10, 0, 0, byte(rng.IntN(4))})}
		users, sources := 0, 0
		for _, o := range list {
			if o.user == one.user {
				users++
			}
			if o.from == one.from {
				sources++
			}
		}
		var want error
		switch {
		case len(list) >= caps.Total:
			want = ErrTotal
		case one.user != "" && users >= caps.PerUser:
			want = ErrUser
		case sources >= caps.PerSource:
			want = ErrSource
		}
		if err := h.Reserve(caps, one.user, one.from); !errors.Is(err, want) {
			t.Fatalf("holding %v, reserving %v: got %v, want %v", list, one, err, want)
		} else if err == nil {
			list = append(list, one)
		}
		if h.Total() != len(list) {
			t.Fatalf("total %d, want %d", h.Total(), len(list))
		}
	}
	for _, o := range list {
		h.Release(o.user, o.from)
	}
	if h.Total() != 0 || len(h.users) != 0 || len(h.sources) != 0 {
		t.Errorf("left over: %+v", h)
	}
}
