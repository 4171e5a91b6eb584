// Package icefull is what an ICE agent does beside answering (see icelite), for a server that is itself behind a NAT: it
// sends. Its checks open the NAT for those of the client, and it learns from STUN servers under which addresses the NAT
// shows it (RFC 8445).
//
// Its nouns: a Base is a local socket to send from. A Checker is one peer's: it sends connectivity checks to the peer's
// candidates, and goes on asking for consent on the path in use (RFC 7675). A Mapper is the server's, for all peers: it asks
// STUN servers for every Base.
//
// The agent is always controlled: the client offers, so it nominates, and the path follows it. Pairs are checked in the order
// in which candidates come, none is frozen: there is one component, and few candidates.
//
// Nothing here does I/O, takes a lock or reads the clock.
package icefull

import (
	"crypto/rand"
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"github.com/pion/stun/v4"

	"github.com/turnout-rtc/turnout/sfu/demux"
	"github.com/turnout-rtc/turnout/sfu/lite/icelite"
)

const (
	// Pace is the time between two checks of one Checker or Mapper, Ta of RFC 8445 §14.2.
	Pace = 50 * time.Millisecond

	firstWait    = 250 * time.Millisecond // for an answer; twice as long after each
	longestWait  = 5 * time.Second
	tries        = 10              // of a pair: 28 s
	triesBeside  = 4               // of a pair while another is in use
	consentEvery = 5 * time.Second // RFC 7675 §5.1, give or take a fifth
)

// Limits of a Checker. The zero value of a field means its default.
type Limits struct {
	Candidates int // of the peer in one session; default 32
	Pairs      int // default 100, RFC 8445 §6.1.2.5
}

func (l Limits) withDefaults() Limits {
	if l.Candidates <= 0 {
		l.Candidates = 32
	}
	if l.Pairs <= 0 {
		l.Pairs = 100
	}
	return l
}

// Base is an address that checks are sent from.
type Base struct {
	Socket int // the caller's number of its socket
	Addr   netip.AddrPort
}

// reaches says whether it makes sense to send from b to an address.
func (b Base) reaches(to netip.Addr) bool {
	return b.Addr.Addr().Is4() == to.Is4() && b.Addr.Addr().IsLoopback() == to.IsLoopback()
}

// Scratch is memory for one message at a time. A goroutine that calls the package keeps one.
type Scratch struct{ m stun.Message }

// Check is a message to be sent.
type Check struct {
	Path demux.Path
	Raw  []byte // valid until the Scratch is used again
}

// Checker sends one peer's checks.
type Checker struct {
	tag    uint32 // Set at construction, never changed.
	limits Limits // Set at construction, never changed.

	local, remote icelite.Credentials
	bases         []Base
	candidates    []netip.AddrPort
	pairs         []pair
	egress        demux.Path // the path in use; zero while there is none
	paced         time.Time  // no check before
}

// pair of a base and an address of the peer's.
type pair struct {
	path  demux.Path
	tx    [stun.TransactionIDSize]byte
	sent  int       // in a row without an answer
	due   time.Time // of the next check; zero for none
	valid bool      // answered
}

// NewChecker makes a Checker. The transaction ids of its checks begin with tag, see Tag.
func NewChecker(tag uint32, l Limits) *Checker { return &Checker{tag: tag, limits: l.withDefaults()} }

// Begin begins an ICE session, with the first offer or one that restarts ICE: what is known of the peer's addresses is
// forgotten. A server that others can reach sends nothing to candidates on its own machine, where a participant could mean
// anybody; a client there comes by itself.
func (c *Checker) Begin(local, remote icelite.Credentials, bases []Base) {
	inside := func(b Base) bool { return b.Addr.Addr().IsLoopback() }
	c.local, c.remote, c.bases = local, remote, slices.Clone(bases)
	if outside := slices.DeleteFunc(slices.Clone(bases), inside); len(outside) > 0 {
		c.bases = outside
	}
	c.candidates, c.pairs, c.egress = nil, nil, demux.Path{}
}

// Ufrag is the peer's in this session.
func (c *Checker) Ufrag() string { return c.remote.Ufrag }

// Add takes a candidate of the peer's, and says false if it is one too many. Twice is once.
func (c *Checker) Add(now time.Time, to netip.AddrPort) bool {
	if slices.Contains(c.candidates, to) {
		return true
	}
	if len(c.candidates) >= c.limits.Candidates {
		return false
	}
	c.candidates = append(c.candidates, to)
	fits := true
	for _, b := range c.bases {
		if b.reaches(to.Addr()) {
			fits = c.arm(now, demux.Path{Socket: b.Socket, Remote: to}) != nil && fits
		}
	}
	return fits
}

// Heard says that an authentic request of the peer's came on a path, which is checked in turn (RFC 8445 §7.3.1.4).
func (c *Checker) Heard(now time.Time, on demux.Path) {
	if p := c.find(on); p == nil || !p.valid && p.due.IsZero() {
		c.arm(now, on)
	}
}

// Follow says which path is in use, the zero one for none.
func (c *Checker) Follow(now time.Time, egress demux.Path) {
	if egress == c.egress {
		return
	}
	c.egress = egress
	if p := c.find(egress); p != nil && p.valid {
		p.due = now.Add(c.jitter())
	} else if egress != (demux.Path{}) {
		c.arm(now, egress)
	}
}

