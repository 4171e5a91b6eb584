package yjs

import (
	"cmp"
	"slices"
	"sort"
)

// interval is the clocks [start, end).
type interval struct{ start, end uint64 }

// intervals are sorted, apart from each other, and never empty.
type intervals []interval

// intervalBytes is what one costs in Usage.Bytes.
const intervalBytes = 16

// after is the index of the first interval that ends at clock or later.
func (s intervals) after(clock uint64) int {
	if n := len(s); n == 0 || s[n-1].end < clock {
		return n
	}
	return sort.Search(len(s), func(i int) bool { return s[i].end >= clock })
}

// add is s with v in it.
func (s intervals) add(v interval) intervals {
	i := s.after(v.start)
	j := i
	for j < len(s) && s[j].start <= v.end {
		v.start = min(v.start, s[j].start)
		v.end = max(v.end, s[j].end)
		j++
	}
	if i == j {
		s = append(s, interval{})
		copy(s[i+1:], s[i:])
		s[i] = v
		return s
	}
	s[i] = v
	return append(s[:i+1], s[j:]...)
}

// union is s with all of run in it; run may be put in order. Many are merged at once: one by one would take the square of the
// time.
func (s intervals) union(run intervals) intervals {
	const many = 8
	if len(run) <= many {
		for _, v := range run {
			s = s.add(v)
		}
		return s
	}
	byStart := func(a, b interval) int { return cmp.Compare(a.start, b.start) }
	if !slices.IsSortedFunc(run, byStart) {
		slices.SortFunc(run, byStart)
	}
	out := make(intervals, 0, len(s)+len(run))
	for len(s)+len(run) > 0 {
		from := &s
		if len(s) == 0 || len(run) > 0 && run[0].start < s[0].start {
			from = &run
		}
		out = out.add((*from)[0])
		*from = (*from)[1:]
	}
	return out
}

// eachMissing calls f for every part of v that is not in s, in order.
func (s intervals) eachMissing(v interval, f func(interval)) {
	for i := s.after(v.start); i < len(s) && s[i].start < v.end; i++ {
		if v.start < s[i].start {
			f(interval{start: v.start, end: s[i].start})
		}
		v.start = max(v.start, s[i].end)
	}
	if v.start < v.end {
		f(v)
	}
}

// holds says whether all of v is in s.
func (s intervals) holds(v interval) bool {
	i := s.after(v.start)
	if i < len(s) && s[i].end == v.start {
		i++
	}
	return i < len(s) && s[i].start <= v.start && v.end <= s[i].end
}

// touches says whether any part of v is in s.
func (s intervals) touches(v interval) bool {
	i := s.after(v.start + 1)
	return i < len(s) && s[i].start < v.end
}
