package turn

import (
	"sync/atomic"

	"github.com/turnout-rtc/turnout/turn/policy"
)

// Stats of a server.
type Stats struct {
	Allocations      int64 // now
	AllocationsTotal uint64
	AuthFailed       uint64
	Denied           map[string]uint64 // peers refused, by reason, a fixed small set
	Dropped          map[string]uint64 // datagrams dropped, by reason, a fixed small set
	PacketsUp        uint64            // datagrams relayed from clients to peers
	PacketsDown      uint64            // datagrams relayed from peers to clients
	BytesUp          uint64            // payload bytes from clients to peers
	BytesDown        uint64            // payload bytes from peers to clients
}

// drop is a reason why a datagram was not relayed.
type drop uint8

const (
	dropNoAllocation drop = iota // data from a client that has no allocation
	dropNoChannel                // ChannelData for a channel that is not bound
	dropNoPermission             // nothing permits this peer
	dropPolicy                   // the policy refuses this peer
	dropFull                     // the socket's buffer is full, or the network refuses
	dropMalformed                // not a message at all
	drops                        // how many there are
)

var dropLabels = [drops]string{"no_allocation", "no_channel", "no_permission", "policy", "send_failed", "malformed"}

// counters are safe for concurrent use.
type counters struct {
	allocations      atomic.Int64
	allocationsTotal atomic.Uint64
	authFailed       atomic.Uint64
	denied           [16]atomic.Uint64 // by policy.Reason
	dropped          [drops]atomic.Uint64
	up, down         traffic
}

type traffic struct{ packets, bytes atomic.Uint64 }

func (t *traffic) add(n int) {
	t.packets.Add(1)
	t.bytes.Add(uint64(n)) //nolint:gosec // a length
}

func (c *counters) drop(r drop) { c.dropped[r].Add(1) }

func (c *counters) deny(r policy.Reason) { c.denied[r].Add(1) }

func (c *counters) stats() Stats {
	s := Stats{
		Allocations:      c.allocations.Load(),
		AllocationsTotal: c.allocationsTotal.Load(),
		AuthFailed:       c.authFailed.Load(),
		Denied:           map[string]uint64{},
		Dropped:          map[string]uint64{},
		PacketsUp:        c.up.packets.Load(),
		PacketsDown:      c.down.packets.Load(),
		BytesUp:          c.up.bytes.Load(),
		BytesDown:        c.down.bytes.Load(),
	}
	for _, r := range policy.Reasons() {
		s.Denied[r.String()] = c.denied[r].Load()
	}
	for r, label := range dropLabels {
		s.Dropped[label] = c.dropped[r].Load()
	}
	return s
}
