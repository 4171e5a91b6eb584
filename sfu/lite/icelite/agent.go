// Package icelite is the server's end of ICE where the server is reachable (RFC 8445 §2.5): it answers connectivity checks
// and never sends any.
//
// An Agent is one peer's. It takes binding requests and gives replies; it knows on which path to send to the peer (Egress)
// and whether the peer still wants it (State). It does no I/O, takes no lock and never reads the clock.
package icelite

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pion/stun/v4"

	"github.com/turnout-rtc/turnout/sfu/demux"
)

// Credentials of one side for one ICE session (RFC 8445 §5.3).
type Credentials struct{ Ufrag, Pwd string }

// NewCredentials makes random ones: 40 bits of ufrag, 130 of password. RFC 8839 §5.4 asks for 24 and 128.
func NewCredentials() Credentials { return Credentials{Ufrag: rand.Text()[:8], Pwd: rand.Text()} }

// State of the path to a peer.
type State uint8

// The states of an Agent. Each can follow each, but New.
const (
	New          State = iota // no authenticated request so far
	Connected                 //
	Disconnected              // silent for Timing.Disconnected
	Expired                   // silent for Timing.Consent: nothing may be sent until a request comes (RFC 7675 §5.1)
)

// Timing of an Agent. The zero value of a field means its default.
type Timing struct {
	Disconnected time.Duration // default 10 s: browsers check every 2.5 s
	Consent      time.Duration // default 30 s, RFC 7675 §5.1
	Hold         time.Duration // between two nominations that count; default 1 s
	Deserted     time.Duration // the egress path is silent and another is not; default 3 s, one check of a browser missed
}

func (t Timing) withDefaults() Timing {
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	set(&t.Disconnected, 10*time.Second)
	set(&t.Consent, 30*time.Second)
	set(&t.Hold, time.Second)
	set(&t.Deserted, 3*time.Second)
	return t
}

// Errors of Request. A request that fails is not answered: its sender may be anyone.
var (
	ErrMalformed    = errors.New("icelite: malformed binding request")
	ErrUsername     = errors.New("icelite: username of another session")
	ErrIntegrity    = errors.New("icelite: message integrity does not match")
	ErrRoleConflict = errors.New("icelite: the peer thinks that it is controlled") // this one is answered, RFC 8445 §7.3.1.1
)

// Agent is the ICE-lite side of one peer.
type Agent struct {
	timing Timing // Set at construction, never changed.

	confirmed session // that the peer has used
	fresh     session // of the last offer, until the peer uses it; zero if there is none

	state     State
	heard     time.Time // last authenticated request on any path
	egress    demux.Path
	egressAt  time.Time  // last authenticated request on egress
	nominated bool       // egress was nominated by the peer, and is not just the first path that worked
	moved     time.Time  // when egress last changed
	pending   demux.Path // nominated during Hold; becomes egress after it
}

// session is what both sides agreed on for one ICE session.
type session struct {
	local       Credentials
	remoteUfrag string
}

// NewAgent makes an agent for the first offer and answer.
func NewAgent(local Credentials, remoteUfrag string, t Timing) *Agent {
	return &Agent{timing: t.withDefaults(), fresh: session{local, remoteUfrag}}
}

// Restart begins a new ICE session (RFC 8445 §9). The peer may go on with the one it uses until it has used the new one.
// If an earlier new one was never used, its ufrag is returned: it is not valid any more.
func (a *Agent) Restart(local Credentials, remoteUfrag string) (retired string) {
	retired, a.fresh = a.fresh.local.Ufrag, session{local, remoteUfrag}
	return retired
}

// State is the state after the last input.
func (a *Agent) State() State { return a.state }

// Egress is where to send to the peer, and false while there is no consent to send anything.
func (a *Agent) Egress() (demux.Path, bool) {
	return a.egress, a.state == Connected || a.state == Disconnected
}

// Scratch is memory for one request at a time. A goroutine that calls Request keeps one.
type Scratch struct{ request, reply stun.Message }

// Result of a request that passed authentication.
type Result struct {
	Reply   []byte // to be sent to where the request came from; valid until the Scratch is used again
	Retired string // a ufrag that is not valid any more, or ""
}

// Request takes a binding request that came in on from. The reply of a role conflict comes with ErrRoleConflict.
func (a *Agent) Request(now time.Time, from demux.Path, raw []byte, s *Scratch) (Result, error) {
	m := &s.request
	m.Raw = append(m.Raw[:0], raw...)
	if err := m.Decode(); err != nil || m.Type != stun.BindingRequest {
		return Result{}, ErrMalformed
	}
	by, err := a.authenticate(m)
	if err != nil {
		return Result{}, err
	}
	if m.Contains(stun.AttrICEControlled) {
		reply, err := s.answer(by, stun.NewType(stun.MethodBinding, stun.ClassErrorResponse), stun.CodeRoleConflict)
		return Result{Reply: reply}, errors.Join(ErrRoleConflict, err)
	}
	var r Result
	if *by == a.fresh {
		r.Retired = a.confirmed.local.Ufrag
		a.confirmed, a.fresh = a.fresh, session{}
		by = &a.confirmed
		a.nominated, a.pending = false, demux.Path{}
	}
	r.Reply, err = s.answer(by, stun.BindingSuccess, &stun.XORMappedAddress{
		IP: from.Remote.Addr().AsSlice(), Port: int(from.Remote.Port()),
	})
	if err != nil {
		return Result{}, fmt.Errorf("icelite: build the reply: %w", err)
	}
	a.accept(now, from, m.Contains(stun.AttrUseCandidate))
	return r, nil
}

