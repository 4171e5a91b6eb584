package yjs

import (
	"slices"
	"time"
)

// Awareness is who looks at a document now: a JSON state for each client id, as the awareness protocol of y-protocols has it,
// with one addition. A client id belongs to the owner that first announced it, and nobody else can set, spoof or remove its
// state. Stock clients need that: each sends on every state that it receives, and sends "gone" for others whom it has not
// heard of while its own computer slept.
type Awareness struct {
	limits  AwarenessLimits
	entries map[uint64]*entry
}

// Owner names who announces states, such as a participant; it is not empty.
type Owner string

// Speaker says who announces states, and over which of its connections. An owner who comes back on a new connection before
// the old one is known to be dead is still the same.
type Speaker struct {
	Owner Owner
	Via   uint64
}

// nobody owns the client ids of those who left. They are remembered only so that late echoes stay echoes.
const nobody Owner = ""

// entry is what is known of a client id.
type entry struct {
	owner Owner
	via   uint64 // over which it was announced last
	clock uint64
	state []byte    // JSON; empty once it is gone
	until time.Time // when the state goes unless renewed, or, of one that is gone, when it is forgotten
}

func (e *entry) gone() bool { return len(e.state) == 0 }

// remember is how long a client id that is gone is known: longer than any client keeps a state (30 s), so that what others
// send on of it does not come back under their names.
const remember = 60 * time.Second

// NewAwareness is one in which nobody is there.
func NewAwareness(l AwarenessLimits) *Awareness {
	return &Awareness{limits: l.orDefault(), entries: make(map[uint64]*entry)}
}

// Heard says what an awareness update brought.
type Heard struct {
	// Relay is the part that the others must hear, as an awareness update; nil if there is none. It shares the memory of the
	// update that was given if all of it is.
	Relay []byte
	// Reply is what the speaker must hear: that states it has announced count as gone; nil if there is none. A client that
	// comes back announces itself with the clock it had, which y-protocols' clients ignore after it was gone; told that it is
	// gone, it announces itself with a higher one.
	Reply   []byte
	Echoes  int // states that are known: sent on by others, or repeated
	Foreign int // attempts at the client ids of somebody else
	Excess  int // new client ids beyond AwarenessLimits

	ghosts []uint64 // client ids of Reply
	claims int      // new client ids: looking for room among all entries takes time, so one update has few
}

// Apply hears an awareness update. Echoes, foreign and excess states are counted and change nothing; all three
// come from honest clients too. The error is a *MalformedError or a *LimitError, and then nothing has changed. JSON is looked
// at only if it is new.
func (a *Awareness) Apply(now time.Time, from Speaker, update []byte) (Heard, error) {
	if err := a.examine(from.Owner, update); err != nil {
		return Heard{}, err
	}
	var h Heard
	var relay []byte
	r := readAnnouncements(update)
	total, accepted := r.left, uint64(0)
	for r.next() {
		if !a.hear(now, from, r.announcement, &h) {
			continue
		}
		if accepted++; accepted < total {
			relay = append(relay, r.raw...)
		}
	}
	switch accepted {
	case 0:
	case total:
		h.Relay = update
	default:
		h.Relay = append(appendUint(make([]byte, 0, len(relay)+maxUintBytes), accepted), relay...)
	}
	h.Reply = a.encode(a.still(h.ghosts))
	return h, nil
}

// examine checks the frame of an update, and the states that would be accepted.
func (a *Awareness) examine(from Owner, update []byte) error {
	r := readAnnouncements(update)
	if r.left > uint64(a.limits.Clients) {
		return &LimitError{Limit: "Clients", Max: a.limits.Clients}
	}
	for r.next() {
		if r.state == nil {
			continue
		}
		if v := a.judge(from, r.announcement); v != accept && v != claim {
			continue
		}
		if len(r.state) > a.limits.StateBytes {
			return &LimitError{Limit: "StateBytes", Max: a.limits.StateBytes}
		}
		r.checkState()
	}
	r.end()
	return r.error("awareness update")
}

