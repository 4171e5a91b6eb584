package turn

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/turnout-rtc/turnout/turn/quota"
)

// Allocation is what can be told about an allocation.
type Allocation struct {
	User      string
	Client    string // address of the client as the server sees it
	Relayed   string // address the client was given
	Transport string // how the client speaks to the server: udp, tcp or tls
	Created   time.Time
	Up, Down  Traffic
}

// Allocations lists what is allocated now.
func (s *Server) Allocations() iter.Seq[Allocation] {
	return func(yield func(Allocation) bool) {
		for _, r := range s.allRelays() {
			a := Allocation{
				User: r.user, Client: r.client.String(), Relayed: r.relayed.String(), Transport: r.sock.kind,
				Created: r.created, Up: r.up.read(), Down: r.down.read(),
			}
			if !yield(a) {
				return
			}
		}
	}
}

func (s *Server) allRelays() []*relay {
	s.relayMu.RLock()
	defer s.relayMu.RUnlock()
	return slices.Collect(maps.Keys(s.relays))
}

// Revoke ends every allocation of a user and refuses the credentials minted for it so far, and says how many allocations
// that were. Credentials minted later work. What others minted with the shared secret is refused as far as it expires
// within our own ttl from now.
func (s *Server) Revoke(user string) int {
	now := time.Now()
	s.revoked.add(user, now.Add(s.settings.Load().TTL), now)
	n := 0
	for _, r := range s.allRelays() {
		if r.user == user {
			n++
			_ = r.Close()
		}
	}
	return n
}

// revocations are users whose credentials up to an expiry are refused. It holds an entry until that time.
type revocations struct {
	mu    sync.Mutex
	until map[string]time.Time // Guarded by mu: credentials that expire by then are refused
}

func (v *revocations) add(user string, until, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	maps.DeleteFunc(v.until, func(_ string, t time.Time) bool { return t.Before(now) })
	if v.until == nil {
		v.until = map[string]time.Time{}
	}
	v.until[user] = until
}

func (v *revocations) has(user string, expires time.Time) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	until, ok := v.until[user]
	return ok && !expires.After(until)
}

// drainInterval is how often Shutdown looks whether everybody has left.
const drainInterval = 100 * time.Millisecond

// Shutdown refuses new allocations, waits until those there are have ended or ctx is done, and closes. The error is ctx's
// when somebody was still there.
func (s *Server) Shutdown(ctx context.Context) error {
	s.draining.Store(true)
	tick := time.NewTicker(drainInterval)
	defer tick.Stop()
	for s.count.allocations.Load() > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), s.Close())
		}
	}
	return s.Close()
}

// Reload puts another configuration into force: secrets, ttl, whom to relay to, public addresses and limits.
// What is listened on, the realm and the relay ports stay as they are until a restart. On error nothing has changed.
func (s *Server) Reload(cfg Config) error {
	next, err := cfg.parse()
	if err != nil {
		return err
	}
	s.reloadMu.Lock()
	defer s.reloadMu.Unlock()
	old := s.settings.Load()
	next.Realm, next.UDP, next.TCP, next.TLS.Listen = old.Realm, old.UDP, old.TCP, old.TLS.Listen
	next.Relay.MinPort, next.Relay.MaxPort, next.Relay.Sockets = old.Relay.MinPort, old.Relay.MaxPort, old.Relay.Sockets
	if next.Limits.Challenges != old.Limits.Challenges {
		s.challenges.Store(next.challengeTable())
	}
	s.settings.Store(next)
	s.readNetwork()
	return nil
}

func (c *settings) challengeTable() *sources {
	n := float64(c.Limits.Challenges)
	return &sources{of: quota.NewSources(quota.Rate{PerSecond: n, Burst: n})}
}
