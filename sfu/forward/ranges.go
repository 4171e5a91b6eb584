package forward

// How many changes of offset are remembered: what is older is dropped, never guessed. Most streams leave nothing out, so there is room
// for few at first. Powers of two.
const (
	fewSpans = 2
	maxSpans = 64
)

// ranges maps the numbers of a source to the numbers they are sent under, closing up where some are left out. What arrives
// late is mapped as it would have been in its time. Numbers do not wrap. It is made by newRanges.
type ranges struct {
	highest uint64 // newest number seen
	newest  span   // the last of spans once more: most numbers need no other

	// Where the offset changes: numbers from `from` on are sent as n + delta, modulo 2^64. Oldest first, in a ring of which `count`
	// entries before `end` are used.
	spans      []span
	end, count int
}

type span struct{ from, delta uint64 }

// newRanges sends the number first as out, and nothing that is older.
func newRanges(first, out uint64) ranges {
	r := ranges{highest: first - 1, spans: make([]span, fewSpans)}
	r.push(span{first, out - first})
	return r
}

func (r *ranges) push(s span) {
	if r.count == len(r.spans) && r.count < maxSpans {
		r.grow()
	}
	*r.span(r.end), r.newest = s, s
	r.end++
	r.count = min(r.count+1, len(r.spans))
}

// span is the place of the one that was the i-th.
func (r *ranges) span(i int) *span { return &r.spans[i&(len(r.spans)-1)] }

// grow makes room for twice as many.
func (r *ranges) grow() {
	old := *r
	r.spans = make([]span, 2*len(old.spans))
	for i := old.end - old.count; i < old.end; i++ {
		*r.span(i) = *old.span(i)
	}
}

// leaveOut closes up over n, if it is the newest. What is missing before it keeps its numbers, for it may still arrive. It
// says whether n needs no number.
func (r *ranges) leaveOut(n uint64) bool {
	if n <= r.highest {
		return false
	}
	r.highest = n
	next := span{n + 1, r.newest.delta - 1}
	if r.newest.from == n { // the one before was left out, too
		*r.span(r.end - 1), r.newest = next, next
		return true
	}
	r.push(next)
	return true
}

// number maps n. ok is false for what is older than the first or than what is remembered, and for what was left out.
func (r *ranges) number(n uint64) (out uint64, ok bool) {
	r.highest = max(r.highest, n)
	if n >= r.newest.from {
		return n + r.newest.delta, true
	}
	for i := 2; i <= r.count; i++ {
		s := r.span(r.end - i)
		if n < s.from {
			continue
		}
		// Before the next span begins, as many numbers are left out as the offset changes by.
		if next := r.span(r.end - i + 1); n >= next.from-(s.delta-next.delta) {
			return 0, false
		}
		return n + s.delta, true
	}
	return 0, false
}
