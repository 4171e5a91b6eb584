// Package presence keeps the latest value of each member, and says what the others have to be told.
//
// A value belongs to the member that set it. It is renewed by whatever the member sends, hidden from the others after a
// time of silence, and forgotten when the member leaves. Changes are gathered, so that each is told at most once an
// interval. The package does no I/O and never reads the clock.
package presence

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/turnout-rtc/turnout/datachannel/frame"
)

// Limits of a Map.
type Limits struct {
	Bytes    int           // of one value
	TTL      time.Duration // a silent member's presence is hidden after it
	Interval time.Duration // changes are told at most so often
}

// ErrTooLarge is a value above Limits.Bytes.
var ErrTooLarge = errors.New("the presence is larger than allowed")

// sweeps are made so many times per TTL: a value is hidden at most TTL/sweeps late.
const sweeps = 16

// Map is the presence of all members of a room. The zero value is of no use; see New.
type Map struct {
	limits  Limits // never changed
	members map[string]*member
	dirty   []string // members that have changed since the last Flush, each once

	since time.Time // of the oldest change that has not been told
	told  time.Time // of the last Flush
	sweep time.Time // when silent members are looked for
}

type member struct {
	clock  uint64
	data   []byte
	set    bool // has a value
	silent bool // and is hidden, because nothing is heard from it
	dirty  bool
	heard  time.Time
}

func (m *member) visible() bool { return m.set && !m.silent }

// New makes an empty map.
func New(l Limits) *Map { return &Map{limits: l, members: map[string]*member{}} }

// Set takes what the member identity says about itself. The map keeps data. A clock that is not above the last one is no
// error and changes nothing. The error is ErrTooLarge.
func (p *Map) Set(now time.Time, identity string, s frame.PresenceSet) error {
	if len(s.Data) > p.limits.Bytes {
		return ErrTooLarge
	}
	m := p.members[identity]
	if m == nil {
		m = &member{}
		p.members[identity] = m
		if len(p.members) == 1 {
			p.sweep = now.Add(p.limits.TTL / sweeps)
		}
	} else if s.Clock <= m.clock {
		p.Heard(now, identity)
		return nil
	}
	was := m.visible()
	m.clock, m.data, m.set, m.silent, m.heard = s.Clock, s.Data, s.Present, false, now
	if was || m.visible() {
		p.mark(now, identity, m)
	}
	return nil
}

// Heard says that something came from the member.
func (p *Map) Heard(now time.Time, identity string) {
	m := p.members[identity]
	if m == nil {
		return
	}
	m.heard = now
	if m.silent {
		m.silent = false
		p.mark(now, identity, m)
	}
}

// Leave forgets a member. The others are told with the next Flush, if they knew of it.
func (p *Map) Leave(now time.Time, identity string) {
	m := p.members[identity]
	if m == nil {
		return
	}
	was := m.visible()
	m.set, m.silent, m.data = false, false, nil
	if was {
		p.mark(now, identity, m)
	}
	if !m.dirty {
		delete(p.members, identity)
		return
	}
	m.clock = 0 // whoever joins under this identity starts over
}

func (p *Map) mark(now time.Time, identity string, m *member) {
	if m.dirty {
		return
	}
	m.dirty = true
	if len(p.dirty) == 0 {
		p.since = now
	}
	p.dirty = append(p.dirty, identity)
}

// Due says when Flush has something to tell or Sweep is to be called; false: not before something happens.
func (p *Map) Due() (time.Time, bool) {
	if len(p.members) == 0 {
		return time.Time{}, false
	}
	if len(p.dirty) == 0 {
		return p.sweep, true
	}
	due := p.since
	if next := p.told.Add(p.limits.Interval); next.After(due) {
		due = next
	}
	if p.sweep.Before(due) {
		due = p.sweep
	}
	return due, true
}

// Sweep hides the members that have been silent too long.
func (p *Map) Sweep(now time.Time) {
	if now.Before(p.sweep) {
		return
	}
	p.sweep = now.Add(p.limits.TTL / sweeps)
	for identity, m := range p.members {
		if m.visible() && now.Sub(m.heard) >= p.limits.TTL {
			m.silent = true
			p.mark(now, identity, m)
		}
	}
}

// Flush returns what has changed, if it is time to tell. The entries alias the values, which are never written to again.
func (p *Map) Flush(now time.Time) []frame.PresenceEntry {
	if len(p.dirty) == 0 || now.Before(p.told.Add(p.limits.Interval)) {
		return nil
	}
	entries := make([]frame.PresenceEntry, 0, len(p.dirty))
	for _, identity := range p.dirty {
		m := p.members[identity]
		m.dirty = false
		entries = append(entries, m.entry(identity))
		if !m.set && m.clock == 0 {
			delete(p.members, identity)
		}
	}
	p.dirty = p.dirty[:0]
	p.told = now
	return entries
}

func (m *member) entry(identity string) frame.PresenceEntry {
	if !m.visible() {
		return frame.PresenceEntry{Identity: identity, Clock: m.clock}
	}
	return frame.PresenceEntry{Identity: identity, Clock: m.clock, Present: true, Data: m.data}
}

// All is every visible presence but that of identity, sorted by identity.
func (p *Map) All(identity string) []frame.PresenceEntry {
	var entries []frame.PresenceEntry
	for other, m := range p.members {
		if other != identity && m.visible() {
			entries = append(entries, m.entry(other))
		}
	}
	slices.SortFunc(entries, func(a, b frame.PresenceEntry) int { return strings.Compare(a.Identity, b.Identity) })
	return entries
}
