package yjs

import (
	"cmp"
	"math"
	"slices"
)

// Doc is the union of the updates it was given. It holds their bytes, not their meaning. The zero value is an empty document
// with the default limits.
type Doc struct {
	limits  Limits
	clients map[uint64]*client
	order   []*client // the same; highest id first, as Yjs writes them, once sorted has been called
	bytes   int       // the cost of all clients
	waiting int       // the part of it that waits behind gaps
	tidied  int       // bytes after the last Compact
	mark    mark      // used while an update is read
}

// NewDoc is an empty document.
func NewDoc(l Limits) *Doc { return &Doc{limits: l} }

// Applied says what an update brought.
type Applied struct {
	// New is the part of the update that was not known: what to store and to relay. It is nil if nothing was new, and shares
	// the memory of the update that was given if all of it was.
	New []byte
	// Pending says that some structs of the document, these or earlier ones, wait for an earlier clock of their client. They
	// are kept, are part of every Diff (behind Skips, as Yjs does it), and count in Limits.PendingBytes until the gap is closed.
	Pending bool
}

// Apply adds an update. The document keeps copies, so update stays the caller's.
//
// Updates may come in any order, overlap, and be repeated. The error is a *MalformedError, an *EquivocationError or a
// *LimitError, and then nothing has changed.
func (d *Doc) Apply(update []byte) (Applied, error) {
	l := d.limits.orDefault()
	if len(update) > l.UpdateBytes {
		return Applied{}, &LimitError{Limit: "UpdateBytes", Max: l.UpdateBytes}
	}
	return d.apply(update, l)
}

// Restore adds an update that was accepted before, such as a stored one: limits that have become smaller since do not keep a
// document from being opened. The error is a *MalformedError or an *EquivocationError, and then nothing has changed.
func (d *Doc) Restore(update []byte) (Applied, error) {
	return d.apply(update, Limits{Bytes: math.MaxInt, PendingBytes: math.MaxInt, Clients: math.MaxInt})
}

func (d *Doc) apply(update []byte, l Limits) (Applied, error) {
	n, err := d.examine(update)
	if err != nil {
		return Applied{}, err
	}
	if n.structs+n.deletions == 0 {
		return Applied{Pending: d.waiting > 0}, nil
	}
	if err := d.fits(n, l); err != nil {
		return Applied{}, err
	}
	if n.known == 0 && !n.odd {
		d.commit(update, nil)
		return Applied{New: update, Pending: d.waiting > 0}, nil
	}
	var w writer
	d.commit(update, &w)
	return Applied{New: w.finish(), Pending: d.waiting > 0}, nil
}

// Contains says whether an update brings nothing new, as must be so for what a read-only participant sends. The error is a
// *MalformedError or an *EquivocationError.
func (d *Doc) Contains(update []byte) (bool, error) {
	n, err := d.examine(update)
	return err == nil && n.structs+n.deletions == 0, err
}

// news is what an update would bring.
type news struct {
	structs, deletions int // how many are new, at least in part
	known              int // how many of both are known, at least in part
	bytes, waiting     int // upper bounds of the cost
	clients            int
	odd                bool
}

// examine checks an update whole and changes nothing.
func (d *Doc) examine(update []byte) (news, error) {
	var n news
	var conflict *EquivocationError
	u := scan(update, false, &d.mark)
	for u.nextBlock() {
		c := d.clients[u.client]
		next := c.known()
		for u.nextSpan() {
			if clock, found := c.conflict(u.span); found && conflict == nil {
				conflict = &EquivocationError{ID: ID{Client: u.client, Clock: clock}}
			}
			n.span(c, u.span, next)
			if u.span.clock <= next {
				next = max(next, u.span.end())
			}
		}
	}
	for u.nextDeletion() {
		n.deletion(d.clients[u.client], u.deletion)
	}
	if err := u.finish(); err != nil {
		return n, err
	}
	if conflict != nil {
		return n, conflict
	}
	n.odd = u.odd
	u.eachClient(func(id uint64) {
		if d.clients[id] == nil {
			n.clients++
		}
	})
	return n, nil
}

