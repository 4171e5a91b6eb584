package yjs

import (
	"maps"
	"slices"
	"time"
)

// AwarenessLimits bound one document's awareness. The zero value of a limit means its default.
type AwarenessLimits struct {
	StateBytes int           // size of one state; default 16 KiB
	Clients    int           // client ids, those remembered too; default 4096
	PerOwner   int           // client ids of one owner at a time; default 4
	TTL        time.Duration // a state not renewed for so long goes; default 30 s, as in y-protocols, whose clients renew every 15 s
}

const (
	defaultStateBytes       = 16 << 10
	defaultAwarenessClients = 4096
	defaultPerOwner         = 4
	defaultTTL              = 30 * time.Second
)

func (l AwarenessLimits) orDefault() AwarenessLimits {
	l.StateBytes = or(l.StateBytes, defaultStateBytes)
	l.Clients = or(l.Clients, defaultAwarenessClients)
	l.PerOwner = or(l.PerOwner, defaultPerOwner)
	if l.TTL == 0 {
		l.TTL = defaultTTL
	}
	return l
}

// Leave removes at once the states that were announced over a connection which has been closed, and sets their client ids
// free. It returns the awareness update that tells the others, or nil.
func (a *Awareness) Leave(now time.Time, via uint64) []byte {
	var left []uint64
	for client, e := range a.entries {
		if e.owner == nobody || e.via != via {
			continue
		}
		if !e.gone() {
			e.remove(now)
			left = append(left, client)
		}
		e.owner = nobody
	}
	return a.encode(left)
}

// Lose marks a connection as broken or silent: its states go by until, unless their owner renews them before, over this
// connection or another. The pause spares the others a short break.
func (a *Awareness) Lose(via uint64, until time.Time) {
	for _, e := range a.entries {
		if e.owner != nobody && e.via == via && !e.gone() && until.Before(e.until) {
			e.until = until
		}
	}
}

// Expire removes the states whose time has come. It returns the awareness update that tells the others, or nil.
//
// Tell it to their owners, too. A state that went and comes back with the same clock is invisible to y-protocols' clients until
// it is renewed, for up to 15 s; but a client that hears of its own removal announces itself at once with a higher clock.
func (a *Awareness) Expire(now time.Time) []byte {
	var expired []uint64
	for client, e := range a.entries {
		switch {
		case now.Before(e.until):
		case e.gone():
			delete(a.entries, client)
		default:
			e.remove(now)
			expired = append(expired, client)
		}
	}
	return a.encode(expired)
}

// Deadline is when Expire should be called next, if ever.
func (a *Awareness) Deadline() (at time.Time, ok bool) {
	for _, e := range a.entries {
		if !ok || e.until.Before(at) {
			at, ok = e.until, true
		}
	}
	return at, ok
}

func (e *entry) remove(now time.Time) {
	e.state = e.state[:0]
	e.until = now.Add(remember)
}

// Encode is everybody's state as an awareness update, for one who joins or asks. If nobody is there it is the empty update,
// which also serves to keep an idle y-websocket client from taking the silence for a dead connection.
func (a *Awareness) Encode() []byte {
	var here []uint64
	for client, e := range a.entries {
		if !e.gone() {
			here = append(here, client)
		}
	}
	if len(here) == 0 {
		return []byte{0}
	}
	return a.encode(here)
}

// EncodeAll is Encode with those who have gone and are remembered, for one who may not have heard that; nil if there are none.
func (a *Awareness) EncodeAll() []byte {
	return a.encode(slices.Collect(maps.Keys(a.entries)))
}

// encode writes the entries of some clients in order of their ids; nil if there are none.
func (a *Awareness) encode(clients []uint64) []byte {
	if len(clients) == 0 {
		return nil
	}
	slices.Sort(clients)
	b := appendUint(nil, uint64(len(clients)))
	for _, client := range clients {
		e := a.entries[client]
		b = appendUint(appendUint(b, client), e.clock)
		if e.gone() {
			b = appendBytes(b, []byte(null))
		} else {
			b = appendBytes(b, e.state)
		}
	}
	return b
}

// Here is how many client ids have a state.
func (a *Awareness) Here() int {
	n := 0
	for _, e := range a.entries {
		if !e.gone() {
			n++
		}
	}
	return n
}
