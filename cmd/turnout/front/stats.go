package front

import (
	"errors"
	"sync/atomic"

	"github.com/turnout-rtc/turnout/turn/quota"
)

// Stats of a Front. The maps have a fixed small set of keys.
type Stats struct {
	Undecided int               // connections now of which it is not known whose they are
	Handed    map[string]uint64 // connections, by whose they were: https, http, turn, ice, acme
	Refused   map[string]uint64 // connections closed, by reason: full, source_full, silent, handshake, unknown
}

const (
	httpsKind = iota
	httpKind
	turnKind
	iceKind
	acme
	kinds // how many there are
)

const (
	full = iota
	sourceFull
	silent // it said nothing, or too slowly
	handshake
	unknown  // nobody takes what it speaks
	refusals // how many there are
)

type counters struct {
	hand    [kinds]atomic.Uint64
	refused [refusals]atomic.Uint64
}

func (c *counters) handed(kind int)   { c.hand[kind].Add(1) }
func (c *counters) refuse(reason int) { c.refused[reason].Add(1) }

func refusalOf(err error) int {
	switch {
	case errors.Is(err, quota.ErrTotal):
		return full
	case errors.Is(err, quota.ErrSource):
		return sourceFull
	}
	return unknown
}

// Stats are counters since the start, safe to read at any time.
func (f *Front) Stats() Stats {
	s := Stats{Undecided: f.undecided.size(), Handed: map[string]uint64{}, Refused: map[string]uint64{}}
	for i, name := range [kinds]string{"https", "http", "turn", "ice", "acme"} {
		s.Handed[name] = f.count.hand[i].Load()
	}
	for i, name := range [refusals]string{"full", "source_full", "silent", "handshake", "unknown"} {
		s.Refused[name] = f.count.refused[i].Load()
	}
	return s
}
