package yjs

// Compact drops the content of deleted operations and joins structs that Yjs splits again by itself: of one client, side by
// side, the second one's origin the last operation of the first, and the same right origin. The document means the same.
func (d *Doc) Compact() {
	d.size, d.structs, d.spread = 0, 0, 0
	for client, h := range d.clients {
		h.structs = join(client, h.withoutDeleted(client, d.deleted[client]))
		for _, s := range h.structs {
			d.size += len(s.raw)
		}
		d.structs += len(h.structs)
	}
}

// withoutDeleted replaces the content of deleted operations by their number. Origins stay, so that others find their place.
func (h *history) withoutDeleted(client uint64, deleted ranges) []span {
	if len(deleted) == 0 {
		return h.structs
	}
	out := make([]span, 0, len(h.structs))
	k := 0
	for _, s := range h.structs {
		for k < len(deleted) && deleted[k].end() <= s.clock {
			k++
		}
		if s.bare() || s.kind() == kindDeleted {
			out = append(out, s)
			continue
		}
		for j := k; s.length > 0; j++ {
			if j == len(deleted) || deleted[j].clock >= s.end() {
				out = append(out, s)
				break
			}
			if gone := deleted[j]; gone.clock > s.clock {
				out = append(out, s.head(gone.clock-s.clock))
				s = s.tail(client, gone.clock-s.clock)
			}
			n := min(deleted[j].end(), s.end()) - s.clock
			out = append(out, s.emptied(n))
			if n == s.length {
				break
			}
			s = s.tail(client, n)
		}
	}
	return out
}

// emptied is the first n operations of s with their content deleted.
func (s span) emptied(n uint64) span {
	b := make([]byte, 0, int(s.content)+8)
	b = append(b, s.raw[0]&^kindMask|kindDeleted)
	b = append(b, s.raw[1:s.content]...)
	return span{clock: s.clock, length: n, content: s.content, raw: appendNumber(b, n)}
}

// join makes one struct of each run that can be one.
func join(client uint64, structs []span) []span {
	out := structs[:0]
	for i := 0; i < len(structs); {
		end := i + 1
		for end < len(structs) && continues(client, structs[end-1], structs[end]) {
			end++
		}
		out = append(out, joined(structs[i:end]))
		i = end
	}
	clear(structs[len(out):])
	return out
}

// continues says whether t behind s means the same as one struct.
func continues(client uint64, s, t span) bool {
	if s.end() != t.clock || s.kind() != t.kind() || s.isSkip() {
		return false
	}
	switch s.kind() {
	case kindGC:
		return true
	case kindDeleted, kindString, kindAny, kindJSON:
	default:
		return false
	}
	_, sRight, _, sHas := s.origins()
	left, tRight, has, tHas := t.origins()
	return has && left == (id{client, t.clock - 1}) && sHas == tHas && sRight == tRight
}

// joined is one struct for a run.
func joined(run []span) span {
	first := run[0]
	if len(run) == 1 {
		return first
	}
	length, size := uint64(0), int(first.content)+16
	for _, s := range run {
		length += s.length
		size += len(s.raw) - int(s.content)
	}
	out := span{clock: first.clock, length: length, content: first.content}
	b := append(make([]byte, 0, size), first.raw[:max(int(first.content), 1)]...)
	if first.kind() != kindString {
		b = appendNumber(b, length)
	} else {
		b = appendNumber(b, textSize(run))
	}
	if first.kind() != kindGC && first.kind() != kindDeleted {
		for _, s := range run {
			r := reader{b: s.raw, at: int(s.content)}
			r.number()
			b = append(b, s.raw[r.at:]...)
		}
	}
	out.raw = b
	return out
}

func textSize(run []span) (n uint64) {
	for _, s := range run {
		r := reader{b: s.raw, at: int(s.content)}
		n += r.number()
	}
	return n
}
