package quota

import (
	"errors"
	"net/netip"
)

// Errors of Reserve.
var (
	ErrUser   = errors.New("the user holds as many as allowed")
	ErrSource = errors.New("the source address holds as many as allowed")
	ErrTotal  = errors.New("the server holds as many as it can")
)

// Caps are how many may be held at once. All are positive.
type Caps struct{ PerUser, PerSource, Total int }

// Holdings counts what is held, by user and by source; its size is that of what is held. It is not safe for concurrent use.
type Holdings struct {
	total   int
	users   map[string]int
	sources map[netip.Addr]int
}

// NewHoldings holds nothing yet.
func NewHoldings() *Holdings {
	return &Holdings{users: map[string]int{}, sources: map[netip.Addr]int{}}
}

// Reserve holds one for user, who came from an address, or says why not.
// Each success needs one Release with the same arguments. An empty user has no cap of its own.
func (h *Holdings) Reserve(c Caps, user string, from netip.Addr) error {
	source := Source(from)
	switch {
	case h.total >= c.Total:
		return ErrTotal
	case user != "" && h.users[user] >= c.PerUser:
		return ErrUser
	case h.sources[source] >= c.PerSource:
		return ErrSource
	}
	h.total++
	if user != "" {
		h.users[user]++
	}
	h.sources[source]++
	return nil
}

// Release gives one back.
func (h *Holdings) Release(user string, from netip.Addr) {
	h.total--
	if user != "" {
		decrease(h.users, user)
	}
	decrease(h.sources, Source(from))
}

func decrease[K comparable](m map[K]int, k K) {
	if m[k]--; m[k] <= 0 {
		delete(m, k)
	}
}

// Total is how many are held.
func (h *Holdings) Total() int { return h.total }
