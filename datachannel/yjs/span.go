package yjs

// id names an operation.
type id struct{ client, clock uint64 }

// span is a struct of an update: length operations of one client from clock on, as bytes that begin with the info byte.
type span struct {
	clock, length uint64
	raw           []byte
	content       uint32 // offset of the content in raw
}

// The kinds of structs: the low five bits of the info byte.
const (
	kindGC      = 0
	kindDeleted = 1
	kindJSON    = 2
	kindBinary  = 3
	kindString  = 4
	kindEmbed   = 5
	kindFormat  = 6
	kindType    = 7
	kindAny     = 8
	kindDoc     = 9
	kindSkip    = 10

	kindMask = 0x1f
)

// The high bits of the info byte.
const (
	hasOrigin    = 0x80
	hasRight     = 0x40
	hasParentSub = 0x20
)

// The types that carry a name (src/structs/ContentType.js), and the last type there is.
const (
	typeXMLElement = 3
	typeXMLHook    = 5
	typeLast       = 6
)

func (s span) kind() byte   { return s.raw[0] & kindMask }
func (s span) isSkip() bool { return s.raw[0] == kindSkip }
func (s span) end() uint64  { return s.clock + s.length }

// bare says whether the struct is only a length, as GC and Skip are.
func (s span) bare() bool { return s.kind() == kindGC || s.isSkip() }

// span reads one struct.
func (r *reader) span(clock uint64) span {
	start := r.at
	s := span{clock: clock}
	info := r.byte()
	switch {
	case info == kindSkip || info == kindGC:
		s.length = r.number()
	case info&kindMask == kindGC || info&kindMask >= kindSkip:
		r.fail()
	default:
		r.head(info)
		s.content = uint32(r.at - start)
		s.length = r.contents(info & kindMask)
	}
	if s.length == 0 || s.length > maxNumber-clock {
		r.fail()
	}
	s.raw = r.b[start:r.at:r.at]
	return s
}

// head skips origins and parent.
func (r *reader) head(info byte) {
	if info&hasOrigin != 0 {
		r.number()
		r.number()
	}
	if info&hasRight != 0 {
		r.number()
		r.number()
	}
	if info&(hasOrigin|hasRight) != 0 {
		return
	}
	if r.number() == 1 {
		r.text()
	} else {
		r.number()
		r.number()
	}
	if info&hasParentSub != 0 {
		r.text()
	}
}

// contents skips the content of an item and returns its length in operations.
func (r *reader) contents(kind byte) uint64 {
	switch kind {
	case kindDeleted:
		return r.number()
	case kindString:
		return units(r.text())
	case kindJSON:
		return r.many(func() {
			if b := r.text(); string(b) != "undefined" && !validJSON(b) {
				r.fail()
			}
		})
	case kindAny:
		return r.many(func() { r.any(0) })
	case kindBinary:
		r.bytes()
	case kindEmbed:
		r.json()
	case kindFormat:
		r.text()
		r.json()
	case kindType:
		switch t := r.number(); {
		case t == typeXMLElement || t == typeXMLHook:
			r.text()
		case t > typeLast:
			r.fail()
		}
	case kindDoc:
		r.text()
		if r.at < len(r.b) && (r.b[r.at] == anyNull || r.b[r.at] == anyUndefined) {
			r.fail() // Yjs reads a property of the options
		}
		r.any(0)
	}
	return 1
}

func (r *reader) many(one func()) uint64 {
	count := r.number()
	for n := count; n > 0 && !r.bad; n-- {
		one()
	}
	return count
}

// origins reads what head has skipped: the left and right origin.
func (s span) origins() (left, right id, hasLeft, hasRightID bool) {
	r := reader{b: s.raw, at: 1}
	if s.raw[0]&hasOrigin != 0 {
		left, hasLeft = id{r.number(), r.number()}, true
	}
	if s.raw[0]&hasRight != 0 {
		right, hasRightID = id{r.number(), r.number()}, true
	}
	return left, right, hasLeft, hasRightID
}

// tail is s without its first n operations, as Yjs splits it: its origin is the operation before.
func (s span) tail(client, n uint64) span {
	if n == 0 {
		return s
	}
	o := span{clock: s.clock + n, length: s.length - n}
	if s.bare() {
		o.raw = appendNumber([]byte{s.raw[0]}, o.length)
		return o
	}
	_, right, _, rightToo := s.origins()
	b := make([]byte, 0, len(s.raw)+16)
	b = append(b, s.raw[0]&(hasRight|kindMask)|hasOrigin)
	b = appendNumber(appendNumber(b, client), o.clock-1)
	if rightToo {
		b = appendNumber(appendNumber(b, right.client), right.clock)
	}
	o.content = uint32(len(b))
	o.raw = s.appendContent(b, n, s.length)
	return o
}

// head is the first n operations of s.
func (s span) head(n uint64) span {
	if n == s.length {
		return s
	}
	o := span{clock: s.clock, length: n, content: s.content}
	if s.bare() {
		o.raw = appendNumber([]byte{s.raw[0]}, n)
		return o
	}
	b := append(make([]byte, 0, len(s.raw)), s.raw[:s.content]...)
	o.raw = s.appendContent(b, 0, n)
	return o
}

// appendContent writes the operations from one to another of the content. Content that cannot be divided is one operation.
func (s span) appendContent(b []byte, from, to uint64) []byte {
	r := reader{b: s.raw, at: int(s.content)}
	switch s.kind() {
	case kindDeleted:
		return appendNumber(b, to-from)
	case kindString:
		return appendBytes(b, substring(r.bytes(), from, to))
	case kindJSON, kindAny:
		r.number()
		begin, end := r.at, r.at
		for n := uint64(0); n < to; n++ {
			if n == from {
				begin = r.at
			}
			if s.kind() == kindAny {
				r.any(0)
			} else {
				r.bytes()
			}
			end = r.at
		}
		return append(appendNumber(b, to-from), s.raw[begin:end]...)
	default:
		return append(b, s.raw[s.content:]...)
	}
}
