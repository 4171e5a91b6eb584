package yjs

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
)

func docOf(t testing.TB, updates ...[]byte) *Doc {
	t.Helper()
	d := NewDoc(Limits{})
	for _, u := range updates {
		if _, err := d.Apply(u); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func TestMalformedUpdatesAreNamedAndChangeNothing(t *testing.T) {
	item := []byte{refString, 1, 1, 't'} // the head of text in the root "t"
	of := func(head []byte, content ...byte) []byte { return raw(append(bytes.Clone(head), content...)...) }
	head := func(ref byte) []byte { return append([]byte{ref}, item[1:]...) }
	deepJSON := strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1)
	for _, c := range []struct {
		name   string
		update []byte
		fault  Fault
	}{
		{"nothing", nil, Truncated},
		{"half an update", typed(1, 0, "hello")[:8], Truncated},
		{"no deletions", typed(1, 0, "hello")[:len(typed(1, 0, "hello"))-1], Truncated},
		{"a number without end", []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, BadNumber},
		{"a number above what JavaScript holds", []byte{1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0, 0, 1, 0}, BadNumber},
		{"more clients than bytes", []byte{100, 1, 1, 0}, BadCount},
		{"more structs than bytes", []byte{1, 100, 1, 0, 0, 1, 0}, BadCount},
		{"more deletions than bytes", []byte{0, 1, 1, 100, 0, 1}, BadCount},
		{"more values than bytes", of(head(refAny), 50, 126), BadCount},
		{"an unknown content", of(head(11), 1), BadContent},
		{"a Skip with flags", raw(refSkip|hasOrigin, 2, 0, 1), BadContent},
		{"an unknown parent tag", raw(refString, 2, 1, 't', 1, 'x'), BadContent},
		{"an unknown type", of(head(refType), 7), BadContent},
		{"an unknown value tag", of(head(refAny), 1, 100), BadContent},
		{"a subdocument without options", of(head(refDoc), 1, 'g', anyNull), BadContent},
		{"empty text", of(head(refString), 0), BadLength},
		{"an empty tombstone", raw(refGC, 0), BadLength},
		{"a clock beyond the end", []byte{1, 1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f, refGC, 1, 0}, ClockOverflow},
		{"a deletion beyond the end", []byte{0, 1, 1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f, 1}, ClockOverflow},
		{"text that is not UTF-8", of(head(refString), 1, 0xff), BadText},
		{"a root whose name is not UTF-8", raw(refString, 1, 1, 0xff, 1, 'x'), BadText},
		{"an embed that is not JSON", of(head(refEmbed), 1, '{'), BadJSON},
		{"a format without a value", of(head(refFormat), 1, 'b', 0), BadJSON},
		{"an element that is not JSON", of(head(refJSON), 1, 2, 'x', 'y'), BadJSON},
		{"values nested too deeply", of(head(refAny), append([]byte{1}, nestedAny(maxDepth+1)...)...), TooDeep},
		{"JSON nested too deeply", of(head(refEmbed), appendBytes(nil, []byte(deepJSON))...), TooDeep},
		{"an item behind itself", raw(refString|hasOrigin, 1, 0, 1, 'x'), BadReference},
		{"an item before its successor", raw(refString|hasRight, 1, 5, 1, 'x'), BadReference},
		{"an item inside itself", raw(refString, 0, 1, 0, 1, 'x'), BadReference},
		{"a client twice", blocks(typed(1, 0, "a"), typed(2, 0, "b"), typed(1, 1, "c")), RepeatedClient},
		{"a client's deletions twice", []byte{0, 2, 1, 1, 0, 1, 1, 1, 2, 1}, RepeatedClient},
		{"bytes after the end", append(typed(1, 0, "hello"), 0), Trailing},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := docOf(t, typed(7, 0, "known"))
			before := d.Encode()
			_, err := d.Apply(c.update)
			var malformed *MalformedError
			if !errors.As(err, &malformed) || malformed.Fault != c.fault {
				t.Errorf("Apply says %v, want fault %s", err, c.fault)
			}
			if _, err := d.Contains(c.update); !errors.As(err, &malformed) {
				t.Errorf("Contains says %v", err)
			}
			if !bytes.Equal(d.Encode(), before) {
				t.Error("the document has changed")
			}
		})
	}
}