// verdict is what an announcement amounts to.
type verdict uint8

const (
	echo    verdict = iota // known, or older than what is known
	renewal                // known, and from its owner: a sign of life
	accept                 // from its owner, and news
	claim                  // a client id that belongs to nobody
	foreign                // a client id of somebody else
)

// judge is the decision on one announcement.
func (a *Awareness) judge(from Owner, n announcement) verdict {
	e := a.entries[n.client]
	switch {
	case e == nil || e.owner == nobody:
		if n.state == nil || e != nil && n.clock <= e.clock {
			return echo
		}
		return claim
	case e.owner != from:
		// "Gone" with the clock that is known removes a state in y-protocols, from whomever it comes.
		if n.clock > e.clock || n.state == nil && n.clock == e.clock && !e.gone() {
			return foreign
		}
		return echo
	case n.clock < e.clock:
		return echo
	case n.clock == e.clock && (n.state == nil) == e.gone():
		return renewal
	}
	return accept
}

// hear takes in one announcement and says whether the others must hear it.
func (a *Awareness) hear(now time.Time, from Speaker, n announcement, h *Heard) bool {
	switch a.judge(from.Owner, n) {
	case accept:
		a.entries[n.client].set(now, a.limits.TTL, from.Via, n)
		return true
	case claim:
		e := a.entries[n.client]
		if h.claims++; h.claims > a.limits.PerOwner || h.Excess > 0 || !a.admit(from.Owner) {
			h.Excess++
			return false
		}
		if e == nil {
			e = &entry{}
			a.entries[n.client] = e
		}
		e.owner = from.Owner
		e.set(now, a.limits.TTL, from.Via, n)
		return true
	case renewal:
		if e := a.entries[n.client]; !e.gone() {
			e.until, e.via = now.Add(a.limits.TTL), from.Via
		}
		h.Echoes++
	case echo:
		h.Echoes++
		if e := a.entries[n.client]; e != nil && e.gone() && n.state != nil && n.clock == e.clock {
			h.ghosts = append(h.ghosts, n.client)
		}
	case foreign:
		h.Foreign++
	}
	return false
}

// still are those of the ghosts that are gone now that the whole update was heard, each once.
func (a *Awareness) still(ghosts []uint64) []uint64 {
	slices.Sort(ghosts)
	return slices.DeleteFunc(slices.Compact(ghosts), func(client uint64) bool {
		e := a.entries[client]
		return e == nil || !e.gone()
	})
}

func (e *entry) set(now time.Time, ttl time.Duration, via uint64, n announcement) {
	e.via, e.clock = via, n.clock
	e.state = append(e.state[:0], n.state...)
	e.until = now.Add(ttl)
	if e.gone() {
		e.until = now.Add(remember)
	}
}

// admit makes room for one more client id of an owner, by forgetting one that is gone if need be.
func (a *Awareness) admit(owner Owner) bool {
	here, all := 0, 0
	for _, e := range a.entries {
		if e.owner == owner {
			all++
			if !e.gone() {
				here++
			}
		}
	}
	if here >= a.limits.PerOwner {
		return false
	}
	if all >= 2*a.limits.PerOwner {
		a.forget(func(e *entry) bool { return e.owner == owner })
	}
	return len(a.entries) < a.limits.Clients || a.forget(func(*entry) bool { return true })
}

// forget drops the oldest gone entry that f chooses, if there is one.
func (a *Awareness) forget(f func(*entry) bool) bool {
	var oldest *entry
	var id uint64
	for client, e := range a.entries {
		if e.gone() && f(e) && (oldest == nil || e.until.Before(oldest.until)) {
			oldest, id = e, client
		}
	}
	if oldest != nil {
		delete(a.entries, id)
	}
	return oldest != nil
}
