package yjs

// ID names one unit of one client's work: clocks count UTF-16 code units of text, values, and everything else as one.
type ID struct{ Client, Clock uint64 }

// The content references of update format V1: the low five bits of a struct's first byte.
const (
	refGC      = 0
	refDeleted = 1
	refJSON    = 2
	refBinary  = 3
	refString  = 4
	refEmbed   = 5
	refFormat  = 6
	refType    = 7
	refAny     = 8
	refDoc     = 9
	refSkip    = 10

	refMask      = 0x1f
	hasParentSub = 0x20 // the parent is a map and this is the key's value
	hasRight     = 0x40 // a right origin follows
	hasOrigin    = 0x80 // an origin follows
)

// The type references of a refType content that carry a name; refXMLText is the last there is.
const (
	typeXMLElement = 3
	typeXMLHook    = 5
	typeXMLText    = 6
)

// span is one struct: length clocks of one client from clock on.
//
// head is the first byte, the origins and the parent as they are on the wire. body is the content without its count: the
// count is known from length (or, for text, from len(body)), so two bodies join by appending one to the other.
type span struct {
	clock, length uint64
	head, body    []byte
	mark          *mark // where cut has last been, if somebody cuts more than once
}

func (s span) end() uint64 { return s.clock + s.length }
func (s span) info() byte  { return s.head[0] }
func (s span) ref() byte   { return s.head[0] & refMask }

// links are where an item was inserted. An absent one is all zeros; present is hasOrigin and hasRight.
type links struct {
	present       byte
	origin, right ID
}

func (s span) links() links {
	l := links{present: s.info() & (hasOrigin | hasRight)}
	r := reader{b: s.head, pos: 1}
	if l.present&hasOrigin != 0 {
		l.origin = r.id()
	}
	if l.present&hasRight != 0 {
		l.right = r.id()
	}
	return l
}

// linksAt are the links of the item that would begin at clock if s were split there.
func (s span) linksAt(client, clock uint64) links {
	l := s.links()
	if clock > s.clock {
		l.present |= hasOrigin
		l.origin = ID{Client: client, Clock: clock - 1}
	}
	return l
}

// span reads the struct of client at clock. A Skip has only a head of one byte; a length of zero is allowed for it alone.
func (r *reader) span(client, clock uint64) span {
	start := r.pos
	info := r.byte()
	s := span{clock: clock, length: 1}
	switch {
	case info&refMask == refGC, info == refSkip:
		s.head = r.b[start:r.pos]
		s.length = r.uint()
	default:
		r.placement(info, ID{Client: client, Clock: clock})
		s.head = r.b[start:r.pos]
		s.length, s.body = r.content(info & refMask)
	}
	if s.length == 0 && info != refSkip {
		r.fail(BadLength)
	}
	if clock+s.length > maxSafe {
		r.fail(ClockOverflow)
	}
	if r.fault != "" {
		// What was read before the fault must not be looked at.
		return span{clock: clock, head: []byte{refSkip}}
	}
	return s
}

// placement reads an item's origins, or its parent where it has none.
//
// Yjs looks for a reference to the item's own client without asking whether it is there yet, and throws when it is not: such
// an update would break every document that it reaches.
func (r *reader) placement(info byte, self ID) {
	if info&hasOrigin != 0 {
		r.earlier(r.id(), self)
	}
	if info&hasRight != 0 {
		r.earlier(r.id(), self)
	}
	if info&(hasOrigin|hasRight) != 0 {
		return
	}
	switch r.uint() {
	case 0:
		r.earlier(r.id(), self)
	case 1:
		r.text()
	default:
		r.fail(BadContent)
	}
	if info&hasParentSub != 0 {
		r.text()
	}
}

func (r *reader) earlier(id, self ID) {
	if id.Client == self.Client && id.Clock >= self.Clock {
		r.fail(BadReference)
	}
}

// record is a span whose bytes are in its client's buf: the head at off, the body after it.
type record struct {
	clock, length   uint64
	off, head, size uint32 // size is head and body together
}

func (r record) end() uint64 { return r.clock + r.length }

// recordBytes is what a record itself costs in Usage.Bytes.
const recordBytes = 32

func (s span) cost() int { return recordBytes + len(s.head) + len(s.body) }

// appendHead writes the head that the struct has when its first from clocks are cut off.
func (s span) appendHead(b []byte, client, from uint64) []byte {
	if from == 0 || s.ref() == refGC {
		return append(b, s.head...)
	}
	l := s.linksAt(client, s.clock+from)
	// The parent goes: a receiver takes it from the origin.
	b = append(b, s.info()|hasOrigin)
	b = appendUint(appendUint(b, l.origin.Client), l.origin.Clock)
	if l.present&hasRight != 0 {
		b = appendUint(appendUint(b, l.right.Client), l.right.Clock)
	}
	return b
}

// appendWire writes the clocks [from, to) of s, counted from its start, as a struct of an update.
func (s span) appendWire(b []byte, client, from, to uint64) []byte {
	b = s.appendHead(b, client, from)
	c := s.cut(from, to)
	switch s.ref() {
	case refGC, refDeleted, refJSON, refAny:
		b = appendUint(b, to-from)
	case refString:
		b = appendUint(b, uint64(c.len()))
	}
	return c.appendTo(b)
}

// joins says whether t, which follows s without a gap, can be one struct with it: a receiver that needs a boundary there
// splits it again and gets exactly t back.
func (s span) joins(t span, client uint64) bool {
	ref := s.ref()
	if ref != t.ref() {
		return false
	}
	switch ref {
	case refGC:
		return true
	case refDeleted:
	case refString, refJSON, refAny:
		// The values of a map's key replace each other; they never stand side by side.
		if (s.info()|t.info())&hasParentSub != 0 {
			return false
		}
	default:
		return false
	}
	l, m := s.links(), t.links()
	return m.present&hasOrigin != 0 && m.origin == ID{Client: client, Clock: t.clock - 1} &&
		l.present&hasRight == m.present&hasRight && l.right == m.right
}
