package turn

import (
	"net/netip"
	"sync"
	"time"

	"github.com/turnout-rtc/turnout/turn/quota"
)

// holdings is a quota.Holdings that several goroutines share.
type holdings struct {
	mu sync.Mutex
	of *quota.Holdings // Guarded by mu.
}

func newHoldings() *holdings { return &holdings{of: quota.NewHoldings()} }

func (h *holdings) reserve(c quota.Caps, user string, from netip.Addr) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.of.Reserve(c, user, from)
}

func (h *holdings) release(user string, from netip.Addr) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.of.Release(user, from)
}

func (h *holdings) total() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.of.Total()
}

// sources is a quota.Sources that several goroutines share.
type sources struct {
	mu sync.Mutex
	of *quota.Sources // Guarded by mu.
}

func (s *sources) take(now time.Time, from netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of.Take(now, from)
}
