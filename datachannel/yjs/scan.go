package yjs

import (
	"cmp"
	"slices"
)

// scanner reads an update struct by struct, then its deletions, and keeps nothing.
//
//	for u.nextBlock() { for u.nextSpan() { use u.client, u.span } }
//	for u.nextDeletion() { use u.client, u.deletion }
//	err := u.finish()
type scanner struct {
	reader
	client uint64
	clock  uint64 // of the next struct
	span   span
	// deletion is what nextDeletion found.
	deletion interval
	// odd says that the update is not written as Yjs writes one, though it means something.
	odd bool

	blocks, spans, sets, deletions uint64 // still to be read
	setsRead                       bool   // the count of sets has been read
	blockIDs, setIDs               ids    // the clients of blocks and of sets
	mark                           *mark  // of span
}

// How many bytes the smallest of each takes: a block without structs is three numbers; a struct is at least its first byte and
// a length; a set of deletions is a client and a count; a deletion is two numbers.
const (
	minBlock    = 3
	minSpan     = 2
	minSet      = 2
	minDeletion = 2
)

// scan begins to read an update; checked says that it has been read before, without fault. m is memory for its spans' marks.
func scan(update []byte, checked bool, m *mark) *scanner {
	u := &scanner{reader: reader{b: update, checked: checked}, mark: m}
	u.blocks = u.count(minBlock)
	return u
}

// nextBlock moves to the next client's structs.
func (u *scanner) nextBlock() bool {
	if u.blocks == 0 || u.fault != "" {
		return false
	}
	u.blocks--
	u.spans = u.count(minSpan)
	u.client = u.uint()
	u.clock = u.uint()
	u.odd = u.odd || u.spans == 0
	if !u.checked {
		u.blockIDs.add(u.client)
	}
	return u.fault == ""
}

// nextSpan moves to the next struct of the block; Skips are passed over.
func (u *scanner) nextSpan() bool {
	for u.spans > 0 && u.fault == "" {
		u.spans--
		u.span = u.reader.span(u.client, u.clock)
		*u.mark = mark{}
		u.span.mark = u.mark
		u.clock = u.span.end()
		if u.span.info() != refSkip {
			return u.fault == ""
		}
		u.odd = u.odd || u.span.length == 0
	}
	return false
}

// nextDeletion moves to the next deleted range. Empty ones are passed over: Yjs throws when it has to set one aside.
func (u *scanner) nextDeletion() bool {
	if !u.setsRead {
		u.setsRead = true
		u.sets = u.count(minSet)
	}
	for u.fault == "" {
		if u.deletions > 0 {
			u.deletions--
			if u.readDeletion() {
				return true
			}
			continue
		}
		if u.sets == 0 {
			return false
		}
		u.sets--
		u.client = u.uint()
		if !u.checked {
			u.setIDs.add(u.client)
		}
		u.deletions = u.count(minDeletion)
	}
	return false
}

func (u *scanner) readDeletion() bool {
	clock := u.uint()
	length := u.uint()
	if clock+length > maxSafe {
		u.fail(ClockOverflow)
	}
	u.deletion = interval{start: clock, end: clock + length}
	u.odd = u.odd || length == 0
	return length > 0 && u.fault == ""
}

// finish says what was wrong, once everything has been read.
//
// A client that is listed twice is refused: of two blocks Yjs itself would lose the first, and whoever writes an update as a
// million pieces of the same client means to keep its readers busy.
func (u *scanner) finish() error {
	u.end()
	if !u.blockIDs.distinct() || !u.setIDs.distinct() {
		u.fail(RepeatedClient)
	}
	return u.error("update")
}

// ids are client ids. Most updates name one, which needs no memory.
type ids struct {
	count int
	first uint64
	all   []uint64 // all of them, if there are several
}

func (s *ids) add(id uint64) {
	switch s.count {
	case 0:
		s.first = id
	case 1:
		s.all = append(s.all, s.first, id)
	default:
		s.all = append(s.all, id)
	}
	s.count++
}

// distinct puts ids in descending order, as Yjs writes them, and says whether no two are the same.
func (s *ids) distinct() bool {
	slices.SortFunc(s.all, func(a, b uint64) int { return cmp.Compare(b, a) })
	for i := 1; i < len(s.all); i++ {
		if s.all[i] == s.all[i-1] {
			return false
		}
	}
	if s.count > 1 {
		s.first = s.all[0]
	}
	return true
}

// take removes the highest id if it is id.
func (s *ids) take(id uint64) {
	if s.count == 0 || s.first != id {
		return
	}
	if s.count--; s.count > 0 {
		s.all = s.all[1:]
		s.first = s.all[0]
	}
}

// eachClient calls f once for every client that the update names. It uses up what finish has put in order.
func (u *scanner) eachClient(f func(id uint64)) {
	for u.blockIDs.count+u.setIDs.count > 0 {
		id := u.blockIDs.first
		if u.blockIDs.count == 0 || u.setIDs.count > 0 && u.setIDs.first > id {
			id = u.setIDs.first
		}
		f(id)
		u.blockIDs.take(id)
		u.setIDs.take(id)
	}
}
