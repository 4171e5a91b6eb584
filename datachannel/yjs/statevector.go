package yjs

import (
	"cmp"
	"slices"
)

// StateVector says how far each client is known: Clock is the first clock that is not. The highest client is first, no
// client is listed twice, and none with clock zero.
type StateVector []ID

// DecodeStateVector reads a state vector. The error is a *MalformedError.
func DecodeStateVector(b []byte) (StateVector, error) {
	r := reader{b: b}
	n := r.count(minSet)
	v := make(StateVector, 0, n)
	for ; n > 0 && r.fault == ""; n-- {
		if id := r.id(); id.Clock > 0 {
			v = append(v, id)
		}
	}
	r.end()
	if err := r.error("state vector"); err != nil {
		return nil, err
	}
	// Yjs writes it sorted; others need not.
	byClient := func(a, b ID) int { return cmp.Or(cmp.Compare(b.Client, a.Client), cmp.Compare(b.Clock, a.Clock)) }
	if !slices.IsSortedFunc(v, byClient) {
		slices.SortFunc(v, byClient)
	}
	return slices.CompactFunc(v, func(a, b ID) bool { return a.Client == b.Client }), nil
}

// Append writes v behind b.
func (v StateVector) Append(b []byte) []byte {
	b = appendUint(b, uint64(len(v)))
	for _, id := range v {
		b = appendUint(appendUint(b, id.Client), id.Clock)
	}
	return b
}

// Clock is the first clock of a client that is not known.
func (v StateVector) Clock(client uint64) uint64 {
	i, found := slices.BinarySearchFunc(v, client, func(id ID, client uint64) int { return cmp.Compare(client, id.Client) })
	if !found {
		return 0
	}
	return v[i].Clock
}

// StateVector is how far each client is known, without gaps.
func (d *Doc) StateVector() StateVector {
	v := make(StateVector, 0, len(d.order))
	for _, c := range d.sorted() {
		if c.next > 0 {
			v = append(v, ID{Client: c.id, Clock: c.next})
		}
	}
	return v
}

// Encode is the whole document as one update.
func (d *Doc) Encode() []byte { return d.Diff(nil) }

// Diff is what a peer with state vector v lacks, as an update: its missing structs and, since a state vector does not tell
// them, all deletions.
func (d *Doc) Diff(v StateVector) []byte {
	var w writer
	sets, size := uint64(0), 0
	for _, c := range d.sorted() {
		for len(v) > 0 && v[0].Client > c.id {
			v = v[1:]
		}
		from := uint64(0)
		if len(v) > 0 && v[0].Client == c.id {
			from = v[0].Clock
		}
		c.writeSpans(&w, from)
		if len(c.deleted) > 0 {
			sets++
			size += 2*maxUintBytes + len(c.deleted)*usualDeletionBytes
		}
	}
	out := appendUint(w.finishBlocks(size), sets)
	for _, c := range d.sorted() {
		out = c.appendDeleted(out)
	}
	return out
}

// usualDeletionBytes is enough for most deletions: a clock of three bytes and a short length.
const usualDeletionBytes = 4

// appendDeleted writes what of c is deleted, if anything is.
func (c *client) appendDeleted(b []byte) []byte {
	if len(c.deleted) == 0 {
		return b
	}
	b = appendUint(appendUint(b, c.id), uint64(len(c.deleted)))
	for _, v := range c.deleted {
		b = appendUint(appendUint(b, v.start), v.end-v.start)
	}
	return b
}

// writeSpans writes what c has done at and after clock.
func (c *client) writeSpans(w *writer, clock uint64) {
	for i := c.from(clock); i < len(c.records); i++ {
		s := c.span(i)
		w.span(c.id, s, max(clock, s.clock), s.end())
	}
}
