package yjs

import (
	"bytes"
	"slices"
	"testing"
)

// The tests of this file do what would take hours if work grew with the square of what arrives. They assert no time: a
// mistake shows by the test not ending.

func TestManyDeletionsAreMergedAtOnce(t *testing.T) {
	const n = 300_000
	even, odd := make(intervals, n), make(intervals, n)
	for i := range uint64(n) {
		even[i] = interval{start: 4 * i, end: 4*i + 1}
		odd[n-1-i] = interval{start: 4*i + 2, end: 4*i + 3} // the last first
	}
	d := docOf(t, deletionsOf(1, even), deletionsOf(1, odd))
	if got := len(d.clients[1].deleted); got != 2*n {
		t.Errorf("%d deletions, want %d", got, 2*n)
	}
	check(t, d)
}

func deletionsOf(client uint64, all intervals) []byte {
	var w writer
	for _, v := range all {
		w.deletion(client, v)
	}
	return w.finish()
}

func TestManyGapsAreFilledAtOnce(t *testing.T) {
	const n = 100_000
	_, s := insertion(1, 0, nil, string(bytes.Repeat([]byte("é"), 2*n)))
	s.mark = &mark{}
	var second, whole writer
	for i := range uint64(n) {
		second.span(1, s, 2*i+1, 2*i+2)
	}
	whole.span(1, s, 0, s.length)
	d := NewDoc(Limits{PendingBytes: 64 << 20})
	for _, u := range [][]byte{second.finish(), whole.finish()} {
		if _, err := d.Apply(u); err != nil {
			t.Fatal(err)
		}
		check(t, d)
	}
	if u := d.Usage(); u.Pending != 0 || d.StateVector()[0].Clock != 2*n {
		t.Errorf("%+v, %v", u, d.StateVector())
	}
}

func TestLongTextIsComparedPieceByPiece(t *testing.T) {
	const n = 300_000
	_, s := insertion(1, 0, nil, string(bytes.Repeat([]byte("é"), n)))
	var whole, pieces writer
	whole.span(1, s, 0, n)
	for i := range uint64(n) {
		_, c := insertion(1, i, &ID{Client: 1, Clock: i - 1}, "é")
		if i == 0 {
			c = s
		}
		pieces.span(1, c, i, i+1)
	}
	d := docOf(t, whole.finish())
	if a, err := d.Apply(pieces.finish()); err != nil || a.New != nil {
		t.Errorf("%d bytes are new, %v", len(a.New), err)
	}
}

func TestLongTextWithManyDeletionsIsCompacted(t *testing.T) {
	const n = 100_000
	text := bytes.Repeat([]byte("ab😀"), n)
	d := docOf(t, typed(1, 0, string(text)), deletions(1, 2*n))
	d.Compact()
	check(t, d)
	if d.StateVector()[0].Clock != 4*n {
		t.Errorf("%v", d.StateVector())
	}
}

func TestManyClientsComeInAnyOrder(t *testing.T) {
	const n = 60_000
	var d Doc
	for id := range uint64(n) {
		if _, err := d.Apply(typed(id, 0, "x")); err != nil {
			t.Fatal(err)
		}
	}
	if v := d.StateVector(); len(v) != n || !slices.IsSortedFunc(v, func(a, b ID) int { return int(b.Client) - int(a.Client) }) {
		t.Errorf("%d clients", len(v))
	}
}

func TestManyNewClientIDsInOneAwarenessUpdate(t *testing.T) {
	a := NewAwareness(AwarenessLimits{Clients: 100_000})
	var parts []any
	for id := range 100_000 {
		parts = append(parts, id, 1, `{}`)
	}
	h := heard(t, a, start, ann, announced(parts...))
	if h.Excess != 100_000-defaultPerOwner {
		t.Errorf("%+v", h.Excess)
	}
}
