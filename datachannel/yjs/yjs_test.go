package yjs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"unicode/utf16"
)

// builder makes updates as Yjs writes them, for tests that do without it.
type builder struct {
	client, clock uint64
}

// text is an update with one string inserted behind origin (nil: at the beginning of the root type "t").
func (w *builder) text(s string, origin *id) []byte {
	b := []byte{1, 1}
	b = appendNumber(appendNumber(b, w.client), w.clock)
	if origin == nil {
		b = append(b, kindString, 1, 1, 't')
	} else {
		b = append(b, kindString|hasOrigin)
		b = appendNumber(appendNumber(b, origin.client), origin.clock)
	}
	b = appendBytes(b, []byte(s))
	w.clock += uint64(len(utf16.Encode([]rune(s))))
	return append(b, 0)
}

func deletionOf(client, clock, length uint64) []byte {
	b := appendNumber([]byte{0, 1}, client)
	b = append(b, 1)
	return appendNumber(appendNumber(b, clock), length)
}

func parse(t testing.TB, b []byte) *Update {
	t.Helper()
	u, err := Parse(b)
	if err != nil {
		t.Fatalf("%v: %x", err, b)
	}
	return u
}

func apply(t testing.TB, d *Doc, b []byte) []byte {
	t.Helper()
	u := parse(t, b)
	if err := d.Check(u); err != nil {
		t.Fatal(err)
	}
	return d.Apply(u)
}

func TestOnlyWhatIsNewIsReturned(t *testing.T) {
	w := builder{client: 7}
	first, second := w.text("abc", nil), w.text("def", &id{7, 2})
	d := New()
	if fresh := apply(t, d, first); !bytes.Equal(fresh, first) {
		t.Fatalf("%x", fresh)
	}
	if fresh := apply(t, d, first); fresh != nil {
		t.Fatalf("the same again: %x", fresh)
	}
	both := New()
	apply(t, both, first)
	apply(t, both, second)
	both.Compact()
	whole := both.Diff(nil)
	if !bytes.Contains(whole, []byte("abcdef")) {
		t.Fatalf("not joined: %q", whole)
	}
	fresh := apply(t, d, whole)
	if bytes.Contains(fresh, []byte("abc")) || !bytes.Contains(fresh, []byte("def")) {
		t.Fatalf("not only the new part: %q", fresh)
	}
	if !d.Contains(parse(t, whole)) || !reflect.DeepEqual(d.StateVector(), StateVector{7: 6}) {
		t.Fatal(d.StateVector())
	}
	if fresh := apply(t, d, deletionOf(7, 1, 3)); fresh == nil {
		t.Fatal("a deletion is not new")
	}
	if fresh := apply(t, d, deletionOf(7, 2, 3)); !bytes.Equal(fresh, deletionOf(7, 4, 1)) {
		t.Fatalf("%x", fresh)
	}
}

