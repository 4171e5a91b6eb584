package yjs

import (
	"cmp"
	"slices"
	"sort"
)

// client is what one client id has done: its structs in clock order and without overlap, and which of its clocks are deleted.
// Structs after a gap are kept like all others; they are what Yjs calls pending.
type client struct {
	id      uint64
	next    uint64 // all clocks below are known
	buf     []byte // the bytes of the records, each its head and then its body
	records []record
	fills   []record // records that fill gaps, until settle puts them in their places
	waiting int      // cost of the records that begin above next
	deleted intervals
	mark    mark // in the body of the record at off marked
	marked  uint32
}

// clientBytes is about what an empty client costs.
const clientBytes = 160

func (c *client) cost() int {
	return clientBytes + len(c.buf) + len(c.records)*recordBytes + len(c.deleted)*intervalBytes
}

func (c *client) span(i int) span {
	r := c.records[i]
	b := c.buf[r.off : r.off+r.size : r.off+r.size]
	if c.marked != r.off {
		c.marked, c.mark = r.off, mark{}
	}
	return span{clock: r.clock, length: r.length, head: b[:r.head], body: b[r.head:], mark: &c.mark}
}

// end is behind the last record.
func (c *client) end() uint64 {
	if len(c.records) == 0 {
		return 0
	}
	return c.records[len(c.records)-1].end()
}

// from is the index of the first record that ends after clock.
func (c *client) from(clock uint64) int {
	if clock >= c.end() {
		return len(c.records)
	}
	return sort.Search(len(c.records), func(i int) bool { return c.records[i].end() > clock })
}

// eachMissing calls f, in order, for every range of clocks of s that no record covers.
func (c *client) eachMissing(s span, f func(from, to uint64)) {
	if c == nil {
		f(s.clock, s.end())
		return
	}
	at := s.clock
	for i := c.from(at); i < len(c.records) && c.records[i].clock < s.end(); i++ {
		if at < c.records[i].clock {
			f(at, c.records[i].clock)
		}
		at = c.records[i].end()
	}
	if at < s.end() {
		f(at, s.end())
	}
}

// conflict finds the first clock at which s says something else than a record does.
func (c *client) conflict(s span) (clock uint64, found bool) {
	if c == nil {
		return 0, false
	}
	for i := c.from(s.clock); i < len(c.records) && c.records[i].clock < s.end(); i++ {
		known := c.span(i)
		start, end := max(s.clock, known.clock), min(s.end(), known.end())
		if !sameMeaning(c.id, known, s, start, end) {
			return start, true
		}
	}
	return 0, false
}

// insert adds the clocks [from, to) of s, none of which may be known. What fills a gap is not found before settle.
func (c *client) insert(s span, from, to uint64) {
	if from == c.end() && c.extend(s, from, to) {
		return
	}
	r := record{clock: from, length: to - from, off: uint32(len(c.buf))}
	c.buf = s.appendHead(c.buf, c.id, from-s.clock)
	r.head = uint32(len(c.buf)) - r.off
	c.buf = s.cut(from-s.clock, to-s.clock).appendTo(c.buf)
	r.size = uint32(len(c.buf)) - r.off
	switch {
	case from < c.end():
		c.fills = append(c.fills, r)
	case from > c.next:
		c.records = append(c.records, r)
		c.waiting += r.cost()
	default:
		c.records = append(c.records, r)
		c.next = to
	}
}

func (r record) cost() int { return recordBytes + int(r.size) }

// settle puts the fills in their places, all at once: one by one would take the square of the time.
func (c *client) settle() {
	if len(c.fills) == 0 {
		return
	}
	i := c.from(c.next)
	c.records = append(c.records, c.fills...)
	c.fills = nil
	slices.SortFunc(c.records[i:], func(a, b record) int { return cmp.Compare(a.clock, b.clock) })
	for ; i < len(c.records) && c.records[i].clock == c.next; i++ {
		c.next = c.records[i].end()
	}
	c.waiting = 0
	for _, r := range c.records[i:] {
		c.waiting += r.cost()
	}
}

// extend makes s a part of the last record, as typing does again and again, if it is whole and joins.
func (c *client) extend(s span, from, to uint64) bool {
	if from != s.clock || to != s.end() || len(c.records) == 0 {
		return false
	}
	i := len(c.records) - 1
	last := &c.records[i]
	if int(last.off+last.size) != len(c.buf) || !c.span(i).joins(s, c.id) {
		return false
	}
	if last.clock > c.next {
		c.waiting += len(s.body)
	} else {
		c.next = to
	}
	c.buf = append(c.buf, s.body...)
	last.size += uint32(len(s.body))
	last.length += s.length
	return true
}

// known is the first clock that c lacks.
func (c *client) known() uint64 {
	if c == nil {
		return 0
	}
	return c.next
}
