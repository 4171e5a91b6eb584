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
		return cutText(s.body, from, to)
	case refJSON, refAny:
		r := reader{b: s.body, checked: true}
		s.skipValues(&r, from)
		start := r.pos
		s.skipValues(&r, to-from)
		return cutting{mid: s.body[start:r.pos]}
	}
	return cutting{mid: s.body}
}

func (s span) skipValues(r *reader, n uint64) {
	for ; n > 0; n-- {
		if s.ref() == refAny {
			r.any(0)
		} else {
			r.bytes()
		}
	}
}

// cutText cuts valid UTF-8 at UTF-16 offsets.
func cutText(b []byte, from, to uint64) cutting {
	start, lead := utf16Index(b, from)
	if lead {
		start += utf8.UTFMax
	}
	end, trail := utf16Index(b, to)
	return cutting{mid: b[start:end], lead: lead, trail: trail}
}

// utf16Index is the byte offset in b of UTF-16 offset n. If n lies inside a surrogate pair, half is set and the offset is
// that of the pair.
func utf16Index(b []byte, n uint64) (offset int, half bool) {
	for at := uint64(0); offset < len(b) && at < n; {
		_, size := utf8.DecodeRune(b[offset:])
		at++
		if size == utf8.UTFMax {
			if at == n {
				return offset, true
			}
			at++
		}
		offset += size
	}
	return offset, false
}
