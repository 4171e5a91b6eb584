package front

import (
	"net/netip"
	"sync"

	"github.com/turnout-rtc/turnout/turn/quota"
)

// crowd are the connections of which it is not known whose they are.
type crowd struct {
	caps quota.Caps // Set at construction, never changed.

	mu   sync.Mutex
	held *quota.Holdings // Guarded by mu.
}

func newCrowd(caps quota.Caps) *crowd { return &crowd{caps: caps, held: quota.NewHoldings()} }

func (c *crowd) enter(from netip.Addr) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held.Reserve(c.caps, "", from)
}

func (c *crowd) leave(from netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held.Release("", from)
}

func (c *crowd) size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held.Total()
}