// Again checks everything once more: the peer has fallen silent, and the NAT may have forgotten it.
func (c *Checker) Again(now time.Time) {
	for i := range c.pairs {
		p := &c.pairs[i]
		p.valid, p.sent, p.due = false, 0, now
	}
}

// Lost says that a path is gone for certain.
func (c *Checker) Lost(path demux.Path) {
	c.pairs = slices.DeleteFunc(c.pairs, func(p pair) bool { return p.path == path })
	if c.egress == path {
		c.egress = demux.Path{}
	}
}

// arm has a path checked now. It returns nil if there are too many.
func (c *Checker) arm(now time.Time, path demux.Path) *pair {
	p := c.find(path)
	if p == nil {
		if len(c.pairs) >= c.limits.Pairs {
			return nil
		}
		c.pairs = append(c.pairs, pair{path: path})
		p = &c.pairs[len(c.pairs)-1]
	}
	p.sent, p.due = 0, now
	return p
}

func (c *Checker) find(path demux.Path) *pair {
	for i := range c.pairs {
		if c.pairs[i].path == path {
			return &c.pairs[i]
		}
	}
	return nil
}

// Next is when to Poll, and false if nothing is to be sent.
func (c *Checker) Next() (time.Time, bool) {
	p := c.first()
	if p == nil {
		return time.Time{}, false
	}
	if p.due.Before(c.paced) {
		return c.paced, true
	}
	return p.due, true
}

func (c *Checker) first() *pair {
	var first *pair
	for i := range c.pairs {
		if p := &c.pairs[i]; !p.due.IsZero() && (first == nil || p.due.Before(first.due)) {
			first = p
		}
	}
	return first
}

// Poll is the next check that is due. To be called until it says false, and again at Next.
func (c *Checker) Poll(now time.Time, s *Scratch) (Check, bool) {
	p := c.first()
	if p == nil || p.due.After(now) || c.paced.After(now) {
		return Check{}, false
	}
	inUse := p.path == c.egress
	if p.sent == 0 || inUse && p.valid {
		p.tx = newTransaction(c.tag) // a resent check is the same one; one for consent is new
	}
	p.sent++
	switch {
	case inUse && p.valid:
		p.due = now.Add(c.jitter())
	case inUse, p.sent < tries && c.egress == (demux.Path{}), p.sent < triesBeside:
		p.due = now.Add(wait(p.sent))
	default:
		p.due = time.Time{}
	}
	c.paced = now.Add(Pace)
	err := s.m.Build(stun.NewTransactionIDSetter(p.tx), stun.BindingRequest, stun.NewUsername(c.remote.Ufrag+":"+c.local.Ufrag),
		priority, controlled, stun.NewShortTermIntegrity(c.remote.Pwd), stun.Fingerprint)
	return Check{Path: p.path, Raw: s.m.Raw}, err == nil
}

// The attributes of a check beside those of who sends it (RFC 8445 §7.1). The tie-breaker is 0, which always loses: a peer
// that takes itself for controlled, too, becomes controlling.
var (
	priority   = stun.RawAttribute{Type: stun.AttrPriority, Value: []byte{110, 0xFF, 0xFF, 0xFF}} // of a peer-reflexive candidate
	controlled = stun.RawAttribute{Type: stun.AttrICEControlled, Value: make([]byte, 8)}
)

// Answered takes an answer to a check that came on a path. It says whether it is an authentic one: the peer is there, and
// wants what is sent to it on this path.
func (c *Checker) Answered(now time.Time, on demux.Path, raw []byte, s *Scratch) bool {
	p := c.find(on) // an answer from another address than the check went to counts for nothing (RFC 8445 §7.2.5.2.1)
	if p == nil || p.sent == 0 {
		return false
	}
	m := &s.m
	m.Raw = append(m.Raw[:0], raw...)
	if m.Decode() != nil || m.Type != stun.BindingSuccess || m.TransactionID != p.tx ||
		stun.NewShortTermIntegrity(c.remote.Pwd).Check(m) != nil {
		return false
	}
	p.valid, p.sent, p.due = true, 0, time.Time{}
	if on == c.egress {
		p.due = now.Add(c.jitter())
	}
	return true
}

// wait is how long to wait for the answer to the nth check in a row.
func wait(n int) time.Duration { return min(firstWait<<min(n-1, 8), longestWait) }

// jitter is the time to the next check for consent: all peers of a server must not be asked at once.
func (c *Checker) jitter() time.Duration {
	var b [1]byte
	_, _ = rand.Read(b[:])
	return consentEvery*4/5 + consentEvery*2/5*time.Duration(b[0])/256
}

func newTransaction(tag uint32) (tx [stun.TransactionIDSize]byte) {
	binary.BigEndian.PutUint32(tx[:], tag)
	_, _ = rand.Read(tx[4:])
	return tx
}

// Tag of a STUN message: the first four bytes of its transaction id. It tells whose an answer is, with 64 random bits behind it
// that tell what is answered.
func Tag(raw []byte) uint32 {
	if len(raw) < 12 {
		return 0
	}
	return binary.BigEndian.Uint32(raw[8:])
}
