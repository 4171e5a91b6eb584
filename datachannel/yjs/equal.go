package yjs

import (
	"bytes"
	"encoding/json"
	"reflect"
	"unicode/utf8"
)

// agrees compares s with what the history has in its place. Where one of the two has been emptied by the garbage collection
// of Yjs or by Compact there is nothing to compare. It says at which clock they differ.
func (h *history) agrees(client uint64, s span) (clock uint64, same bool) {
	for i := h.find(s.clock); i < len(h.structs) && h.structs[i].clock < s.end(); i++ {
		known := h.structs[i]
		from, to := max(s.clock, known.clock), min(s.end(), known.end())
		if !equal(known.part(client, from, to), s.part(client, from, to)) {
			return from, false
		}
	}
	return 0, true
}

// part is the operations of s from one clock to another.
func (s span) part(client, from, to uint64) span {
	return s.tail(client, from-s.clock).head(to - from)
}

// equal compares two structs of the same clock and length by what they mean: encoders differ in the order of keys, and in
// whether they repeat the key of a map when the origin says it.
func equal(a, b span) bool {
	if a.emptyKind() || b.emptyKind() {
		return true
	}
	if bytes.Equal(a.raw, b.raw) {
		return true
	}
	if a.kind() != b.kind() || !equalHeads(a, b) {
		return false
	}
	x, y := reader{b: a.raw, at: int(a.content)}, reader{b: b.raw, at: int(b.content)}
	switch a.kind() {
	case kindString:
		return equalText(x.bytes(), y.bytes())
	case kindAny:
		return equalMany(&x, &y, func(r *reader) any { return r.value() })
	case kindJSON:
		return equalMany(&x, &y, func(r *reader) any { return parsed(r.bytes()) })
	case kindEmbed:
		return reflect.DeepEqual(parsed(x.bytes()), parsed(y.bytes()))
	case kindFormat:
		return bytes.Equal(x.bytes(), y.bytes()) && reflect.DeepEqual(parsed(x.bytes()), parsed(y.bytes()))
	case kindDoc:
		return bytes.Equal(x.bytes(), y.bytes()) && reflect.DeepEqual(x.value(), y.value())
	default:
		return bytes.Equal(a.raw[a.content:], b.raw[b.content:])
	}
}

func (s span) emptyKind() bool { return s.bare() || s.kind() == kindDeleted }

func equalHeads(a, b span) bool {
	if a.raw[0]&(hasOrigin|hasRight) != b.raw[0]&(hasOrigin|hasRight) {
		return false
	}
	if a.raw[0]&(hasOrigin|hasRight) == 0 && a.raw[0] != b.raw[0] {
		return false
	}
	return bytes.Equal(a.raw[1:a.content], b.raw[1:b.content])
}

func equalMany(x, y *reader, value func(*reader) any) bool {
	n, m := x.number(), y.number()
	for ; n == m && n > 0; n, m = n-1, m-1 {
		if !reflect.DeepEqual(value(x), value(y)) {
			return false
		}
	}
	return n == m
}

func parsed(b []byte) any {
	var v any
	if json.Unmarshal(b, &v) != nil {
		return string(b) // "undefined"
	}
	return v
}

// equalText compares text in which either side may have U+FFFD for half a surrogate pair, because Yjs has split it there.
func equalText(a, b []byte) bool {
	for len(a) > 0 && len(b) > 0 {
		x, n := utf8.DecodeRune(a)
		y, m := utf8.DecodeRune(b)
		switch {
		case x == y:
		case x == utf8.RuneError && m == 4:
			n = halves(a, n)
		case y == utf8.RuneError && n == 4:
			m = halves(b, m)
		default:
			return false
		}
		a, b = a[n:], b[m:]
	}
	return len(a) == len(b)
}

// halves is the size of the two U+FFFD that stand for a pair, or of the one at the end of the text.
func halves(b []byte, n int) int {
	if next, m := utf8.DecodeRune(b[n:]); next == utf8.RuneError {
		return n + m
	}
	return n
}