func TestEveryContentIsAccepted(t *testing.T) {
	head := func(ref byte) []byte { return []byte{ref, 1, 1, 't'} }
	for name, content := range map[string][]byte{
		"tombstone":  append(head(refDeleted), 3),
		"JSON":       append(head(refJSON), 2, 9, 'u', 'n', 'd', 'e', 'f', 'i', 'n', 'e', 'd', 2, '[', ']'),
		"binary":     append(head(refBinary), 2, 0, 0xff),
		"text":       append(head(refString), 4, 0xf0, 0x9f, 0x98, 0x80),
		"embed":      append(head(refEmbed), 2, '{', '}'),
		"format":     append(head(refFormat), 1, 'b', 4, 't', 'r', 'u', 'e'),
		"type":       append(head(refType), 2),
		"element":    append(head(refType), 3, 1, 'p'),
		"values":     append(head(refAny), 3, anyInteger, 0xbf, 0x01, anyObject, 1, 1, 'k', anyFloat32, 0, 0, 0, 0, anyBinary, 1, 0xff),
		"nested":     append(append(head(refAny), 1), nestedAny(maxDepth)...),
		"subdoc":     append(head(refDoc), 1, 'g', anyObject, 0),
		"in a map":   {refAny | hasParentSub, 1, 1, 't', 1, 'k', 1, anyTrue},
		"in an item": {refString, 0, 2, 0, 1, 'x'},
	} {
		t.Run(name, func(t *testing.T) {
			update := raw(content...)
			d := docOf(t, update)
			if got := d.Encode(); !bytes.Equal(got, update) {
				t.Errorf("encoded as %x, was %x", got, update)
			}
		})
	}
}

func TestWhatIsNewIsTold(t *testing.T) {
	d := NewDoc(Limits{})
	hello := typed(1, 0, "hello")
	if a, err := d.Apply(hello); err != nil || !bytes.Equal(a.New, hello) {
		t.Fatalf("%x, %v", a.New, err)
	}
	if a, err := d.Apply(hello); err != nil || a.New != nil {
		t.Errorf("a repeated update brings %x, %v", a.New, err)
	}
	longer, err := merge(hello, typed(1, 5, " you"))
	if err != nil {
		t.Fatal(err)
	}
	if a, err := d.Apply(longer); err != nil || !bytes.Equal(a.New, typed(1, 5, " you")) {
		t.Errorf("of a longer update %x is new, %v", a.New, err)
	}
	if a, err := d.Apply(deleted(1, 2, 6)); err != nil || !bytes.Equal(a.New, deleted(1, 2, 6)) {
		t.Errorf("of a deletion %x is new, %v", a.New, err)
	}
	if a, err := d.Apply(deleted(1, 4, 8)); err != nil || !bytes.Equal(a.New, deleted(1, 6, 8)) {
		t.Errorf("of an overlapping deletion %x is new, %v", a.New, err)
	}
}

func TestTypingIsOneStruct(t *testing.T) {
	d := NewDoc(Limits{})
	for i := range uint64(100) {
		if _, err := d.Apply(typed(1, i, "x")); err != nil {
			t.Fatal(err)
		}
	}
	if n := d.Usage().Structs; n != 1 {
		t.Errorf("%d structs", n)
	}
	if got := d.Diff(StateVector{{Client: 1, Clock: 98}}); !bytes.Equal(got, typed(1, 98, "xx")) {
		t.Errorf("the end of it is %x", got)
	}
}

