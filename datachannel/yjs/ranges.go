package yjs

import (
	"slices"
	"sort"
)

// interval is length operations from clock on.
type interval struct{ clock, length uint64 }

func (r interval) end() uint64 { return r.clock + r.length }

// ranges are intervals by rising clock that neither overlap nor touch.
type ranges []interval

// find returns the index of the first interval that ends at clock or after it.
func (rs ranges) find(clock uint64) int {
	return sort.Search(len(rs), func(i int) bool { return rs[i].end() >= clock })
}

func (rs ranges) contains(r interval) bool {
	i := rs.find(r.clock)
	if i < len(rs) && rs[i].end() == r.clock { // touches, but does not contain
		i++
	}
	return r.length == 0 || i < len(rs) && rs[i].clock <= r.clock && rs[i].end() >= r.end()
}

// add returns rs with r, and added with those parts of r that were not in rs.
func (rs ranges) add(r interval, added ranges) (all, _ ranges) {
	if rs.contains(r) {
		return rs, added
	}
	i := rs.find(r.clock)
	j, from := i, r.clock
	whole := r
	for ; j < len(rs) && rs[j].clock <= r.end(); j++ {
		if rs[j].clock > from {
			added = append(added, interval{from, rs[j].clock - from})
		}
		from = max(from, rs[j].end())
		begin := min(whole.clock, rs[j].clock)
		whole = interval{begin, max(whole.end(), rs[j].end()) - begin}
	}
	if from < r.end() {
		added = append(added, interval{from, r.end() - from})
	}
	if j == i {
		return slices.Insert(rs, i, whole), added
	}
	rs[i] = whole
	return slices.Delete(rs, i+1, j), added
}
