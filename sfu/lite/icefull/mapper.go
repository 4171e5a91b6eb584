package icefull

import (
	"net/netip"
	"slices"
	"time"

	"github.com/pion/stun/v4"

	"github.com/turnout-rtc/turnout/sfu/demux"
)

const (
	// refreshEvery keeps the mapping in NATs open, which forget it after 30 s at the earliest that is seen (RFC 4787 §4.3 asks
	// for two minutes).
	refreshEvery = 20 * time.Second
	triesToMap   = 4 // without an answer: 1.75 s, then what was known is not true any more
)

// Mapping is how a NAT shows a base.
type Mapping struct {
	Base Base
	Addr netip.AddrPort
}

// Mapper asks STUN servers how NATs show our bases (RFC 8489), and keeps the mappings open.
type Mapper struct {
	tag     uint32 // Set at construction, never changed.
	queries []query
	paced   time.Time
}

// query asks one server about one base.
type query struct {
	base   Base
	server netip.AddrPort
	tx     [stun.TransactionIDSize]byte
	sent   int // in a row without an answer
	due    time.Time
	mapped netip.AddrPort
}

// NewMapper makes a Mapper that asks nobody yet. For tag see Tag.
func NewMapper(tag uint32) *Mapper { return &Mapper{tag: tag} }

// Ask says which servers to ask about which bases from now on. What is known of those that stay is kept.
func (m *Mapper) Ask(now time.Time, bases []Base, servers []netip.AddrPort) {
	var next []query
	for _, b := range bases {
		for _, to := range servers {
			if !b.reaches(to.Addr()) {
				continue
			}
			i := slices.IndexFunc(m.queries, func(q query) bool { return q.base == b && q.server == to })
			if i >= 0 {
				next = append(next, m.queries[i])
			} else {
				next = append(next, query{base: b, server: to, due: now})
			}
		}
	}
	m.queries = next
}

// Next is when to Poll, and false if there is nobody to ask.
func (m *Mapper) Next() (time.Time, bool) {
	if len(m.queries) == 0 {
		return time.Time{}, false
	}
	next := m.first().due
	if next.Before(m.paced) {
		next = m.paced
	}
	return next, true
}

func (m *Mapper) first() *query {
	first := &m.queries[0]
	for i := range m.queries {
		if m.queries[i].due.Before(first.due) {
			first = &m.queries[i]
		}
	}
	return first
}

// Poll is the next question that is due. To be called until it says false, and again at Next.
func (m *Mapper) Poll(now time.Time, s *Scratch) (Check, bool) {
	if len(m.queries) == 0 || m.paced.After(now) || m.first().due.After(now) {
		return Check{}, false
	}
	q := m.first()
	if q.sent >= triesToMap {
		q.mapped = netip.AddrPort{}
	}
	if q.sent == 0 || q.sent >= triesToMap {
		q.tx = newTransaction(m.tag)
	}
	q.sent++
	if q.due = now.Add(wait(q.sent)); q.sent >= triesToMap {
		q.due = now.Add(refreshEvery)
	}
	m.paced = now.Add(Pace)
	err := s.m.Build(stun.NewTransactionIDSetter(q.tx), stun.BindingRequest)
	return Check{Path: demux.Path{Socket: q.base.Socket, Remote: q.server}, Raw: s.m.Raw}, err == nil
}

// Answered takes an answer that came on a path. It says whether a mapping is another now.
func (m *Mapper) Answered(now time.Time, on demux.Path, raw []byte, s *Scratch) (changed bool) {
	i := slices.IndexFunc(m.queries, func(q query) bool { return q.base.Socket == on.Socket && q.server == on.Remote && q.sent > 0 })
	if i < 0 {
		return false
	}
	q := &m.queries[i]
	s.m.Raw = append(s.m.Raw[:0], raw...)
	if s.m.Decode() != nil || s.m.Type != stun.BindingSuccess || s.m.TransactionID != q.tx {
		return false
	}
	mapped, ok := mappedAddress(&s.m)
	if !ok || mapped.Addr().Is4() != q.base.Addr.Addr().Is4() {
		return false
	}
	changed = q.mapped != mapped
	q.mapped, q.sent, q.due = mapped, 0, now.Add(refreshEvery)
	return changed
}

func mappedAddress(m *stun.Message) (netip.AddrPort, bool) {
	var a stun.XORMappedAddress
	if a.GetFrom(m) != nil {
		return netip.AddrPort{}, false
	}
	ip, ok := netip.AddrFromSlice(a.IP)
	mapped := netip.AddrPortFrom(ip.Unmap(), uint16(a.Port)) //nolint:gosec // a port of two bytes
	return mapped, ok && mapped.Port() != 0 && mapped.Addr().IsGlobalUnicast() || ok && mapped.Addr().IsLoopback()
}

// Mappings are those that differ from the base, each once.
func (m *Mapper) Mappings() []Mapping {
	var all []Mapping
	for _, q := range m.queries {
		one := Mapping{q.base, q.mapped}
		if q.mapped.IsValid() && q.mapped != q.base.Addr && !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	return all
}

// Settled says whether every question was answered, or asked so often that there is no point in waiting.
func (m *Mapper) Settled() bool {
	return !slices.ContainsFunc(m.queries, func(q query) bool { return !q.mapped.IsValid() && q.sent < triesToMap })
}