func TestStructsBehindAGapWait(t *testing.T) {
	d := NewDoc(Limits{})
	late := typed(1, 5, " you")
	a, err := d.Apply(late)
	if err != nil || !a.Pending || !bytes.Equal(a.New, late) {
		t.Fatalf("%+v, %v", a, err)
	}
	if v := d.StateVector(); len(v) != 0 {
		t.Errorf("state vector %v", v)
	}
	if !bytes.Equal(d.Encode(), late) {
		t.Errorf("a peer that joins gets %x", d.Encode())
	}
	a, err = d.Apply(typed(1, 0, "hello"))
	if err != nil || a.Pending {
		t.Errorf("%+v, %v", a, err)
	}
	if v := d.StateVector(); len(v) != 1 || v[0] != (ID{Client: 1, Clock: 9}) {
		t.Errorf("state vector %v", v)
	}
	if u := d.Usage(); u.Pending != 0 {
		t.Errorf("%d bytes still wait", u.Pending)
	}
}

func TestEquivocationIsRefused(t *testing.T) {
	var equivocation *EquivocationError
	d := docOf(t, typed(1, 0, "hello"))
	before := d.Encode()
	for name, update := range map[string][]byte{
		"other text":       typed(1, 0, "help!"),
		"a longer one":     typed(1, 0, "helpers and more"),
		"another origin":   behind(1, 2, ID{Client: 9, Clock: 0}, "llo"),
		"another parent":   raw(refString, 1, 1, 'x', 5, 'h', 'e', 'l', 'l', 'o'),
		"another content":  raw(refEmbed, 1, 4, 't', 'e', 'x', 't', 2, '{', '}'),
		"with other's too": must(merge(typed(2, 0, "fine"), typed(1, 0, "help!"))),
	} {
		if _, err := d.Apply(update); !errors.As(err, &equivocation) || equivocation.ID.Client != 1 {
			t.Errorf("%s: %v", name, err)
		}
		if held, err := d.Contains(update); held || err != nil && !errors.As(err, &equivocation) {
			t.Errorf("%s, read-only: %v, %v", name, held, err)
		}
		if !bytes.Equal(d.Encode(), before) {
			t.Fatalf("%s: the document has changed", name)
		}
	}
}

// blocks lists the blocks of some updates, of one client each, as they come.
func blocks(updates ...[]byte) []byte {
	b := []byte{byte(len(updates))}
	for _, u := range updates {
		b = append(b, u[1:len(u)-1]...)
	}
	return append(b, 0)
}

