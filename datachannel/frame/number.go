package frame

import "unicode/utf8"

// maxNumberSize is the size of MaxNumber: eight times seven bits.
const maxNumberSize = 8

func appendNumber(b []byte, n uint64) []byte {
	for n >= 0x80 {
		b = append(b, byte(n)|0x80)
		n >>= 7
	}
	return append(b, byte(n))
}

func numberSize(n uint64) int {
	size := 1
	for n >= 0x80 {
		n >>= 7
		size++
	}
	return size
}

func appendBytes(b, v []byte) []byte {
	b = appendNumber(b, uint64(len(v)))
	return append(b, v...)
}

func appendString(b []byte, v string) []byte {
	b = appendNumber(b, uint64(len(v)))
	return append(b, v...)
}

func appendFlag(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// reader reads fields one after another. After the first that is wrong, bad is set and all others are zero.
type reader struct {
	b   []byte
	at  int
	bad bool
}

func (r *reader) fail() {
	r.bad = true
	r.at = len(r.b)
}

func (r *reader) number() uint64 {
	var n uint64
	for i := range maxNumberSize {
		if r.at == len(r.b) {
			break
		}
		c := r.b[r.at]
		r.at++
		n |= uint64(c&0x7f) << (7 * i)
		if c >= 0x80 {
			continue
		}
		if n > MaxNumber {
			break
		}
		return n
	}
	r.fail()
	return 0
}

func (r *reader) flag() bool {
	n := r.number()
	if n > 1 {
		r.fail()
	}
	return n == 1
}

func (r *reader) bytes() []byte {
	n := r.number()
	if n > uint64(len(r.b)-r.at) {
		r.fail()
		return nil
	}
	v := r.b[r.at : r.at+int(n) : r.at+int(n)]
	r.at += int(n)
	return v
}

func (r *reader) text(minimum, maximum int) string {
	v := r.bytes()
	if len(v) < minimum || len(v) > maximum || !utf8.Valid(v) {
		r.fail()
		return ""
	}
	return string(v)
}

// positive reads a number that must not be 0.
func (r *reader) positive() uint64 {
	n := r.number()
	if n == 0 {
		r.fail()
	}
	return n
}
