package forward

// maxSpans is how many changes of offset are remembered: what is older is dropped, never guessed.
const maxSpans = 64

// ranges maps the numbers of a source to the numbers they are sent under, closing up where some are left out. What arrives
// late is mapped as it would have been in its time. Numbers do not wrap. It is made by newRanges.
type ranges struct {
	highest uint64 // newest number seen

	// Where the offset changes: numbers from `from` on are sent as n + delta, modulo 2^64. Oldest first, in a ring of `count`
	// entries that ends before `end`.
	spans      [maxSpans]span
	end, count int
}

type span struct{ from, delta uint64 }

// newRanges sends the number first as out, and nothing that is older.
func newRanges(first, out uint64) ranges {
	r := ranges{highest: first - 1}
	r.push(span{first, out - first})
	return r
}

func (r *ranges) push(s span) {
	r.spans[r.end%maxSpans] = s
	r.end++
	r.count = min(r.count+1, maxSpans)
}

// leaveOut closes up over n, if it is the newest. What is missing before it keeps its numbers, for it may still arrive. It
// says whether n needs no number.
func (r *ranges) leaveOut(n uint64) bool {
	if n <= r.highest {
		return false
	}
	r.highest = n
	newest := &r.spans[(r.end-1)%maxSpans]
	if newest.from == n { // the one before was left out, too
		*newest = span{n + 1, newest.delta - 1}
		return true
	}
	r.push(span{n + 1, newest.delta - 1})
	return true
}

// number maps n. ok is false for what is older than the first or than what is remembered, and for what was left out.
func (r *ranges) number(n uint64) (out uint64, ok bool) {
	r.highest = max(r.highest, n)
	for i := 1; i <= r.count; i++ {
		s := r.spans[(r.end-i)%maxSpans]
		if n < s.from {
			continue
		}
		if i > 1 {
			// Before the next span begins, as many numbers are left out as the offset changes by.
			if next := r.spans[(r.end-i+1)%maxSpans]; n >= next.from-(s.delta-next.delta) {
				return 0, false
			}
		}
		return n + s.delta, true
	}
	return 0, false
}
