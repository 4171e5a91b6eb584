// Package yjs knows the update format of Yjs (version 1), so that a server can keep documents without keeping them open.
//
// Its nouns: a struct is a run of a client's operations as bytes; an Update is a checked set of structs and deletions; a
// Doc is the union of updates, from which it tells its state vector, what a peer lacks, and a compact form. Awareness is
// the presence of a document's users, each bound to the member that owns it.
//
// The package integrates nothing: it never builds text, trees or maps. That is why it is small and fast, and why it cannot
// read a document's contents. An update that refers to operations which nobody has is kept; Yjs in the browser lets it
// wait. The format is described by what yjs 13.6 does (src/utils/updates.js, src/structs); the tests compare with it.
package yjs

import (
	"errors"
	"fmt"
	"slices"
	"sort"
)

// The ways to refuse an update.
var (
	// ErrFormat: the bytes are not an update, a state vector or an awareness update.
	ErrFormat = errors.New("not in the Yjs format")
	// ErrGap: a client's operations begin after what the document has of it.
	ErrGap = errors.New("operations in between are missing")
)

// Equivocation is two different operations under the same client and clock. Whoever took both would show different
// documents to different people.
type Equivocation struct {
	Client, Clock uint64
}

func (e *Equivocation) Error() string {
	return fmt.Sprintf("client %d has other operations at clock %d", e.Client, e.Clock)
}

// Doc is the union of all updates that were applied to it. The zero value is of no use; see New.
type Doc struct {
	clients map[uint64]*history
	deleted map[uint64]ranges
	size    int    // bytes of all structs
	structs int    // number of them
	spread  int    // structs that were added since the last Compact
	delSet  []byte // deleted as bytes; nil after a change
}

// history is what one client did.
type history struct {
	structs []span
	state   uint64 // operations from 0 on without a hole
}

// New makes an empty document.
func New() *Doc { return &Doc{clients: map[uint64]*history{}, deleted: map[uint64]ranges{}} }

// What a struct and a client cost in memory beside their bytes.
const (
	structCost = 64
	clientCost = 256
)

// Memory is about what the document takes, in bytes.
func (d *Doc) Memory() int {
	return d.size + d.structs*structCost + (len(d.clients)+len(d.deleted))*clientCost
}

// Spread is the number of structs that Compact could try to join.
func (d *Doc) Spread() int { return d.spread }

// Len is the number of structs.
func (d *Doc) Len() int { return d.structs }

// Check says whether u may be applied: nil, ErrGap, or an *Equivocation.
func (d *Doc) Check(u *Update) error {
	for _, b := range u.blocks {
		h := d.clients[b.client]
		if h == nil {
			h = &history{}
		}
		if err := h.check(b); err != nil {
			return err
		}
	}
	return nil
}

func (h *history) check(b block) error {
	reached := h.state
	for _, s := range b.structs {
		if s.isSkip() {
			continue
		}
		if s.clock > reached {
			return ErrGap
		}
		if s.clock < h.state {
			if clock, same := h.agrees(b.client, s); !same {
				return &Equivocation{b.client, clock}
			}
		}
		reached = max(reached, s.end())
	}
	return nil
}

// Apply adds an update, which may have gaps, and returns the part of it that is new, nil if nothing is. Where the document
// has operations already, it keeps its own. The document keeps the bytes of u; the result may alias them.
func (d *Doc) Apply(u *Update) []byte {
	fresh := Update{}
	whole := true
	for _, b := range u.blocks {
		added, all := d.addBlock(b)
		whole = whole && all
		if len(added) > 0 {
			fresh.blocks = append(fresh.blocks, block{b.client, added})
		}
	}
	for _, x := range u.deletes {
		added := d.delete(x.client, x.ranges)
		whole = whole && slices.Equal(added, x.ranges)
		if len(added) > 0 {
			fresh.deletes = append(fresh.deletes, deletion{x.client, added})
		}
	}
	switch {
	case len(fresh.blocks)+len(fresh.deletes) == 0:
		return nil
	case whole:
		return u.bytes
	default:
		return fresh.encode()
	}
}

// Contains says whether u has nothing new.
func (d *Doc) Contains(u *Update) bool {
	for _, b := range u.blocks {
		h := d.clients[b.client]
		for _, s := range b.structs {
			if !s.isSkip() && (h == nil || !h.contains(s)) {
				return false
			}
		}
	}
	for _, x := range u.deletes {
		for _, r := range x.ranges {
			if !d.deleted[x.client].contains(r) {
				return false
			}
		}
	}
	return true
}

// addBlock returns the structs that were added, which are those of b itself if all of it is new.
func (d *Doc) addBlock(b block) (added []span, all bool) {
	h := d.clients[b.client]
	if h == nil {
		h = &history{}
		d.clients[b.client] = h
	}
	for i, s := range b.structs {
		if s.isSkip() || !h.append(s) {
			return d.insertBlock(h, b, i), false
		}
		d.count(s)
	}
	return b.structs, true
}

// insertBlock goes on with addBlock from the struct i on, which is not simply new.
func (d *Doc) insertBlock(h *history, b block, i int) (added []span) {
	added = slices.Clone(b.structs[:i])
	for _, s := range b.structs[i:] {
		if s.isSkip() {
			continue
		}
		for _, piece := range h.insert(b.client, s) {
			d.count(piece)
			added = append(added, piece)
		}
	}
	return added
}

func (d *Doc) count(s span) {
	d.size += len(s.raw)
	d.structs++
	d.spread++
}

func (d *Doc) delete(client uint64, rs ranges) ranges {
	known := d.deleted[client]
	var added ranges
	for _, r := range rs {
		known, added = known.add(r, added)
	}
	if len(added) > 0 {
		d.deleted[client] = known
		d.delSet = nil
	}
	return added
}

// find returns the index of the first struct that ends after clock.
func (h *history) find(clock uint64) int {
	return sort.Search(len(h.structs), func(i int) bool { return h.structs[i].end() > clock })
}

func (h *history) contains(s span) bool {
	at := s.clock
	for i := h.find(at); i < len(h.structs) && h.structs[i].clock <= at; i++ {
		at = h.structs[i].end()
		if at >= s.end() {
			return true
		}
	}
	return false
}

// append adds s if it lies behind all others, which is the usual case.
func (h *history) append(s span) bool {
	if n := len(h.structs); n > 0 && h.structs[n-1].end() > s.clock {
		return false
	}
	h.structs = append(h.structs, s)
	if h.state == s.clock {
		h.state = s.end()
	}
	return true
}

// insert adds the parts of s that are not there, and returns them.
func (h *history) insert(client uint64, s span) (added []span) {
	for i := h.find(s.clock); s.length > 0; {
		if i == len(h.structs) || h.structs[i].clock >= s.end() {
			h.structs = slices.Insert(h.structs, i, s)
			added = append(added, s)
			break
		}
		if next := h.structs[i]; next.clock > s.clock { // a hole before it
			head := s.head(next.clock - s.clock)
			h.structs = slices.Insert(h.structs, i, head)
			added = append(added, head)
			i++
		}
		end := h.structs[i].end()
		if end >= s.end() {
			break
		}
		s = s.tail(client, end-s.clock)
		i++
	}
	h.advance()
	return added
}

// advance moves state over structs that have joined it.
func (h *history) advance() {
	for i := h.find(h.state); i < len(h.structs) && h.structs[i].clock <= h.state; i++ {
		h.state = h.structs[i].end()
	}
}
