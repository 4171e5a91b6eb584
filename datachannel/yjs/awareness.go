package yjs

import (
	"cmp"
	"slices"
	"time"
)

// AwarenessLimits of one document.
type AwarenessLimits struct {
	StateBytes int           // of one state
	PerOwner   int           // Yjs clients that one member may have: tabs of its browser that share its connection
	Keep       time.Duration // a removed client stays its owner's so long
}

// MaxAwarenessEntries is the number of states in one awareness update.
const MaxAwarenessEntries = 1024

// Awareness is the presence of a document's users (y-protocols/awareness): a JSON state for each Yjs client. A client belongs
// to the member that announced it first; what others say about it is ignored.
//
// Stock clients repeat whatever they hear about others, remove those that they have not heard for 30 s (after a laptop's
// sleep: everyone), and take a removal with the clock they know. Hence the rules of take.
type Awareness struct {
	limits  AwarenessLimits // never changed
	clients map[uint64]*awareClient
}

// Speaker says who an awareness update came from.
type Speaker struct {
	Owner string // the member
	Via   uint64 // the connection, of which a member may have several
}

type awareClient struct {
	owner   string
	via     uint64 // the connection that spoke of it last
	clock   uint64
	state   []byte    // nil: removed
	removed time.Time // when
}

// AwarenessResult says what has become of an awareness update.
type AwarenessResult struct {
	Relay   []byte // what the others have to be told, nil if nothing
	Echoes  int    // entries that repeat what is known
	Foreign int    // entries that say something new about another member's client: refused
	Refused int    // entries above a limit
}

// NewAwareness makes an empty awareness.
func NewAwareness(l AwarenessLimits) *Awareness {
	return &Awareness{limits: l, clients: map[uint64]*awareClient{}}
}

type awarenessEntry struct {
	client, clock uint64
	state         []byte // JSON
}

func (e awarenessEntry) null() bool { return string(e.state) == "null" }

// Apply takes an awareness update. The error is ErrFormat; nothing has changed then.
func (a *Awareness) Apply(now time.Time, from Speaker, update []byte) (AwarenessResult, error) {
	entries, err := parseAwareness(update)
	if err != nil {
		return AwarenessResult{}, err
	}
	a.forget(now)
	var res AwarenessResult
	relay := entries[:0]
	for _, e := range entries {
		if a.take(now, from, e, &res) {
			relay = append(relay, e)
		}
	}
	res.Relay = encodeAwareness(relay)
	return res, nil
}

// take says whether e is news.
func (a *Awareness) take(now time.Time, from Speaker, e awarenessEntry, res *AwarenessResult) bool {
	owner := from.Owner
	c := a.clients[e.client]
	switch {
	case c == nil && e.null(), c != nil && e.clock < c.clock:
		res.Echoes++
		return false
	case c != nil && e.clock == c.clock && (!e.null() || c.state == nil || c.owner != owner):
		res.Echoes++
		return false
	case c != nil && c.owner != owner:
		res.Foreign++
		return false
	case len(e.state) > a.limits.StateBytes, c == nil && a.owned(owner) >= a.limits.PerOwner:
		res.Refused++
		return false
	}
	if c == nil {
		c = &awareClient{owner: owner}
		a.clients[e.client] = c
	}
	c.clock, c.via = e.clock, from.Via
	c.state = slices.Clone(e.state)
	if e.null() {
		c.state, c.removed = nil, now
	}
	return true
}

func (a *Awareness) owned(owner string) (n int) {
	for _, c := range a.clients {
		if c.owner == owner {
			n++
		}
	}
	return n
}

// Remove takes away the states of a connection that has ended or fallen silent, and returns what to tell, nil if there is
// nothing. Yjs lets a client that hears of its own removal announce itself again, with a higher clock.
func (a *Awareness) Remove(now time.Time, via uint64) []byte {
	var entries []awarenessEntry
	for client, c := range a.clients {
		if c.via == via && c.state != nil {
			c.state, c.removed = nil, now
			entries = append(entries, awarenessEntry{client, c.clock, []byte("null")})
		}
	}
	return encodeAwareness(entries)
}

// forget lets go of clients that were removed long ago.
func (a *Awareness) forget(now time.Time) {
	for client, c := range a.clients {
		if c.state == nil && now.Sub(c.removed) > a.limits.Keep {
			delete(a.clients, client)
		}
	}
}

// All is an update with every state, nil if there is none.
func (a *Awareness) All() []byte {
	var entries []awarenessEntry
	for client, c := range a.clients {
		if c.state != nil {
			entries = append(entries, awarenessEntry{client, c.clock, c.state})
		}
	}
	return encodeAwareness(entries)
}

// Len is the number of states.
func (a *Awareness) Len() (n int) {
	for _, c := range a.clients {
		if c.state != nil {
			n++
		}
	}
	return n
}

func parseAwareness(b []byte) ([]awarenessEntry, error) {
	r := reader{b: b}
	count := r.number()
	if count > MaxAwarenessEntries {
		return nil, ErrFormat
	}
	entries := make([]awarenessEntry, 0, min(int(count), len(b)/3))
	for ; count > 0 && !r.bad; count-- {
		entries = append(entries, awarenessEntry{r.number(), r.number(), r.json()})
	}
	if r.bad || r.at != len(b) {
		return nil, ErrFormat
	}
	return entries, nil
}

func encodeAwareness(entries []awarenessEntry) []byte {
	if len(entries) == 0 {
		return nil
	}
	slices.SortFunc(entries, func(x, y awarenessEntry) int { return cmp.Compare(x.client, y.client) })
	b := appendNumber(nil, uint64(len(entries)))
	for _, e := range entries {
		b = appendBytes(appendNumber(appendNumber(b, e.client), e.clock), e.state)
	}
	return b
}
