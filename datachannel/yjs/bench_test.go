package yjs

import (
	"math/rand/v2"
	"testing"
	"time"
)

// trace is an afternoon of four people who edit one text a character at a time: they type runs of about ten, jump, and delete
// one character in ten. Each edit is one update.
func trace(edits int) [][]byte {
	r := rand.New(rand.NewPCG(40, 4))
	clocks := make([]uint64, 4)
	updates := make([][]byte, 0, edits)
	for range edits {
		who := r.Uint64N(4)
		clock := clocks[who]
		if clock == 0 {
			updates = append(updates, typed(who, 0, "x"))
			clocks[who]++
			continue
		}
		if r.IntN(10) == 0 {
			at := r.Uint64N(clock)
			updates = append(updates, deleted(who, at, at+1))
			continue
		}
		origin := ID{Client: who, Clock: clock - 1}
		if other := r.Uint64N(4); r.IntN(10) == 0 && clocks[other] > 0 {
			origin = ID{Client: other, Clock: r.Uint64N(clocks[other])}
		}
		updates = append(updates, behind(who, clock, origin, "x"))
		clocks[who]++
	}
	return updates
}

const afternoon = 40_000

func traceDoc(b testing.TB, updates [][]byte) *Doc {
	var d Doc
	for _, u := range updates {
		if _, err := d.Apply(u); err != nil {
			b.Fatal(err)
		}
	}
	return &d
}

func BenchmarkApplySmallUpdate(b *testing.B) {
	updates := trace(afternoon)
	b.ReportAllocs()
	var d Doc
	i := 0
	for b.Loop() {
		if i == len(updates) {
			d, i = Doc{}, 0
		}
		if _, err := d.Apply(updates[i]); err != nil {
			b.Fatal(err)
		}
		i++
	}
	u := traceDoc(b, updates).Usage()
	b.ReportMetric(float64(u.Bytes), "held-B")
	b.ReportMetric(float64(u.Structs), "structs")
}

func BenchmarkApplyKnownUpdate(b *testing.B) {
	updates := trace(afternoon)
	d := traceDoc(b, updates)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := d.Apply(updates[i%len(updates)]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkJoinUpToDate is what a peer costs that comes back and lacks nothing.
func BenchmarkJoinUpToDate(b *testing.B) {
	d := traceDoc(b, trace(afternoon))
	peer := d.StateVector().Append(nil)
	b.ReportAllocs()
	for b.Loop() {
		v, err := DecodeStateVector(peer)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(d.Diff(v))))
		_ = d.StateVector().Append(nil)
	}
}

func BenchmarkEncode(b *testing.B) {
	d := traceDoc(b, trace(afternoon))
	b.ReportAllocs()
	for b.Loop() {
		b.SetBytes(int64(len(d.Encode())))
	}
}

func BenchmarkLoad(b *testing.B) {
	snapshot := traceDoc(b, trace(afternoon)).Encode()
	b.ReportAllocs()
	b.SetBytes(int64(len(snapshot)))
	for b.Loop() {
		var d Doc
		if _, err := d.Restore(snapshot); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompact(b *testing.B) {
	snapshot := traceDoc(b, trace(afternoon)).Encode()
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		var d Doc
		if _, err := d.Restore(snapshot); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		d.Compact()
	}
}

func BenchmarkAwarenessEcho(b *testing.B) {
	a := NewAwareness(AwarenessLimits{})
	state := announced(1, 5, `{"user":{"name":"Ann"},"cursor":{"anchor":3,"head":3}}`)
	if _, err := a.Apply(time.Time{}, over(ann), state); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Apply(time.Time{}, over(bob), state); err != nil {
			b.Fatal(err)
		}
	}
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	updates := trace(2000)
	d := traceDoc(t, updates)
	a := NewAwareness(AwarenessLimits{})
	for name, f := range map[string]func(i int){
		"known updates": func(i int) {
			if _, err := d.Apply(updates[i%len(updates)]); err != nil {
				t.Fatal(err)
			}
		},
		"read-only check": func(i int) {
			if _, err := d.Contains(updates[i%len(updates)]); err != nil {
				t.Fatal(err)
			}
		},
	} {
		i := 0
		if n := testing.AllocsPerRun(1000, func() { f(i); i++ }); n > 0 {
			t.Errorf("%s: %v allocations each", name, n)
		}
	}
	states := make([][]byte, 2000)
	for i := range states {
		states[i] = announced(1, i+1, `{"cursor":{"anchor":3,"head":3}}`)
	}
	for name, owner := range map[string]Owner{"a new state": "ann", "an echo": "bob"} {
		_ = a.Leave(start, 1)
		a = NewAwareness(AwarenessLimits{})
		_, _ = a.Apply(start, over(ann), announced(1, 0, `{"cursor":{"anchor":3,"head":3}}`))
		i := 0
		n := testing.AllocsPerRun(1000, func() {
			if _, err := a.Apply(start, over(owner), states[i]); err != nil {
				t.Fatal(err)
			}
			i++
		})
		if n > 0 {
			t.Errorf("%s: %v allocations each", name, n)
		}
	}
}

// TestTypingSeldomAllocates holds a keystroke to the growth of what is stored.
func TestTypingSeldomAllocates(t *testing.T) {
	updates := trace(20_000)
	var d Doc
	i := 0
	n := testing.AllocsPerRun(len(updates)-1, func() {
		if _, err := d.Apply(updates[i]); err != nil {
			t.Fatal(err)
		}
		i++
	})
	if n > 0 { // on average; AllocsPerRun rounds down
		t.Errorf("%v allocations for each keystroke", n)
	}
}
