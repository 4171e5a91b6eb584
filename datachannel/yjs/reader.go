package yjs

import (
	"encoding/json"
	"math"
	"unicode/utf8"
)

// maxNumber is the largest integer that JavaScript holds exactly.
const maxNumber = 1<<53 - 1

// maxDepth of values inside values; each level costs stack, here and in the browser.
const maxDepth = 64

// reader reads lib0's encoding. After the first mistake bad is set, and everything reads as zero.
type reader struct {
	b     []byte
	at    int
	bad   bool
	items uint64 // structs or deleted ranges of an update, read so far
}

func (r *reader) fail() {
	r.bad = true
	r.at = len(r.b)
}

func (r *reader) byte() byte {
	if r.at >= len(r.b) {
		r.fail()
		return 0
	}
	r.at++
	return r.b[r.at-1]
}

// number reads lib0's varUint.
func (r *reader) number() uint64 {
	if r.at < len(r.b) && r.b[r.at] < 0x80 {
		r.at++
		return uint64(r.b[r.at-1])
	}
	var n uint64
	for shift := 0; shift < 56; shift += 7 {
		c := r.byte()
		n |= uint64(c&0x7f) << shift
		if c < 0x80 {
			if n > maxNumber {
				break
			}
			return n
		}
	}
	r.fail()
	return 0
}

func (r *reader) bytes() []byte {
	n := r.number()
	if n > uint64(len(r.b)-r.at) {
		r.fail()
		return nil
	}
	r.at += int(n)
	return r.b[r.at-int(n) : r.at : r.at]
}

// text reads a string. Yjs decodes strictly: what is not UTF-8 throws in every browser that gets it.
func (r *reader) text() []byte {
	b := r.bytes()
	if !utf8.Valid(b) {
		r.fail()
		return nil
	}
	return b
}

// json reads a string that Yjs will give to JSON.parse.
func (r *reader) json() []byte {
	b := r.text()
	if !json.Valid(b) {
		r.fail()
		return nil
	}
	return b
}

func (r *reader) skip(n int) {
	if n > len(r.b)-r.at {
		r.fail()
		return
	}
	r.at += n
}

// The tags of lib0's "any" encoding (lib0/encoding.js, writeAny).
const (
	anyUndefined = 127
	anyNull      = 126
	anyInteger   = 125
	anyFloat32   = 124
	anyFloat64   = 123
	anyBigInt    = 122
	anyFalse     = 121
	anyTrue      = 120
	anyString    = 119
	anyObject    = 118
	anyArray     = 117
	anyBytes     = 116
)

// any skips a value.
func (r *reader) any(depth int) {
	if depth > maxDepth {
		r.fail()
		return
	}
	switch r.byte() {
	case anyUndefined, anyNull, anyFalse, anyTrue:
	case anyInteger:
		r.integer()
	case anyFloat32:
		r.skip(4)
	case anyFloat64, anyBigInt:
		r.skip(8)
	case anyString:
		r.text()
	case anyBytes:
		r.bytes()
	case anyObject:
		for n := r.number(); n > 0 && !r.bad; n-- {
			r.text()
			r.any(depth + 1)
		}
	case anyArray:
		for n := r.number(); n > 0 && !r.bad; n-- {
			r.any(depth + 1)
		}
	default:
		r.fail()
	}
}

// integer reads lib0's varInt: the first byte has six bits and the sign.
func (r *reader) integer() int64 {
	c := r.byte()
	n, negative := uint64(c&0x3f), c&0x40 != 0
	for shift := 6; c >= 0x80; shift += 7 {
		if shift > 53 {
			r.fail()
			return 0
		}
		c = r.byte()
		n |= uint64(c&0x7f) << shift
	}
	if n > maxNumber {
		r.fail()
		return 0
	}
	if negative {
		return -int64(n)
	}
	return int64(n)
}

// value reads a value that any has accepted, in a form that can be compared.
func (r *reader) value() any {
	switch tag := r.byte(); tag {
	case anyInteger:
		return float64(r.integer())
	case anyFloat32:
		return float64(math.Float32frombits(uint32(r.fixed(4))))
	case anyFloat64:
		return math.Float64frombits(r.fixed(8))
	case anyBigInt:
		return r.fixed(8)
	case anyString:
		return string(r.bytes())
	case anyBytes:
		return [1]string{string(r.bytes())} // unlike any string
	case anyObject:
		m := map[string]any{}
		for n := r.number(); n > 0 && !r.bad; n-- {
			k := string(r.bytes())
			m[k] = r.value()
		}
		return m
	case anyArray:
		var a []any
		for n := r.number(); n > 0 && !r.bad; n-- {
			a = append(a, r.value())
		}
		return a
	default:
		return tag
	}
}

func (r *reader) fixed(n int) uint64 {
	var v uint64
	for range n {
		v = v<<8 | uint64(r.byte())
	}
	return v
}

func appendNumber(b []byte, n uint64) []byte {
	for n >= 0x80 {
		b = append(b, byte(n)|0x80)
		n >>= 7
	}
	return append(b, byte(n))
}

func appendBytes(b, v []byte) []byte {
	b = appendNumber(b, uint64(len(v)))
	return append(b, v...)
}