// authenticate finds the session whose two ufrags and password the request has.
func (a *Agent) authenticate(m *stun.Message) (*session, error) {
	username, err := m.Get(stun.AttrUsername)
	if err != nil {
		return nil, ErrUsername
	}
	ours, theirs, _ := strings.Cut(string(username), ":")
	for _, by := range []*session{&a.confirmed, &a.fresh} {
		if by.local.Ufrag == "" || ours != by.local.Ufrag || theirs != by.remoteUfrag {
			continue
		}
		if stun.NewShortTermIntegrity(by.local.Pwd).Check(m) != nil {
			return nil, ErrIntegrity
		}
		return by, nil
	}
	return nil, ErrUsername
}

func (s *Scratch) answer(by *session, t stun.MessageType, what stun.Setter) ([]byte, error) {
	err := s.reply.Build(stun.NewTransactionIDSetter(s.request.TransactionID), t, what,
		stun.NewShortTermIntegrity(by.local.Pwd), stun.Fingerprint)
	return s.reply.Raw, err
}

// accept notes a sign of life on from, and chooses the egress path.
//
// The first path that works is used until the peer nominates one, so that DTLS need not wait. Afterwards the last
// nomination wins, but the path changes once per Hold at most: peers that nominate several pairs (RFC 5245 §8.1.1.2) would
// make it jump with every check. A path that has fallen silent is left for one that is checked: after a NAT has given the
// peer another port, most peers never nominate again.
func (a *Agent) accept(now time.Time, from demux.Path, nominates bool) {
	silent := a.state == New || a.state == Expired
	a.heard, a.state = now, Connected
	switch {
	case silent:
		a.move(now, from, nominates)
	case from == a.egress:
		a.egressAt = now
		if nominates {
			a.nominated, a.pending = true, demux.Path{}
		}
	case now.Sub(a.egressAt) >= a.timing.Deserted:
		a.move(now, from, nominates)
	case !nominates:
	case !a.nominated || now.Sub(a.moved) >= a.timing.Hold:
		a.move(now, from, true)
	default:
		a.pending = from
	}
	a.settle(now)
}

// Answered says that the peer answered a check on p, authentically: it is there, and wants what is sent to it. It is of a full
// agent, that sends checks, too; where to send is up to the peer's own checks.
func (a *Agent) Answered(now time.Time, p demux.Path) {
	if a.state == New || a.state == Expired {
		return
	}
	a.heard, a.state = now, Connected
	if p == a.egress {
		a.egressAt = now
	}
	a.settle(now)
}

func (a *Agent) move(now time.Time, to demux.Path, nominated bool) {
	a.egress, a.nominated, a.moved, a.pending = to, nominated, now, demux.Path{}
	a.egressAt = now
}

// settle makes a nomination effective that came during Hold.
func (a *Agent) settle(now time.Time) {
	if a.pending != (demux.Path{}) && now.Sub(a.moved) >= a.timing.Hold {
		a.move(now, a.pending, true)
	}
}

// Lost says that a path is gone for certain, a TCP connection that was closed. If it was the egress path, nothing can be
// sent until the next request.
func (a *Agent) Lost(p demux.Path) {
	if a.pending == p {
		a.pending = demux.Path{}
	}
	if a.egress == p && a.state != New {
		a.state, a.nominated = Expired, false
	}
}

// LostSocket says that a socket of ours is gone for certain, with all its paths.
func (a *Agent) LostSocket(number int) {
	for _, p := range []demux.Path{a.pending, a.egress} {
		if p.Socket == number {
			a.Lost(p)
		}
	}
}

// Tick lets time pass. It is to be called about once a second.
func (a *Agent) Tick(now time.Time) {
	if a.state == New || a.state == Expired {
		return
	}
	switch silent := now.Sub(a.heard); {
	case silent >= a.timing.Consent:
		a.state, a.nominated, a.pending = Expired, false, demux.Path{}
		return
	case silent >= a.timing.Disconnected:
		a.state = Disconnected
	}
	a.settle(now)
}

// Step is how often Tick should be called: once a second, or more often if the times are shorter.
func (t Timing) Step() time.Duration {
	t = t.withDefaults()
	return max(min(time.Second, t.Hold, t.Disconnected/4, t.Consent/4), time.Millisecond)
}
