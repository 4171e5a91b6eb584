package yjs

// Compact drops the content of everything deleted and joins neighbouring structs. Every state vector, Diff and pending struct
// stays what it was, and so does the document that a client makes of it; what is lost is the content that only a look into the
// past could show.
func (d *Doc) Compact() {
	for _, c := range d.order {
		d.bytes -= c.cost()
		d.waiting -= c.waiting
		c.compact()
		d.bytes += c.cost()
		d.waiting += c.waiting
	}
	d.tidied = d.bytes
}

// Grown is by how many bytes, as Usage counts them, the document has grown since the last Compact. One who compacts when that
// is a fixed share of the whole spends on it, over all, no more than a fixed share of what it takes to apply the updates.
func (d *Doc) Grown() int { return max(0, d.bytes-d.tidied) }

// compact writes the records anew.
func (c *client) compact() {
	size := 0
	for _, r := range c.records {
		size += int(r.size)
	}
	fresh := client{id: c.id, buf: make([]byte, 0, size), records: make([]record, 0, len(c.records)), deleted: c.deleted}
	deleted := c.deleted
	for i := range c.records {
		s := c.span(i)
		for len(deleted) > 0 && deleted[0].end <= s.clock {
			deleted = deleted[1:]
		}
		fresh.insertWithout(s, deleted)
	}
	fresh.buf = tight(fresh.buf)
	fresh.records = tight(fresh.records)
	*c = fresh
}

// tight is s in memory of about its size.
func tight[T any](s []T) []T {
	if cap(s)-len(s) <= len(s)/8 {
		return s
	}
	return append(make([]T, 0, len(s)), s...)
}

// insertWithout inserts s, with a tombstone wherever deleted covers it.
func (c *client) insertWithout(s span, deleted intervals) {
	if ref := s.ref(); ref == refGC || ref == refDeleted {
		c.insert(s, s.clock, s.end())
		return
	}
	at := s.clock
	if len(deleted) == 0 || deleted[0].start >= s.end() {
		c.insert(s, at, s.end())
		return
	}
	tombstone := s.tombstone()
	for _, v := range deleted {
		if v.start >= s.end() {
			break
		}
		if at < v.start {
			c.insertPart(s, at, v.start)
			at = v.start
		}
		end := min(v.end, s.end())
		c.insertPart(tombstone, at, end)
		at = end
	}
	if at < s.end() {
		c.insertPart(s, at, s.end())
	}
}

// tombstone is s with its content dropped: it keeps its place, which others may refer to.
func (s span) tombstone() span {
	s.head = append([]byte{s.info()&^refMask | refDeleted}, s.head[1:]...)
	s.body = nil
	return s
}

// insertPart inserts the clocks [from, to) of s and joins them to the last record if they fit.
func (c *client) insertPart(s span, from, to uint64) {
	if from != s.clock || to != s.end() {
		s = span{
			clock: from, length: to - from,
			head: s.appendHead(nil, c.id, from-s.clock),
			body: s.cut(from-s.clock, to-s.clock).appendTo(nil),
		}
	}
	c.insert(s, from, to)
}
