package yjs

import (
	"encoding/json"
	"unicode/utf8"
)

func validJSON(b []byte) bool { return json.Valid(b) }

// units is the length of UTF-8 text as JavaScript counts it: in UTF-16 code units.
func units(b []byte) (n uint64) {
	for _, c := range b {
		switch {
		case c < 0x80 || c >= 0xc0 && c < 0xf0:
			n++
		case c >= 0xf0: // four bytes are a surrogate pair
			n += 2
		}
	}
	return n
}

// offset is the place of a code unit in UTF-8 text. In the middle of a surrogate pair it is the place of the pair.
func offset(b []byte, unit uint64) (at int, middle bool) {
	for n := uint64(0); n < unit; {
		size := 1
		switch c := b[at]; {
		case c >= 0xf0:
			size = 4
			n++
		case c >= 0xe0:
			size = 3
		case c >= 0xc0:
			size = 2
		}
		n++
		if n > unit {
			return at, true
		}
		at += size
	}
	return at, false
}

// substring cuts text by code units. Half a surrogate pair becomes U+FFFD, as in Yjs (src/structs/ContentString.js).
func substring(b []byte, from, to uint64) []byte {
	begin, beginMiddle := offset(b, from)
	end, endMiddle := offset(b, to)
	if !beginMiddle && !endMiddle {
		return b[begin:end]
	}
	var out []byte
	if beginMiddle {
		out = utf8.AppendRune(out, utf8.RuneError)
		begin += 4
	}
	if begin < end {
		out = append(out, b[begin:end]...)
	}
	if endMiddle {
		out = utf8.AppendRune(out, utf8.RuneError)
	}
	return out
}