func TestEquivocationIsNoticed(t *testing.T) {
	d := New()
	honest := builder{client: 7}
	apply(t, d, honest.text("hello", nil))
	apply(t, d, honest.text(" world", &id{7, 4}))
	for name, b := range map[string][]byte{
		"other text":     (&builder{client: 7}).text("help!", nil),
		"longer, other":  (&builder{client: 7}).text("hellO world and more", nil),
		"other origin":   (&builder{client: 7, clock: 5}).text(" world", &id{7, 3}),
		"other parent":   append([]byte{1, 1, 7, 0, kindString, 1, 1, 'u'}, append(appendBytes(nil, []byte("hello")), 0)...),
		"another kind":   {1, 1, 7, 0, kindAny, 1, 1, 't', 1, anyTrue, 0},
		"only the start": (&builder{client: 7}).text("x", nil),
	} {
		var e *Equivocation
		if err := d.Check(parse(t, b)); !errors.As(err, &e) || e.Client != 7 {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, b := range map[string][]byte{
		"joined":         (&builder{client: 7}).text("hello world", nil),
		"joined, longer": (&builder{client: 7}).text("hello world!", nil),
		"a part":         (&builder{client: 7}).text("he", nil),
		"deleted":        {1, 1, 7, 0, kindDeleted, 1, 1, 't', 5, 1, 7, 1, 0, 5},
		"collected":      {1, 1, 7, 0, kindGC, 5, 0},
	} {
		if err := d.Check(parse(t, b)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSameValueInOtherBytesIsNoEquivocation(t *testing.T) {
	item := func(value ...byte) []byte {
		return append(append([]byte{1, 1, 7, 0, kindAny, 1, 1, 't', 1}, value...), 0)
	}
	d := New()
	apply(t, d, item(anyObject, 2, 1, 'a', anyInteger, 1, 1, 'b', anyNull))
	if err := d.Check(parse(t, item(anyObject, 2, 1, 'b', anyNull, 1, 'a', anyFloat32, 0x3f, 0x80, 0, 0))); err != nil {
		t.Fatal(err)
	}
	if d.Check(parse(t, item(anyObject, 2, 1, 'b', anyNull, 1, 'a', anyInteger, 2))) == nil {
		t.Fatal("another value is taken")
	}
}

func TestGapIsNoticed(t *testing.T) {
	d := New()
	later := builder{client: 7, clock: 100}
	u := parse(t, later.text("x", &id{7, 99}))
	if err := d.Check(u); !errors.Is(err, ErrGap) {
		t.Fatal(err)
	}
	withSkip := []byte{1, 3, 7, 0, kindGC, 2, kindSkip, 5, kindGC, 1, 0}
	if err := d.Check(parse(t, withSkip)); !errors.Is(err, ErrGap) {
		t.Fatal(err)
	}
}

func TestMalformedIsRefused(t *testing.T) {
	good := (&builder{client: 7}).text("abc", nil)
	for n := range good {
		if _, err := Parse(good[:n]); !errors.Is(err, ErrFormat) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
	root := []byte{1, 1, 't'}
	item := func(kind byte, content ...byte) []byte {
		return append(append(append([]byte{1, 1, 7, 0, kind}, root...), content...), 0)
	}
	for name, b := range map[string][]byte{
		"more behind":             append(bytes.Clone(good), 0),
		"same client twice":       {2, 1, 7, 0, kindGC, 1, 1, 7, 1, kindGC, 1, 0},
		"length 0":                {1, 1, 7, 0, kindGC, 0, 0},
		"kind 11":                 item(11, 1),
		"skip with flags":         {1, 1, 7, 0, kindSkip | hasOrigin, 1, 0},
		"empty text":              item(kindString, 0),
		"text not UTF-8":          item(kindString, 1, 0xff),
		"half a surrogate pair":   item(kindString, 3, 0xed, 0xa0, 0xbd),
		"embed not JSON":          item(kindEmbed, 1, '{'),
		"format not JSON":         item(kindFormat, 1, 'b', 1, 'x'),
		"unknown type":            item(kindType, 7),
		"unknown any":             item(kindAny, 1, 100),
		"subdocument, no options": item(kindDoc, 1, 'g', anyNull),
		"clock beyond 2^53":       {1, 1, 7, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f, kindGC, 2, 0},
		"many structs":            {1, 0xff, 0xff, 0x7f, 7, 0, kindGC, 1, 0},
		"block of nothing":        {1, 0, 7, 0, 0},
		"too many structs":        append(append([]byte{1, 0x81, 0x80, 0x40, 7, 0}, bytes.Repeat([]byte{kindGC, 1}, MaxItems+1)...), 0),
		"deep":                    item(kindAny, append([]byte{1}, append(bytes.Repeat([]byte{anyArray, 1}, 1000), anyNull)...)...),
	} {
		if _, err := Parse(b); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, b := range [][]byte{{}, {1}, {1, 2}, {0, 0}, {0xff, 0xff, 0xff, 0x7f}} {
		if _, err := DecodeStateVector(b); !errors.Is(err, ErrFormat) {
			t.Errorf("state vector %x: %v", b, err)
		}
	}
}

func TestSubstringIsJavaScripts(t *testing.T) {
	for _, s := range []string{"abc", "wörld", "日本", "a👋b", "👩‍👩‍👧", "👋👋"} {
		all := utf16.Encode([]rune(s))
		if int(units([]byte(s))) != len(all) {
			t.Fatalf("%q has %d units, not %d", s, len(all), units([]byte(s)))
		}
		for from := 0; from <= len(all); from++ {
			for to := from + 1; to <= len(all); to++ {
				want := string(utf16.Decode(all[from:to])) // half a pair becomes U+FFFD
				if got := string(substring([]byte(s), uint64(from), uint64(to))); got != want {
					t.Fatalf("%q from %d to %d: %q, want %q", s, from, to, got, want)
				}
			}
		}
	}
}

func TestRangesAreASet(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		var rs ranges
		set := map[uint64]bool{}
		for range 40 {
			r := interval{random.Uint64N(60), 1 + random.Uint64N(8)}
			inside, fresh := true, map[uint64]bool{}
			for c := r.clock; c < r.end(); c++ {
				if !set[c] {
					inside, fresh[c] = false, true
				}
				set[c] = true
			}
			if rs.contains(r) != inside {
				t.Fatalf("%v contains %v: %v", rs, r, !inside)
			}
			var added ranges
			rs, added = rs.add(r, nil)
			if !reflect.DeepEqual(members(added), fresh) || !reflect.DeepEqual(members(rs), set) {
				t.Fatalf("%v after %v, added %v", rs, r, added)
			}
			for i := 1; i < len(rs); i++ {
				if rs[i].clock <= rs[i-1].end() {
					t.Fatalf("%v overlap or touch", rs)
				}
			}
		}
	}
}

func members(rs ranges) map[uint64]bool {
	m := map[uint64]bool{}
	for _, r := range rs {
		for c := r.clock; c < r.end(); c++ {
			m[c] = true
		}
	}
	return m
}

// TestAnyOrderGivesTheSameDocument cuts one client's text into overlapping updates and applies them in any order.
func TestAnyOrderGivesTheSameDocument(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 4))
	for range 200 {
		whole := New()
		apply(t, whole, (&builder{client: 7}).text("the quick 👋 brown fox jumps over it", nil))
		want := whole.Diff(nil)
		length := whole.StateVector()[7]
		d := New()
		for len(d.StateVector()) == 0 || d.StateVector()[7] < length {
			from := random.Uint64N(length)
			s := whole.clients[7].structs[0].tail(7, from).head(1 + random.Uint64N(length-from))
			if s.kind() == kindString && bytes.Contains(s.raw, []byte("\uFFFD")) {
				continue // Yjs itself is not of one mind about halves of a pair
			}
			d.Apply(&Update{blocks: []block{{7, []span{s}}}})
		}
		d.Compact()
		if got := d.Diff(nil); !bytes.Equal(got, want) {
			t.Fatalf("got  %q\nwant %q", got, want)
		}
	}
}

func FuzzUpdate(f *testing.F) {
	f.Add((&builder{client: 7}).text("a👋", nil))
	f.Add([]byte{1, 3, 7, 0, kindGC, 2, kindSkip, 5, kindGC, 1, 1, 7, 1, 0, 2})
	f.Add([]byte{1, 1, 7, 0, kindAny, 1, 1, 't', 2, anyObject, 1, 1, 'a', anyInteger, 1, anyArray, 1, anyFloat32, 0, 0, 0, 0, 0})
	f.Add([]byte{1, 2, 7, 0, kindFormat, 1, 1, 't', 1, 'b', 4, 't', 'r', 'u', 'e', kindJSON | hasOrigin, 7, 0, 2, 1, '1', 2, '[', ']', 0})
	f.Add([]byte{1, 1, 7, 0, kindDoc | hasParentSub, 1, 1, 'm', 1, 'k', 1, 'g', anyObject, 0, 1, 7, 1, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		u, err := Parse(b)
		if err != nil {
			return
		}
		d := New()
		_ = d.Check(u)
		d.Apply(u)
		again := parse(t, bytes.Clone(b))
		if !d.Contains(again) {
			t.Fatal("what was applied is not contained")
		}
		all := d.Diff(nil)
		copied := New()
		copied.Apply(parse(t, all))
		d.Compact()
		compact := d.Diff(nil)
		if !reflect.DeepEqual(copied.StateVector(), d.StateVector()) {
			t.Fatal("another state vector")
		}
		if fresh := copied.Apply(parse(t, compact)); fresh != nil {
			t.Fatalf("the compact form has more: %x", fresh)
		}
		d.Diff(StateVector{7: 1, 8: 2})
	})
}

// trace is a text by four clients: 40,000 updates of one character, every fifth a deletion.
func trace(n int) [][]byte {
	random := rand.New(rand.NewPCG(2, 2))
	writers := []*builder{{client: 1}, {client: 2}, {client: 3}, {client: 4}}
	updates := [][]byte{writers[0].text("x", nil)}
	at := []id{{1, 0}, {1, 0}, {1, 0}, {1, 0}}
	for len(updates) < n {
		i := random.IntN(4)
		w := writers[i]
		switch {
		case w.clock > 0 && random.IntN(5) == 0:
			updates = append(updates, deletionOf(w.client, random.Uint64N(w.clock), 1))
		case random.IntN(20) == 0: // the cursor jumps
			other := writers[random.IntN(4)]
			if other.clock == 0 {
				continue
			}
			at[i] = id{other.client, random.Uint64N(other.clock)}
			fallthrough
		default:
			clock := w.clock
			updates = append(updates, w.text(string(rune('a'+random.IntN(26))), &at[i]))
			at[i] = id{w.client, clock}
		}
	}
	return updates
}

func BenchmarkApply(b *testing.B) {
	updates := trace(40_000)
	b.ReportAllocs()
	d, i := New(), 0
	for b.Loop() {
		if i == len(updates) {
			d, i = New(), 0
		}
		u, err := Parse(updates[i])
		if err != nil {
			b.Fatal(err)
		}
		if err := d.Check(u); err != nil {
			b.Fatal(err)
		}
		d.Apply(u)
		i++
	}
}

func benchDoc(b *testing.B) *Doc {
	b.Helper()
	d := New()
	for _, u := range trace(40_000) {
		apply(b, d, u)
	}
	return d
}

// BenchmarkUpToDatePeer is what a reconnecting peer costs that has everything: state vector and diff of a document of
// 40,000 edits, after another edit.
func BenchmarkUpToDatePeer(b *testing.B) {
	d := benchDoc(b)
	v := d.StateVector()
	w := builder{client: 1, clock: v[1]}
	b.ReportAllocs()
	for b.Loop() {
		apply(b, d, w.text("x", &id{1, w.clock - 1}))
		apply(b, d, deletionOf(1, w.clock-1, 1))
		v[1] = w.clock
		_ = d.StateVector().Encode()
		_ = d.Diff(v)
	}
}

func BenchmarkCompact(b *testing.B) {
	d := benchDoc(b)
	state := d.Diff(nil)
	for b.Loop() {
		b.StopTimer()
		d := New()
		apply(b, d, state)
		b.StartTimer()
		d.Compact()
	}
	d.Compact()
	b.ReportMetric(float64(len(state)), "B/before")
	b.ReportMetric(float64(len(d.Diff(nil))), "B/after")
}

func BenchmarkLoad(b *testing.B) {
	d := benchDoc(b)
	d.Compact()
	state := d.Diff(nil)
	b.ReportAllocs()
	for b.Loop() {
		apply(b, New(), state)
	}
}

// TestTextSurvivesCompaction edits 4,000 times in Yjs and reads the compact form there.
func TestTextSurvivesCompaction(t *testing.T) {
	o := startOracle(t)
	var made struct {
		Updates []hexBytes
		Text    string
	}
	o.must(map[string]any{"cmd": "trace", "edits": 4000}, &made)
	d := New()
	for _, u := range made.Updates {
		apply(t, d, u)
	}
	before := len(d.Diff(nil))
	d.Compact()
	var read struct{ Text string }
	o.must(map[string]any{"cmd": "text", "update": hexBytes(d.Diff(nil))}, &read)
	if read.Text != made.Text || len(made.Text) < 1000 {
		t.Fatal("another text")
	}
	if after := len(d.Diff(nil)); after > before*3/4 {
		t.Fatalf("%d bytes before, %d after", before, after)
	}
}

// TestMutationsNeverPoison changes bytes of honest updates at random: whatever this package takes, Yjs reads as well.
func TestMutationsNeverPoison(t *testing.T) {
	o := startOracle(t)
	random := rand.New(rand.NewPCG(6, 6))
	taken := 0
	for seed := 1; seed <= 20; seed++ {
		var h history3
		o.must(caseRequest{"case", seed}, &h)
		for _, u := range h.Updates {
			b := bytes.Clone(u)
			for range 1 + random.IntN(2) {
				b[random.IntN(len(b))] ^= 1 << random.IntN(8)
			}
			if _, err := Parse(b); err != nil {
				continue
			}
			taken++
			if failure := o.ask(map[string]any{"cmd": "decode", "update": hexBytes(b)}, nil); failure != "" {
				t.Fatalf("taken, but Yjs cannot read it: %s\n%x", failure, b)
			}
		}
	}
	if taken < 100 {
		t.Fatalf("only %d mutations were taken", taken)
	}
}

func TestMemoryIsAccountedFor(t *testing.T) {
	d := New()
	w := builder{client: 1}
	for range 1000 {
		apply(t, d, w.text("x", originBefore(w)))
	}
	spread := d.Memory()
	if d.Spread() != 1000 || spread < 1000*structCost {
		t.Fatal(d.Spread(), spread)
	}
	d.Compact()
	if d.Spread() != 0 || d.Memory() > 2000 {
		t.Fatal(d.Spread(), d.Memory())
	}
}

func originBefore(w builder) *id {
	if w.clock == 0 {
		return nil
	}
	return &id{w.client, w.clock - 1}
}

func ExampleDoc() {
	d := New()
	u, _ := Parse((&builder{client: 1}).text("hi", nil))
	fmt.Println(d.Apply(u) != nil, d.StateVector())
	v, _ := json.Marshal(d.StateVector())
	fmt.Println(string(v))
	// Output:
	// true map[1:2]
	// {"1":2}
}
