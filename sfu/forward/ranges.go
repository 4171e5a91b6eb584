package forward

import "github.com/turnout-rtc/turnout/sfu/report"

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
	newest := r.spans[(r.end-1)%maxSpans]
	r.highest = n
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
		if i > 1 && r.spans[(r.end-i+1)%maxSpans].from == n+1 {
			return 0, false
		}
		return n + s.delta, true
	}
	return 0, false
}

// stream is the part of a source's packets that a slot sends, from one switch to the next.
type stream struct {
	*Format
	numbers ranges
	tsDelta uint32
	clock   report.Clock // of the newest packet
	pictures
}

// pictures maps the picture counters of a source.
type pictures struct {
	counting bool   // the fields below are set
	bits     uint8  // of the ids received
	newest   uint64 // id received, unwrapped
	ids      ranges
	sent     uint64 // highest id sent, unwrapped
	tl0Delta uint8
	keyDelta uint8
}

// pictureStart leaves room below the first unwrapped picture id for earlier ones.
const pictureStart = 1 << 16

// unwrap returns the number closest to the newest picture that is id in so many bits.
func (p *pictures) unwrap(id uint16) uint64 {
	if p.bits == 0 {
		return p.newest
	}
	size := 1 << p.bits
	d := (int(id) - int(p.newest) + pictureStart*size) % size
	if d >= size/2 {
		d -= size
	}
	return p.newest + uint64(int64(d))
}
