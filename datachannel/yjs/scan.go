package yjs

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
	started, setsRead              bool   // a block, or the count of sets, has been read
}

// The smallest block is a client, a count, a clock and a struct of two bytes; the smallest set of deletions is a client and
// a count; a deletion is two numbers.
const (
	minBlock    = 3
	minSpan     = 2
	minSet      = 2
	minDeletion = 2
)

func scan(update []byte, checked bool) *scanner {
	u := &scanner{reader: reader{b: update, checked: checked}}
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
	last := u.client
	u.client = u.uint()
	u.clock = u.uint()
	// Yjs writes the highest client first, and none twice: of two blocks it would lose the first.
	u.odd = u.odd || u.spans == 0 || u.started && u.client >= last
	u.started = true
	return u.fault == ""
}

// nextSpan moves to the next struct of the block; Skips are passed over.
func (u *scanner) nextSpan() bool {
	for u.spans > 0 && u.fault == "" {
		u.spans--
		u.span = u.reader.span(u.client, u.clock)
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
func (u *scanner) finish() error {
	u.end()
	return u.error("update")
}
