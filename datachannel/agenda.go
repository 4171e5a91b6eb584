package datachannel

import "time"

// agenda says which members a turn of the loop has to look at, so that a word from one does not cost a walk over all: those of whom
// something has changed, and those for whom the time has come. All of it is owned by run.
type agenda struct {
	changed []*Member // each once
	later   []*Member // a heap: the first is due first
}

// appointment is a member's place in the agenda.
type appointment struct {
	changed bool
	at      time.Time // when something is due, if place is not 0
	place   int       // in agenda.later, counted from 1
}

// mark has the member looked at in this turn.
func (a *agenda) mark(m *Member) {
	if !m.next.changed {
		m.next.changed = true
		a.changed = append(a.changed, m)
	}
}

// ripe marks the members for whom the time has come.
func (a *agenda) ripe(now time.Time) {
	for len(a.later) > 0 && !a.later[0].next.at.After(now) {
		m := a.later[0]
		a.remove(m)
		a.mark(m)
	}
}

// looked calls look for each marked member, also for those that are marked meanwhile, and notes when it is to be looked at again.
func (a *agenda) looked(look func(*Member) (time.Time, bool)) {
	i := 0
	for i < len(a.changed) {
		m := a.changed[i]
		i++
		m.next.changed = false
		if at, ok := look(m); ok {
			a.set(m, at)
		} else {
			a.remove(m)
		}
	}
	clear(a.changed)
	a.changed = a.changed[:0]
}

// due says when the next member is.
func (a *agenda) due() (at time.Time, ok bool) {
	if len(a.later) == 0 {
		return time.Time{}, false
	}
	return a.later[0].next.at, true
}

func (a *agenda) set(m *Member, at time.Time) {
	if m.next.place == 0 {
		a.later = append(a.later, m)
		m.next.place = len(a.later)
	}
	m.next.at = at
	a.settle(m.next.place - 1)
}

func (a *agenda) remove(m *Member) {
	if m.next.place == 0 {
		return
	}
	i, last := m.next.place-1, len(a.later)-1
	a.swap(i, last)
	a.later[last] = nil
	a.later = a.later[:last]
	m.next.place = 0
	if i < last {
		a.settle(i)
	}
}

// settle moves the member at i up or down to where it belongs.
func (a *agenda) settle(i int) {
	for i > 0 && a.before(i, (i-1)/2) {
		a.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
	for {
		first := 2*i + 1
		if second := first + 1; second < len(a.later) && a.before(second, first) {
			first = second
		}
		if first >= len(a.later) || !a.before(first, i) {
			return
		}
		a.swap(i, first)
		i = first
	}
}

func (a *agenda) before(i, j int) bool { return a.later[i].next.at.Before(a.later[j].next.at) }

func (a *agenda) swap(i, j int) {
	a.later[i], a.later[j] = a.later[j], a.later[i]
	a.later[i].next.place, a.later[j].next.place = i+1, j+1
}
