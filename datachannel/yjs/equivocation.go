package yjs

import (
	"bytes"
	"encoding/json"
	"reflect"
	"unicode/utf16"
)

// sameMeaning says whether a and b, two accounts of the same client's clocks [start, end), can both be true.
//
// The bytes may differ honestly. A client that has collected deleted content sends a tombstone; one that has split a surrogate
// pair sends U+FFFD for each half; and one that has read a value and writes it again may choose another encoding of the number,
// another order of keys, and leave out options that have their default.
func sameMeaning(client uint64, a, b span, start, end uint64) bool {
	if a.clock == b.clock && a.length == b.length && bytes.Equal(a.head, b.head) && bytes.Equal(a.body, b.body) {
		return true
	}
	if a.ref() == refGC || b.ref() == refGC {
		return true
	}
	l := a.linksAt(client, start)
	if l != b.linksAt(client, start) {
		return false
	}
	if l.present == 0 && !samePlace(a.head, b.head) {
		return false
	}
	if a.ref() == refDeleted || b.ref() == refDeleted {
		return true
	}
	if a.ref() != b.ref() {
		return false
	}
	x, y := a.cut(start-a.clock, end-a.clock), b.cut(start-b.clock, end-b.clock)
	if a.ref() == refString {
		return sameText(x, y)
	}
	return bytes.Equal(x.mid, y.mid) || sameValues(a.ref(), x.mid, y.mid)
}

// samePlace compares parent and key of two heads without origins.
func samePlace(a, b []byte) bool {
	return a[0]&hasParentSub == b[0]&hasParentSub && bytes.Equal(a[1:], b[1:])
}

func sameText(a, b cutting) bool {
	if !a.lead && !a.trail && !b.lead && !b.trail && bytes.Equal(a.mid, b.mid) {
		return true
	}
	x, y := codeUnits(a), codeUnits(b)
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		if x[i] != y[i] && !halved(x[i], y[i]) && !halved(y[i], x[i]) {
			return false
		}
	}
	return true
}

func codeUnits(c cutting) []uint16 { return utf16.Encode([]rune(string(c.appendTo(nil)))) }

// halved says whether a is what becomes of b when its pair is split.
func halved(a, b uint16) bool { return a == 0xfffd && utf16.IsSurrogate(rune(b)) }

// sameValues compares two checked bodies of as many values by what clients read out of them.
func sameValues(ref byte, a, b []byte) bool {
	x, y := reader{b: a, checked: true}, reader{b: b, checked: true}
	switch ref {
	case refAny:
		for x.rest() > 0 && y.rest() > 0 {
			if !reflect.DeepEqual(x.value(), y.value()) {
				return false
			}
		}
		return x.rest() == y.rest()
	case refJSON:
		for x.rest() > 0 && y.rest() > 0 {
			if !sameJSON(x.bytes(), y.bytes()) {
				return false
			}
		}
		return x.rest() == y.rest()
	case refEmbed:
		return sameJSON(x.bytes(), y.bytes())
	case refFormat:
		return bytes.Equal(x.bytes(), y.bytes()) && sameJSON(x.bytes(), y.bytes())
	case refDoc:
		return bytes.Equal(x.bytes(), y.bytes()) && sameOptions(x.value(), y.value())
	}
	return false
}

func sameJSON(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	var x, y any
	// "undefined" is no JSON, and equal only to itself.
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	return reflect.DeepEqual(x, y)
}

// sameOptions compares the options of a subdocument that both name: Yjs keeps only those it knows, if not the default.
func sameOptions(a, b any) bool {
	x, ok := a.(map[string]any)
	y, also := b.(map[string]any)
	if !ok || !also {
		return false
	}
	for name, value := range x {
		if other, named := y[name]; named && !reflect.DeepEqual(value, other) {
			return false
		}
	}
	return true
}
