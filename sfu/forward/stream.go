package forward

// maxRanges is how many changes of offset are remembered: packets older than the oldest are dropped, never guessed.
const maxRanges = 64

// stream is the part of a source's packets that a slot sends, from one switch to the next.
type stream struct {
	*Format
	tsDelta uint32
	highest uint64 // number of the newest packet seen

	// Where numbers change: packets from `from` on are sent as n + delta, modulo 2^64. Oldest first, in a ring of `count`
	// entries that ends before `end`.
	ranges     [maxRanges]span
	end, count int

	counting bool   // the fields below are set
	picBits  uint8  // of the picture ids received
	picLast  uint16 // newest one received
	picOut   uint16 // as what it was sent
	tl0Delta uint8
	keyDelta uint8
}

type span struct{ from, delta uint64 }

func newStream(f *Format, first, delta uint64, tsDelta uint32) stream {
	s := stream{Format: f, tsDelta: tsDelta, highest: first - 1}
	s.push(span{first, delta})
	return s
}

func (s *stream) push(p span) {
	s.ranges[s.end%maxRanges] = p
	s.end++
	s.count = min(s.count+1, maxRanges)
}

// leaveOut drops packet n without leaving a hole, if it is the next one. Behind a gap it cannot: the packets in the gap may
// still arrive and need their numbers.
func (s *stream) leaveOut(n uint64) bool {
	if n != s.highest+1 {
		return false
	}
	s.highest = n
	newest := s.ranges[(s.end-1)%maxRanges]
	s.push(span{n + 1, newest.delta - 1})
	return true
}

// number maps a packet's number to the one it is sent under. ok is false for packets from before the switch or before what
// is remembered, and for those left out.
func (s *stream) number(n uint64) (out uint64, ok bool) {
	s.highest = max(s.highest, n)
	for i := 1; i <= s.count; i++ {
		if p := s.ranges[(s.end-i)%maxRanges]; n >= p.from {
			return n + p.delta, true
		}
	}
	return 0, false
}
