package yjs

import (
	"slices"
	"sort"
)

// Update is a checked update. It aliases the bytes it was parsed from.
type Update struct {
	bytes   []byte
	blocks  []block
	deletes []deletion
}

// block is the structs of one client, by rising clock without a hole (but for Skip structs).
type block struct {
	client  uint64
	structs []span
}

type deletion struct {
	client uint64
	ranges ranges
}

// MaxItems is the number of structs and deleted ranges in one update: each takes two bytes on the wire, and forty in memory.
const MaxItems = 1 << 20

// Memory is about what the update adds to a document, in bytes.
func (u *Update) Memory() int {
	n := len(u.bytes) + len(u.blocks)*clientCost
	for _, b := range u.blocks {
		n += len(b.structs) * structCost
	}
	return n
}

// Parse checks an update as a whole: whatever passes does not make Yjs throw in a browser. The error is ErrFormat.
func Parse(b []byte) (*Update, error) {
	r := reader{b: b}
	u := &Update{bytes: b}
	for n := r.number(); n > 0 && !r.bad; n-- {
		u.blocks = append(u.blocks, r.block())
	}
	r.items = 0
	for n := r.number(); n > 0 && !r.bad; n-- {
		if x := r.deletion(); len(x.ranges) > 0 {
			u.deletes = append(u.deletes, x)
		}
	}
	if r.bad || r.at != len(b) || u.repeatsClient() {
		return nil, ErrFormat
	}
	return u, nil
}

func (r *reader) block() block {
	count := r.number()
	b := block{client: r.number()}
	clock := r.number()
	r.items += count
	if count == 0 || count > uint64(len(r.b)-r.at)/2 || r.items > MaxItems { // a struct has two bytes or more
		r.fail()
		return b
	}
	b.structs = make([]span, 0, count)
	for ; count > 0 && !r.bad; count-- {
		s := r.span(clock)
		clock += s.length
		b.structs = append(b.structs, s)
	}
	return b
}

func (r *reader) deletion() deletion {
	x := deletion{client: r.number()}
	for n := r.number(); n > 0 && !r.bad; n-- {
		one := interval{r.number(), r.number()}
		if r.items++; r.items > MaxItems || one.length > maxNumber-one.clock {
			r.fail()
		}
		if one.length > 0 {
			x.ranges = append(x.ranges, one)
		}
	}
	return x
}

// repeatsClient says whether two blocks are of the same client; Yjs would forget the first of them.
func (u *Update) repeatsClient() bool {
	if len(u.blocks) < 2 {
		return false
	}
	ids := make([]uint64, 0, len(u.blocks))
	for _, b := range u.blocks {
		ids = append(ids, b.client)
	}
	slices.Sort(ids)
	return len(slices.Compact(ids)) < len(u.blocks)
}

// encode writes an update whose blocks may have holes, with Skip structs for them. Clients come in falling order, as Yjs
// writes them.
func (u *Update) encode() []byte {
	sort.Slice(u.blocks, func(i, j int) bool { return u.blocks[i].client > u.blocks[j].client })
	sort.Slice(u.deletes, func(i, j int) bool { return u.deletes[i].client > u.deletes[j].client })
	b := appendNumber(nil, uint64(len(u.blocks)))
	for _, x := range u.blocks {
		b = appendBlock(b, x)
	}
	b = appendNumber(b, uint64(len(u.deletes)))
	for _, x := range u.deletes {
		b = appendDeletion(b, x)
	}
	return b
}

func appendBlock(b []byte, x block) []byte {
	count, at := uint64(0), x.structs[0].clock
	for _, s := range x.structs {
		count++
		if s.clock > at {
			count++
		}
		at = s.end()
	}
	at = x.structs[0].clock
	b = appendNumber(appendNumber(appendNumber(b, count), x.client), at)
	for _, s := range x.structs {
		if s.clock > at {
			b = appendNumber(append(b, kindSkip), s.clock-at)
		}
		b = append(b, s.raw...)
		at = s.end()
	}
	return b
}

func appendDeletion(b []byte, x deletion) []byte {
	b = appendNumber(appendNumber(b, x.client), uint64(len(x.ranges)))
	for _, r := range x.ranges {
		b = appendNumber(appendNumber(b, r.clock), r.length)
	}
	return b
}
