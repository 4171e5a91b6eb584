package quota

import (
	"hash/maphash"
	"net/netip"
	"time"
)

// Source is what counts as one source of requests: an IPv4 address, or an IPv6 /64, of which a single customer has plenty.
func Source(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a
	}
	p, err := a.Prefix(64)
	if err != nil {
		return a
	}
	return p.Addr()
}

// slots of a Sources table: 64 KiB and a bit. Two sources in one slot share its tokens, which a flood of forged
// addresses can force; then strangers get fewer answers, not more.
const slots = 2048

// Sources limits by source in a table of fixed size. It is not safe for concurrent use.
type Sources struct {
	rate  Rate
	seed  maphash.Seed // forgers cannot aim at a slot
	table [slots]Bucket
}

// NewSources makes a table in which each source has a rate of its own.
func NewSources(r Rate) *Sources { return &Sources{rate: r, seed: maphash.MakeSeed()} }

// Take takes one token of a source.
func (s *Sources) Take(now time.Time, from netip.Addr) bool {
	b := Source(from).As16()
	i := maphash.Bytes(s.seed, b[:])
	return s.table[i%slots].Take(now, s.rate, 1)
}
