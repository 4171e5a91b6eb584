package yjs

import (
	"bytes"
	"slices"
	"testing"
)

// seeds are updates of every kind, and some that are broken.
func seeds() [][]byte {
	return [][]byte{
		{0, 0},
		typed(1, 0, "hello"),
		typed(1, 5, " 😀"),
		behind(2, 0, ID{Client: 1, Clock: 2}, "é"),
		deleted(1, 2, 4),
		deletions(1, 5),
		raw(refGC, 5),
		raw(refDeleted, 1, 1, 't', 3),
		raw(refJSON, 1, 1, 't', 2, 9, 'u', 'n', 'd', 'e', 'f', 'i', 'n', 'e', 'd', 2, '[', ']'),
		raw(refBinary, 1, 1, 't', 2, 0, 0xff),
		raw(refEmbed, 1, 1, 't', 7, '{', '"', 'a', '"', ':', '1', '}'),
		raw(refFormat, 1, 1, 't', 1, 'b', 4, 't', 'r', 'u', 'e'),
		raw(refType, 1, 1, 't', 3, 1, 'p'),
		raw(refAny, 1, 1, 't', 4, anyInteger, 0xbf, 1, anyObject, 1, 1, 'k', anyFloat32, 0, 0, 0, 0, anyBigInt, 0, 0, 0, 0, 0, 0, 0, 1, anyArray, 1, anyNull),
		raw(refDoc, 1, 1, 't', 1, 'g', anyObject, 1, 4, 'm', 'e', 't', 'a', anyTrue),
		raw(refAny|hasParentSub, 0, 2, 0, 1, 'k', 1, anyUndefined),
		{1, 2, 1, 0, refSkip, 3, refGC, 1, 0},
		blocks(typed(1, 0, "a"), typed(2, 0, "b"), typed(1, 1, "c")),
		{0, 1, 1, 1, 0, 0},
		typed(1, 0, "hello")[:7],
		{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	}
}

// FuzzUpdates gives two updates to a document, one after the other, and asks that it holds what it promises.
func FuzzUpdates(f *testing.F) {
	all := seeds()
	for i, a := range all {
		f.Add(a, all[(i*7+1)%len(all)])
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		var d Doc
		for _, update := range [][]byte{a, b} {
			before := d.Encode()
			applied, err := d.Apply(update)
			check(t, &d)
			if err != nil {
				if !bytes.Equal(d.Encode(), before) {
					t.Fatal("a refused update has changed the document")
				}
				continue
			}
			if held, err := d.Contains(update); err != nil || !held {
				t.Fatalf("an applied update is not contained: %v", err)
			}
			if applied.New != nil {
				checkRelayed(t, &d, before, applied.New)
			}
		}
		checkCompaction(t, &d)
	})
}

// checkRelayed fails unless one who knew before, and gets what was new, knows all of d.
func checkRelayed(t *testing.T, d *Doc, before, relayed []byte) {
	t.Helper()
	peer := docOf(t, before)
	if _, err := peer.Apply(relayed); err != nil {
		t.Fatalf("what is relayed is refused: %v", err)
	}
	sameKnowledge(t, d, peer)
	joined := docOf(t, before)
	if _, err := joined.Restore(d.Diff(joined.StateVector())); err != nil {
		t.Fatalf("a Diff is refused: %v", err)
	}
	sameKnowledge(t, d, joined)
}

func checkCompaction(t *testing.T, d *Doc) {
	t.Helper()
	before := docOf(t, d.Encode())
	d.Compact()
	check(t, d)
	sameKnowledge(t, d, before)
	again := docOf(t, d.Encode())
	again.Compact()
	if !bytes.Equal(again.Encode(), d.Encode()) {
		t.Fatal("compacting twice is not the same as once")
	}
}

// sameKnowledge fails unless a and b know the same clocks and deletions.
func sameKnowledge(t *testing.T, a, b *Doc) {
	t.Helper()
	if !slices.Equal(a.StateVector(), b.StateVector()) {
		t.Fatalf("state vectors %v and %v", a.StateVector(), b.StateVector())
	}
	for x, y := range map[*Doc]*Doc{a: b, b: a} {
		if held, err := x.Contains(y.Encode()); err != nil || !held {
			t.Fatalf("one holds what the other lacks: %v\n%x\n%x", err, x.Encode(), y.Encode())
		}
	}
}

func FuzzMessage(f *testing.F) {
	for kind := SyncStep1; kind <= QueryAwareness; kind++ {
		f.Add(Message{Kind: kind, Body: []byte("body")}.Append(nil))
	}
	f.Add([]byte{0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := DecodeMessage(b)
		if err != nil {
			return
		}
		again, err := DecodeMessage(m.Append(nil))
		if err != nil || again.Kind != m.Kind || !bytes.Equal(again.Body, m.Body) {
			t.Fatalf("%+v is read again as %+v, %v", m, again, err)
		}
	})
}

func FuzzStateVector(f *testing.F) {
	f.Add([]byte{2, 3, 7, 1, 9})
	f.Add([]byte{2, 1, 7, 1, 9})
	f.Add([]byte{0xff, 0xff, 0xff, 0x7f})
	d := docOf(f, typed(1, 0, "a😀bc"), typed(3, 0, "hello"), typed(3, 9, "late"), deleted(1, 1, 3))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := DecodeStateVector(b)
		if err != nil {
			return
		}
		again, err := DecodeStateVector(v.Append(nil))
		if err != nil || !slices.Equal(again, v) {
			t.Fatalf("%v is read again as %v, %v", v, again, err)
		}
		var peer Doc
		if _, err := peer.Restore(d.Diff(v)); err != nil {
			t.Fatalf("a Diff is refused: %v", err)
		}
		check(t, &peer)
	})
}

// FuzzAwareness lets bob say anything, twice, where ann is.
func FuzzAwareness(f *testing.F) {
	f.Add(announced(2, 1, `{"name":"bob"}`), announced(2, 2, `null`))
	f.Add(announced(1, 9, `{"name":"bob"}`), announced(1, 5, ` null `))
	f.Add(announced(2, 1, `{}`, 3, 1, `{`), []byte{200, 1, 1})
	f.Add(announced(2, 1, `"`), announced(2, 1<<40, `[[[]]]`, 2, 1, `1`))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		a := NewAwareness(AwarenessLimits{})
		known := announced(1, 5, `{"name":"ann"}`)
		if _, err := a.Apply(start, over(ann), known); err != nil {
			t.Fatal(err)
		}
		peer := NewAwareness(AwarenessLimits{PerOwner: 1000})
		for _, update := range [][]byte{first, second} {
			before := a.Encode()
			h, err := a.Apply(start, over(bob), update)
			if err != nil && !bytes.Equal(a.Encode(), before) {
				t.Fatal("a refused update has changed something")
			}
			if r := readAnnouncements(h.Reply); h.Reply != nil && (!r.next() || r.client == 1 || r.state != nil) {
				t.Fatalf("bob is told %q", h.Reply)
			}
			if h.Relay == nil {
				continue
			}
			if _, err := peer.Apply(start, over("server"), h.Relay); err != nil {
				t.Fatalf("what is relayed is refused: %v", err)
			}
		}
		_ = a.Leave(start, 2)
		if !bytes.Equal(a.Encode(), known) {
			t.Fatalf("ann's state has become %q", a.Encode())
		}
	})
}