// cutBytes is what a struct may cost beyond its body for each piece it is cut into, after the first: a record, a head with two
// origins, and the halves of two surrogate pairs.
const cutBytes = recordBytes + 1 + 4*maxUintBytes + 2*len(replacement)

// span counts what of s is new to c, of which all clocks below next are known or part of the update.
func (n *news) span(c *client, s span, next uint64) {
	covered, cost := s.length, s.cost()
	c.eachMissing(s, func(from, to uint64) {
		covered -= to - from
		n.structs++
		n.bytes += cost
		if s.clock > next { // otherwise it closes every gap up to its end
			n.waiting += cost
		}
		cost = cutBytes
	})
	if covered > 0 {
		n.known++
	}
}

func (n *news) deletion(c *client, v interval) {
	if c != nil && c.deleted.holds(v) {
		n.known++
		return
	}
	n.deletions++
	n.bytes += intervalBytes
	if c != nil && c.deleted.touches(v) {
		n.known++
	}
}

// fits says whether the document may grow by n.
func (d *Doc) fits(n news, l Limits) error {
	switch {
	case len(d.clients)+n.clients > l.Clients:
		return &LimitError{Limit: "Clients", Max: l.Clients}
	case d.bytes+n.bytes+n.clients*clientBytes > l.Bytes:
		return &LimitError{Limit: "Bytes", Max: l.Bytes}
	case n.waiting > 0 && d.waiting+n.waiting > l.PendingBytes:
		return &LimitError{Limit: "PendingBytes", Max: l.PendingBytes}
	}
	return nil
}

// commit adds an examined update. What is new goes to w, if there is one.
func (d *Doc) commit(update []byte, w *writer) {
	u := scan(update, true, &d.mark)
	for u.nextBlock() {
		if u.spans > 0 {
			d.addBlock(u, w)
		}
	}
	var few [8]interval
	run, of := few[:0], uint64(0)
	for u.nextDeletion() {
		if u.client != of {
			d.delete(of, run, w)
			run, of = run[:0], u.client
		}
		run = append(run, u.deletion)
	}
	d.delete(of, run, w)
}

// addBlock adds what is new of the block that u is at.
func (d *Doc) addBlock(u *scanner, w *writer) {
	c := d.client(u.client)
	cost, waiting := c.cost(), c.waiting
	for u.nextSpan() {
		s := u.span
		c.eachMissing(s, func(from, to uint64) {
			c.insert(s, from, to)
			w.span(c.id, s, from, to)
		})
	}
	c.settle()
	d.bytes += c.cost() - cost
	d.waiting += c.waiting - waiting
}

// delete adds what is new of run.
func (d *Doc) delete(id uint64, run intervals, w *writer) {
	if len(run) == 0 {
		return
	}
	c := d.client(id)
	cost := c.cost()
	for _, v := range run {
		c.deleted.eachMissing(v, func(m interval) { w.deletion(id, m) })
	}
	c.deleted = c.deleted.union(run)
	d.bytes += c.cost() - cost
}

// client is the one of that id, made if need be.
func (d *Doc) client(id uint64) *client {
	if c := d.clients[id]; c != nil {
		return c
	}
	if d.clients == nil {
		d.clients = make(map[uint64]*client)
	}
	c := &client{id: id}
	d.clients[id] = c
	d.order = append(d.order, c)
	d.bytes += c.cost()
	return c
}

// sorted are the clients, highest id first.
func (d *Doc) sorted() []*client {
	byID := func(a, b *client) int { return cmp.Compare(b.id, a.id) }
	if !slices.IsSortedFunc(d.order, byID) {
		slices.SortFunc(d.order, byID)
	}
	return d.order
}

// Usage is what a document holds.
type Usage struct {
	Clients int
	Structs int // after joining neighbours
	Bytes   int // of structs, their index and deletions; the memory behind them may be up to twice that, while it grows
	Pending int // the part of Bytes that waits behind gaps
}

// Usage counts what the document holds.
func (d *Doc) Usage() Usage {
	u := Usage{Clients: len(d.order), Bytes: d.bytes, Pending: d.waiting}
	for _, c := range d.order {
		u.Structs += len(c.records)
	}
	return u
}
