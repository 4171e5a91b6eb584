package turn

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/turnout-rtc/turnout/turn/policy"
)

// Stats of a server. The maps have a fixed small set of keys.
type Stats struct {
	Allocations      int64 // now
	AllocationsTotal uint64
	AllocationsBy    map[string]int64  // now, by the client's transport: udp, tcp, tls
	AllocationsOf    map[string]int64  // now, by the family of the relayed address: ipv4, ipv6
	AllocationTime   time.Duration     // that the allocations lived which have ended
	Connections      int64             // TCP and TLS connections now
	AuthFailed       uint64            // the sum of Auth but for ok
	Auth             map[string]uint64 // requests with credentials, by result
	Denied           map[string]uint64 // peers refused, by reason
	Refused          map[string]uint64 // requests and connections refused because a limit was reached, by limit
	Dropped          map[string]uint64 // datagrams dropped, by reason
	Handshakes       map[string]uint64 // TLS handshakes, by result: ok, failed. Those of a shared port are ok; its owner counts what failed
	Up, Down         Traffic           // from clients to peers, and back
	RelayPortsFree   int
}

// Traffic counts datagrams and their payload.
type Traffic struct{ Packets, Bytes uint64 }

// drop is a reason why a datagram was not relayed.
type drop uint8

const (
	dropNoAllocation drop = iota // data from a client that has no allocation
	dropNoChannel                // ChannelData for a channel that is not bound
	dropNoPermission             // nothing permits this peer
	dropPolicy                   // the policy refuses this peer
	dropRate                     // the allocation has used up its rate
	dropFull                     // the socket's buffer is full, or the network refuses
	dropMalformed                // not a message at all
	dropTooLong                  // more than relayMTU bytes from a peer
	dropChallenge                // an unauthorized source has got enough answers
	dropLoop                     // a request that came out of one of our own relays
	dropTooSoon                  // a request for an allocation while the last one is being taken down
	drops                        // how many there are
)

var dropLabels = [drops]string{
	"no_allocation", "no_channel", "no_permission", "policy", "rate", "send_failed", "malformed", "too_long", "challenges", "loop", "too_soon",
}

// limited is a limit that refused something.
type limited uint8

const (
	limitUser limited = iota
	limitSource
	limitTotal
	limitPermissions
	limitChannels
	limitNewPeers
	limitPorts
	limitConnections
	limitConnectionsPerSource
	limitDraining
	limits // how many there are
)

var limitLabels = [limits]string{
	"allocations_per_user", "allocations_per_source", "allocations", "permissions", "channels", "new_peers", "relay_ports",
	"connections", "connections_per_source", "draining",
}

// verdict is the result of looking at a request's credentials.
type verdict uint8

const (
	authOK verdict = iota
	authWrong
	authMalformed
	authExpired
	authTooLong
	authRevoked
	verdicts // how many there are
)

var verdictLabels = [verdicts]string{"ok", "wrong_password", "malformed", "expired", "too_long", "revoked"}

// counters are safe for concurrent use.
type counters struct {
	allocations      atomic.Int64
	allocationsTotal atomic.Uint64
	allocationTime   atomic.Int64 // nanoseconds
	connections      atomic.Int64
	auth             [verdicts]atomic.Uint64
	denied           [16]atomic.Uint64 // by policy.Reason
	refused          [limits]atomic.Uint64
	dropped          [drops]atomic.Uint64
	handshakes       [2]atomic.Uint64 // ok, failed
	up, down         traffic
}

// Families of addresses, as they appear in Stats.
const (
	familyIPv4 = "ipv4"
	familyIPv6 = "ipv6"
)

func family(a netip.Addr) string {
	if a.Is6() {
		return familyIPv6
	}
	return familyIPv4
}

type traffic struct{ packets, bytes atomic.Uint64 }

func (t *traffic) add(packets, bytes int) {
	t.packets.Add(uint64(packets)) //nolint:gosec // a count
	t.bytes.Add(uint64(bytes))     //nolint:gosec // a length
}

func (t *traffic) read() Traffic { return Traffic{t.packets.Load(), t.bytes.Load()} }

func (c *counters) drop(r drop)          { c.dropped[r].Add(1) }
func (c *counters) deny(r policy.Reason) { c.denied[r].Add(1) }
func (c *counters) refuse(l limited)     { c.refused[l].Add(1) }

// Results of a TLS handshake.
const (
	handshakeOK = iota
	handshakeFailed
)

func (c *counters) stats() Stats {
	s := Stats{
		Allocations:      c.allocations.Load(),
		AllocationsTotal: c.allocationsTotal.Load(),
		Connections:      c.connections.Load(),
		AllocationsBy:    map[string]int64{kindUDP: 0, kindTCP: 0, kindTLS: 0},
		AllocationsOf:    map[string]int64{familyIPv4: 0, familyIPv6: 0},
		AllocationTime:   time.Duration(c.allocationTime.Load()),
		Auth:             map[string]uint64{},
		Denied:           map[string]uint64{},
		Refused:          map[string]uint64{},
		Dropped:          map[string]uint64{},
		Handshakes: map[string]uint64{
			"ok": c.handshakes[handshakeOK].Load(), "failed": c.handshakes[handshakeFailed].Load(),
		},
		Up: c.up.read(), Down: c.down.read(),
	}
	for v, label := range verdictLabels {
		s.Auth[label] = c.auth[v].Load()
		if verdict(v) != authOK {
			s.AuthFailed += s.Auth[label]
		}
	}
	for _, r := range policy.Reasons() {
		s.Denied[r.String()] = c.denied[r].Load()
	}
	for l, label := range limitLabels {
		s.Refused[label] = c.refused[l].Load()
	}
	for r, label := range dropLabels {
		s.Dropped[label] = c.dropped[r].Load()
	}
	return s
}