// behind is an update in which client types text behind origin.
func behind(client, clock uint64, origin ID, text string) []byte {
	var w writer
	id, s := insertion(client, clock, &origin, text)
	w.span(id, s, s.clock, s.end())
	return w.finish()
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func TestHonestAccountsMayDiffer(t *testing.T) {
	values := func(content ...byte) []byte { return raw(append([]byte{refAny, 1, 1, 't'}, content...)...) }
	embed := func(s string) []byte { return raw(appendBytes([]byte{refEmbed, 1, 1, 't'}, []byte(s))...) }
	doc := func(content ...byte) []byte { return raw(append([]byte{refDoc, 1, 1, 't', 1, 'g'}, content...)...) }
	for name, c := range map[string]struct{ known, other []byte }{
		"collected":            {typed(1, 0, "hello"), raw(refGC, 5)},
		"content dropped":      {typed(1, 0, "hello"), raw(refDeleted, 1, 4, 't', 'e', 'x', 't', 5)},
		"a pair that is split": {typed(1, 0, "a😀b"), typed(1, 0, "a\uFFFD\uFFFDb")},
		"half a pair":          {typed(1, 0, "a😀b"), typed(1, 2, "\uFFFDb")},
		"an integer as float":  {values(1, anyInteger, 1), values(1, anyFloat64, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0)},
		"another order of keys": {
			values(1, anyObject, 2, 1, 'a', anyTrue, 1, 'b', anyNull),
			values(1, anyObject, 2, 1, 'b', anyNull, 1, 'a', anyTrue),
		},
		"JSON with spaces":   {embed(`{"a":1,"b":[true]}`), embed(`{ "b": [true], "a": 1.0 }`)},
		"a default left out": {doc(anyObject, 1, 2, 'g', 'c', anyTrue), doc(anyObject, 0)},
	} {
		d := docOf(t, c.known)
		if a, err := d.Apply(c.other); err != nil || a.New != nil {
			t.Errorf("%s: %x is new, %v", name, a.New, err)
		}
		d = docOf(t, c.other)
		if _, err := d.Apply(c.known); err != nil {
			t.Errorf("%s, the other way round: %v", name, err)
		}
	}
}

func TestReadOnlyMeansNothingNew(t *testing.T) {
	d := docOf(t, typed(1, 0, "hello"), deleted(1, 0, 2))
	for name, c := range map[string]struct {
		update []byte
		want   bool
	}{
		"the whole":        {d.Encode(), true},
		"nothing":          {[]byte{0, 0}, true},
		"a part":           {typed(1, 2, "ll"), true},
		"a known deletion": {deleted(1, 1, 2), true},
		"more text":        {typed(1, 5, "!"), false},
		"a new deletion":   {deleted(1, 1, 3), false},
		"a new client":     {typed(2, 0, "x"), false},
	} {
		if got, err := d.Contains(c.update); err != nil || got != c.want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestLimitsRefuseAndChangeNothing(t *testing.T) {
	for _, c := range []struct {
		limits Limits
		update []byte
		name   string
	}{
		{Limits{UpdateBytes: 10}, typed(2, 0, "0123456789"), "UpdateBytes"},
		{Limits{Bytes: 1000}, typed(2, 0, strings.Repeat("x", 1000)), "Bytes"},
		{Limits{Bytes: 1000}, deletions(2, 60), "Bytes"},
		{Limits{PendingBytes: 50}, typed(2, 5, strings.Repeat("x", 50)), "PendingBytes"},
		{Limits{PendingBytes: -1}, typed(2, 1, "x"), "PendingBytes"},
		{Limits{Clients: 1}, typed(2, 0, "x"), "Clients"},
		{Limits{Clients: 1}, deleted(2, 0, 1), "Clients"},
	} {
		d := NewDoc(c.limits)
		if _, err := d.Restore(typed(1, 0, "a")); err != nil {
			t.Fatal(err)
		}
		before := d.Encode()
		_, err := d.Apply(c.update)
		var limit *LimitError
		if !errors.As(err, &limit) || limit.Limit != c.name {
			t.Errorf("%v, want limit %s", err, c.name)
		}
		if !bytes.Equal(d.Encode(), before) {
			t.Errorf("%s: the document has changed", c.name)
		}
		if _, err := d.Restore(c.update); err != nil {
			t.Errorf("%s: what was stored is not restored: %v", c.name, err)
		}
		if _, err := d.Apply(c.update); c.name != "UpdateBytes" && err != nil {
			t.Errorf("%s: what is known is refused: %v", c.name, err)
		}
	}
}

// deletions is an update with n separate deletions.
func deletions(client uint64, n int) []byte {
	var w writer
	for i := range uint64(n) {
		w.deletion(client, interval{start: 2 * i, end: 2*i + 1})
	}
	return w.finish()
}

func TestSnapshotOfManyClientsFitsTheLimitItWasMadeUnder(t *testing.T) {
	d := NewDoc(Limits{Clients: 100})
	for id := range uint64(100) {
		if _, err := d.Apply(typed(id, 0, "x")); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Apply(deletions(id, 3)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := NewDoc(Limits{Clients: 100}).Apply(d.Encode()); err != nil {
		t.Error(err)
	}
}

func TestUpdatesWrittenOddlyAreRelayedAsYjsWritesThem(t *testing.T) {
	a := typed(1, 0, "a")
	for name, c := range map[string]struct{ update, want []byte }{
		"an empty block":    {append([]byte{2, 0, 2, 0}, a[1:]...), a},
		"an empty deletion": {append(a[:len(a)-1:len(a)-1], 1, 1, 1, 0, 0), a},
		"an empty Skip":     {append([]byte{1, 2, 1, 0, refSkip, 0}, a[4:]...), a},
	} {
		d := NewDoc(Limits{})
		if applied, err := d.Apply(c.update); err != nil || !bytes.Equal(applied.New, c.want) {
			t.Errorf("%s: relayed as %x, want %x, %v", name, applied.New, c.want, err)
		}
	}
}

func TestCompactionKeepsPlacesAndDropsContent(t *testing.T) {
	d := docOf(t, typed(1, 0, strings.Repeat("a secret ", 100)), typed(1, 900, "kept"), deleted(1, 0, 900))
	before := d.Usage()
	d.Compact()
	if after := d.Usage(); after.Bytes >= before.Bytes-800 {
		t.Errorf("%d bytes, were %d", after.Bytes, before.Bytes)
	}
	if bytes.Contains(d.Encode(), []byte("secret")) {
		t.Error("deleted content is still there")
	}
	if !bytes.Contains(d.Encode(), []byte("kept")) {
		t.Error("other content is gone")
	}
	if v := d.StateVector(); len(v) != 1 || v[0].Clock != 904 {
		t.Errorf("state vector %v", v)
	}
	again := d.Encode()
	d.Compact()
	if !bytes.Equal(d.Encode(), again) {
		t.Error("a second compaction changes something")
	}
}

func TestGrowthIsCountedFromTheLastCompaction(t *testing.T) {
	d := docOf(t, typed(1, 0, strings.Repeat("x", 1000)), deleted(1, 0, 500))
	if got := d.Grown(); got != d.Usage().Bytes {
		t.Errorf("%d of %d", got, d.Usage().Bytes)
	}
	if d.Compact(); d.Grown() != 0 {
		t.Errorf("%d after compaction", d.Grown())
	}
	before := d.Usage().Bytes
	if _, err := d.Apply(typed(2, 0, "more")); err != nil || d.Grown() != d.Usage().Bytes-before {
		t.Errorf("%d, %v", d.Grown(), err)
	}
}

func TestCutSurrogatePairBecomesReplacementCharacters(t *testing.T) {
	d := docOf(t, typed(1, 0, "a😀b"))
	if got := d.Diff(StateVector{{Client: 1, Clock: 2}}); !bytes.Equal(got, typed(1, 2, "\uFFFDb")) {
		t.Errorf("%x", got)
	}
	for from := range uint64(5) {
		for to := from + 1; to <= 6; to++ {
			_, s := insertion(1, 0, nil, "é😀b\u4e00z")
			c := s.cut(from, to)
			if got := utf16Len(c.appendTo(nil)); got != to-from || len(c.appendTo(nil)) != c.len() {
				t.Errorf("[%d,%d) is %q", from, to, c.appendTo(nil))
			}
		}
	}
}

func TestStateVectorsAreReadInAnyOrder(t *testing.T) {
	v, err := DecodeStateVector([]byte{4, 1, 5, 3, 7, 1, 9, 2, 0})
	if err != nil || len(v) != 2 || v.Clock(3) != 7 || v.Clock(2) != 0 || v.Clock(1) != 9 {
		t.Errorf("%v, %v", v, err)
	}
	for _, b := range [][]byte{nil, {1}, {1, 1}, {200, 1, 1}, {0, 0}} {
		var malformed *MalformedError
		if _, err := DecodeStateVector(b); !errors.As(err, &malformed) {
			t.Errorf("%x: %v", b, err)
		}
	}
}

// world is what a few clients have written, cut into pieces that overlap, and what a naive model makes of the pieces.
type world struct {
	pieces  [][]byte
	known   map[ID]bool
	deleted map[ID]bool
}

func randomWorld(r *rand.Rand) *world {
	w := &world{known: map[ID]bool{}, deleted: map[ID]bool{}}
	for id := uint64(1); id <= 3; id++ {
		text := strings.Repeat("é", 1+r.IntN(60))
		_, whole := insertion(id, 0, nil, text)
		for range 2 + r.IntN(12) {
			from := r.Uint64N(whole.length)
			to := from + 1 + r.Uint64N(min(whole.length-from, 20))
			var wr writer
			wr.span(id, whole, from, to)
			for c := from; c < to; c++ {
				w.known[ID{id, c}] = true
			}
			if r.IntN(3) == 0 {
				wr.deletion(id, interval{start: from, end: to})
				for c := from; c < to; c++ {
					w.deleted[ID{id, c}] = true
				}
			}
			w.pieces = append(w.pieces, wr.finish())
		}
	}
	r.Shuffle(len(w.pieces), func(i, j int) { w.pieces[i], w.pieces[j] = w.pieces[j], w.pieces[i] })
	return w
}

func (w *world) next(client uint64) (n uint64) {
	for w.known[ID{client, n}] {
		n++
	}
	return n
}

func TestAnyOrderGivesTheSameAsANaiveModel(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 4))
		w := randomWorld(r)
		d := NewDoc(Limits{})
		var relayed [][]byte
		for i, p := range w.pieces {
			a, err := d.Apply(p)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if a.New != nil {
				relayed = append(relayed, a.New)
			}
			if held, err := d.Contains(p); err != nil || !held {
				t.Fatalf("seed %d: an applied update is not contained, %v", seed, err)
			}
			if i == len(w.pieces)/2 && r.IntN(2) == 0 {
				d.Compact()
			}
			check(t, d)
		}
		for id := uint64(1); id <= 3; id++ {
			c := d.clients[id]
			if c.next != w.next(id) {
				t.Fatalf("seed %d: client %d is known to %d, want %d", seed, id, c.next, w.next(id))
			}
			for clock := range uint64(80) {
				i := c.from(clock)
				if known := i < len(c.records) && c.records[i].clock <= clock; known != w.known[ID{id, clock}] {
					t.Fatalf("seed %d: client %d clock %d known: %v", seed, id, clock, known)
				}
				if gone := c.deleted.holds(interval{clock, clock + 1}); gone != w.deleted[ID{id, clock}] {
					t.Fatalf("seed %d: client %d clock %d deleted: %v", seed, id, clock, gone)
				}
			}
		}
		equalDocs(t, seed, d, docOf(t, relayed...))
		equalDocs(t, seed, d, docOf(t, d.Encode()))
		half := docOf(t, w.pieces[:len(w.pieces)/2]...)
		if _, err := half.Restore(d.Diff(half.StateVector())); err != nil {
			t.Fatal(err)
		}
		equalDocs(t, seed, d, half)
	}
}

// equalDocs compares by what a peer sees: both compacted, since one of them may have been.
func equalDocs(t *testing.T, seed uint64, a, b *Doc) {
	t.Helper()
	x, y := docOf(t, a.Encode()), docOf(t, b.Encode())
	x.Compact()
	y.Compact()
	if !bytes.Equal(x.Encode(), y.Encode()) {
		t.Fatalf("seed %d: documents differ:\n%x\n%x", seed, x.Encode(), y.Encode())
	}
}

// check fails if an invariant of the document does not hold.
func check(t testing.TB, d *Doc) {
	t.Helper()
	cost, waiting := 0, 0
	for i, c := range d.sorted() {
		if d.clients[c.id] != c || i > 0 && d.order[i-1].id <= c.id {
			t.Fatalf("client %d is out of order", c.id)
		}
		at, behind := uint64(0), 0
		for i, r := range c.records {
			if r.length == 0 || r.clock < at || int(r.off+r.size) > len(c.buf) || r.head > r.size {
				t.Fatalf("client %d, record %d: %+v behind %d", c.id, i, r, at)
			}
			at = r.end()
			if r.clock > c.next {
				behind += recordBytes + int(r.size)
			}
			if r.clock <= c.next && r.end() > c.next {
				t.Fatalf("client %d is known to %d, not to %d", c.id, r.end(), c.next)
			}
		}
		if behind != c.waiting {
			t.Fatalf("client %d: %d bytes wait, not %d", c.id, behind, c.waiting)
		}
		for i, v := range c.deleted {
			if v.start >= v.end || i > 0 && c.deleted[i-1].end >= v.start {
				t.Fatalf("client %d: deletions %v", c.id, c.deleted)
			}
		}
		cost += c.cost()
		waiting += c.waiting
	}
	if d.bytes != cost || d.waiting != waiting || len(d.clients) != len(d.order) {
		t.Fatalf("%d bytes, %d of them waiting; counted %d, %d", cost, waiting, d.bytes, d.waiting)
	}
}
