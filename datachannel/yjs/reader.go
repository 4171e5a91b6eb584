package yjs

import (
	"encoding/json"
	"unicode/utf8"
)

// maxSafe is JavaScript's Number.MAX_SAFE_INTEGER: no number on this wire is larger.
const maxSafe = 1<<53 - 1

// maxDepth is how deeply a value may be nested. lib0 reads nested values by recursion: without a bound a few kilobytes would
// overflow the stack of every browser that receives them.
const maxDepth = 256

// reader reads lib0's encoding. After the first fault it reads zeros, so that callers need to look at fault only once.
type reader struct {
	b     []byte
	pos   int
	fault Fault
	at    int // where the fault was found
	// checked says that the bytes have been read once without fault, and that text and JSON need no second look.
	checked bool
}

func (r *reader) fail(f Fault) {
	if r.fault == "" {
		r.fault, r.at = f, r.pos
	}
	r.pos = len(r.b)
}

// error is nil when nothing was wrong.
func (r *reader) error(what string) error {
	if r.fault == "" {
		return nil
	}
	return &MalformedError{What: what, Fault: r.fault, Offset: r.at}
}

func (r *reader) rest() int { return len(r.b) - r.pos }

// end is called where nothing may follow.
func (r *reader) end() {
	if r.rest() > 0 {
		r.fail(Trailing)
	}
}

func (r *reader) byte() byte {
	if r.pos >= len(r.b) {
		r.fail(Truncated)
		return 0
	}
	r.pos++
	return r.b[r.pos-1]
}

// uint reads a lib0 varUint: seven bits a byte, the lowest first.
func (r *reader) uint() uint64 {
	if r.pos < len(r.b) && r.b[r.pos] < 0x80 {
		r.pos++
		return uint64(r.b[r.pos-1])
	}
	var n uint64
	for shift := 0; shift < 56; shift += 7 {
		c := r.byte()
		n |= uint64(c&0x7f) << shift
		if c < 0x80 {
			if n > maxSafe {
				r.fail(BadNumber)
				return 0
			}
			return n
		}
	}
	r.fail(BadNumber)
	return 0
}

// count reads a number of values that take at least size bytes each.
func (r *reader) count(size int) uint64 {
	n := r.uint()
	if n > uint64(r.rest()/size) {
		r.fail(BadCount)
		return 0
	}
	return n
}

func (r *reader) skip(n int) {
	if n > r.rest() {
		r.fail(Truncated)
		return
	}
	r.pos += n
}

// bytes reads a varUint8Array. The result shares the reader's memory.
func (r *reader) bytes() []byte {
	n := r.uint()
	if n > uint64(r.rest()) {
		r.fail(Truncated)
		return nil
	}
	r.pos += int(n)
	return r.b[r.pos-int(n) : r.pos]
}

// text reads a varString. lib0 decodes with a fatal TextDecoder: what is not UTF-8 would throw in every client.
func (r *reader) text() []byte {
	b := r.bytes()
	if !r.checked && !utf8.Valid(b) {
		r.fail(BadText)
		return nil
	}
	return b
}

// json reads a varString that clients give to JSON.parse.
func (r *reader) json() {
	if b := r.text(); !r.checked && r.fault == "" {
		r.checkJSON(b)
	}
}

func (r *reader) checkJSON(b []byte) {
	if jsonDepth(b) > maxDepth {
		r.fail(TooDeep)
	} else if !json.Valid(b) {
		r.fail(BadJSON)
	}
}

// jsonDepth is the deepest nesting of b, which need not be valid.
func jsonDepth(b []byte) int {
	depth, deepest, quoted := 0, 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return deepest
}

// id reads a client and a clock.
func (r *reader) id() ID {
	client := r.uint()
	return ID{Client: client, Clock: r.uint()}
}

// appendUint writes a varUint.
func appendUint(b []byte, n uint64) []byte {
	for n >= 0x80 {
		b = append(b, byte(n)|0x80)
		n >>= 7
	}
	return append(b, byte(n))
}

// appendBytes writes a varUint8Array.
func appendBytes(b, p []byte) []byte {
	return append(appendUint(b, uint64(len(p))), p...)
}
