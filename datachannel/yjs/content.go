package yjs

import "unicode/utf8"

// content reads the content that ref promises. It returns its length in clocks and its bytes without the count.
func (r *reader) content(ref byte) (length uint64, body []byte) {
	switch ref {
	case refDeleted:
		return r.uint(), nil
	case refString:
		body = r.text()
		return utf16Len(body), body
	case refJSON:
		// Each is a varString: at least its length byte.
		length = r.count(1)
		start := r.pos
		for n := length; n > 0 && r.fault == ""; n-- {
			r.jsonOrUndefined()
		}
		return length, r.b[min(start, r.pos):r.pos]
	case refAny:
		length = r.count(1)
		start := r.pos
		for n := length; n > 0 && r.fault == ""; n-- {
			r.any(0)
		}
		return length, r.b[min(start, r.pos):r.pos]
	}
	start := r.pos
	r.single(ref)
	return 1, r.b[min(start, r.pos):r.pos]
}

// single reads a content that is always one clock long.
func (r *reader) single(ref byte) {
	switch ref {
	case refBinary:
		r.bytes()
	case refEmbed:
		r.json()
	case refFormat:
		r.text()
		r.json()
	case refType:
		switch t := r.uint(); {
		case t == typeXMLElement, t == typeXMLHook:
			r.text()
		case t > typeXMLText:
			r.fail(BadContent)
		}
	case refDoc:
		r.text()
		// Yjs takes properties of the options without asking whether they are an object.
		if r.pos < len(r.b) && r.b[r.pos] != anyObject {
			r.fail(BadContent)
			return
		}
		r.any(0)
	default:
		r.fail(BadContent)
	}
}

// jsonOrUndefined reads an element of the older array content, which writes undefined as a bare word.
func (r *reader) jsonOrUndefined() {
	b := r.text()
	if !r.checked && r.fault == "" && string(b) != "undefined" {
		r.checkJSON(b)
	}
}

// utf16Len is the length of valid UTF-8 in UTF-16 code units.
func utf16Len(b []byte) (n uint64) {
	for _, c := range b {
		switch {
		case c >= 0xf0: // four bytes are a surrogate pair
			n += 2
		case c&0xc0 != 0x80: // not a continuation byte
			n++
		}
	}
	return n
}

// replacement is U+FFFD, which Yjs puts in the place of each half when a surrogate pair is cut in two.
const replacement = "\uFFFD"

// cutting is a part of a body. lead and trail say that a half surrogate pair stands before and after mid.
type cutting struct {
	mid         []byte
	lead, trail bool
}

func (c cutting) len() int {
	n := len(c.mid)
	if c.lead {
		n += len(replacement)
	}
	if c.trail {
		n += len(replacement)
	}
	return n
}

func (c cutting) appendTo(b []byte) []byte {
	if c.lead {
		b = append(b, replacement...)
	}
	b = append(b, c.mid...)
	if c.trail {
		b = append(b, replacement...)
	}
	return b
}

// cut is the part of the body that holds the clocks [from, to), counted from the start of s.
func (s span) cut(from, to uint64) cutting {
	if from == 0 && to == s.length {
		return cutting{mid: s.body}
	}
	switch s.ref() {
	case refString:
		if uint64(len(s.body)) == s.length { // all ASCII
			return cutting{mid: s.body[from:to]}
		}
		return s.cutText(from, to)
	case refJSON, refAny:
		start := s.first(from)
		end, _ := s.seek(to, start)
		return cutting{mid: s.body[start.offset:end.offset]}
	}
	return cutting{mid: s.body}
}

// cutText cuts text at UTF-16 offsets.
func (s span) cutText(from, to uint64) cutting {
	before := s.first(from)
	start, lead := s.seek(from, before)
	if lead {
		start.offset += utf8.UTFMax
	}
	end, trail := s.seek(to, before)
	return cutting{mid: s.body[start.offset:end.offset], lead: lead, trail: trail}
}

// mark is a place in a body: the byte offset of a unit. Cuts in rising order go on from it, for a long body that is cut in a
// thousand places must not be read a thousand times.
type mark struct {
	unit   uint64
	offset int
}

// first is the place of unit n, where a cut begins; if that is the second half of a surrogate pair, the place of the pair. It
// is where the next cut will go on from, unless that begins before.
func (s span) first(n uint64) mark {
	if s.mark == nil {
		at, _ := s.seek(n, mark{})
		return at
	}
	if s.mark.unit > n {
		*s.mark = mark{}
	}
	*s.mark, _ = s.seek(n, *s.mark)
	return *s.mark
}

// seek is the place of unit n of a body of text or values, looked for from another place before it. If n is the second half
// of a surrogate pair, half is set and the place is that of the pair.
func (s span) seek(n uint64, at mark) (found mark, half bool) {
	r := reader{b: s.body, pos: at.offset, checked: true}
	for r.rest() > 0 && at.unit < n && !half {
		switch s.ref() {
		case refAny:
			r.any(0)
			at.unit++
		case refJSON:
			r.bytes()
			at.unit++
		default:
			half = !r.character(&at, n)
		}
	}
	at.offset = r.pos
	return at, half
}

// character moves over one character, unless n is inside it.
func (r *reader) character(at *mark, n uint64) bool {
	_, size := utf8.DecodeRune(r.b[r.pos:])
	units := uint64(1)
	if size == utf8.UTFMax {
		units = 2
	}
	if at.unit+units > n {
		return false
	}
	at.unit += units
	r.pos += size
	return true
}
