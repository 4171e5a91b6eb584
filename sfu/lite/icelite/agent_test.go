package icelite

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun/v4"

	"github.com/turnout-rtc/turnout/sfu/demux"
)

var (
	start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	local = Credentials{"ours", "our-password-of-22-chars"}
)

func path(i int) demux.Path {
	if i%2 == 1 {
		return demux.Path{Socket: 1, Remote: netip.AddrPortFrom(netip.MustParseAddr("2001:db8::1"), uint16(1000+i))}
	}
	return demux.Path{Remote: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(1000+i))}
}

// useCandidate is USE-CANDIDATE, an attribute without a value (RFC 8445 §7.1.2).
var useCandidate = stun.RawAttribute{Type: stun.AttrUseCandidate}

func check(c Credentials, theirs string, extra ...stun.Setter) []byte {
	s := append([]stun.Setter{stun.TransactionID, stun.BindingRequest, stun.NewUsername(c.Ufrag + ":" + theirs)}, extra...)
	return stun.MustBuild(append(s, stun.NewShortTermIntegrity(c.Pwd), stun.Fingerprint)...).Raw
}

func newAgent() *Agent { return NewAgent(local, "theirs", Timing{}) }

func mustAccept(t *testing.T, a *Agent, now time.Time, p demux.Path, raw []byte) Result {
	t.Helper()
	r, err := a.Request(now, p, raw, new(Scratch))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func expectEgress(t *testing.T, a *Agent, want demux.Path) {
	t.Helper()
	if got, ok := a.Egress(); !ok || got != want {
		t.Fatalf("egress %v %v, want %v", got, ok, want)
	}
}

func TestReplyIsSignedAndSaysWhereTheRequestCameFrom(t *testing.T) {
	for i := range 2 {
		a, raw := newAgent(), check(local, "theirs")
		r := mustAccept(t, a, start, path(i), raw)
		m := &stun.Message{Raw: r.Reply}
		if err := m.Decode(); err != nil || m.Type != stun.BindingSuccess {
			t.Fatalf("%v %v", m, err)
		}
		var addr stun.XORMappedAddress
		if err := addr.GetFrom(m); err != nil {
			t.Fatal(err)
		}
		if got, _ := netip.AddrFromSlice(addr.IP); got.Unmap() != path(i).Remote.Addr() || addr.Port != int(path(i).Remote.Port()) {
			t.Errorf("mapped address %v, want %v", addr, path(i).Remote)
		}
		if err := stun.NewShortTermIntegrity(local.Pwd).Check(m); err != nil {
			t.Error(err)
		}
		if err := stun.Fingerprint.Check(m); err != nil {
			t.Error(err)
		}
		if want := stun.New(); want.UnmarshalBinary(raw) != nil || m.TransactionID != want.TransactionID {
			t.Error("another transaction")
		}
		if a.State() != Connected {
			t.Errorf("state %v", a.State())
		}
	}
}

func TestWhatIsNotAuthenticatedChangesNothing(t *testing.T) {
	forged := check(local, "theirs")
	forged[len(forged)-20] ^= 1 // in MESSAGE-INTEGRITY
	for name, c := range map[string]struct {
		raw []byte
		err error
	}{
		"empty":             {nil, ErrMalformed},
		"cut":               {check(local, "theirs")[:30], ErrMalformed},
		"response":          {stun.MustBuild(stun.TransactionID, stun.BindingSuccess).Raw, ErrMalformed},
		"no username":       {stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw, ErrUsername},
		"another's ufrag":   {check(Credentials{"other", local.Pwd}, "theirs"), ErrUsername},
		"wrong remote":      {check(local, "someone"), ErrUsername},
		"wrong password":    {check(Credentials{"ours", "guessed"}, "theirs"), ErrIntegrity},
		"forged":            {forged, ErrIntegrity},
		"without integrity": {stun.MustBuild(stun.TransactionID, stun.BindingRequest, stun.NewUsername("ours:theirs")).Raw, ErrIntegrity},
	} {
		a := newAgent()
		r, err := a.Request(start, path(0), c.raw, new(Scratch))
		if !errors.Is(err, c.err) || r.Reply != nil {
			t.Errorf("%s: %v, reply %d bytes", name, err, len(r.Reply))
		}
		if _, ok := a.Egress(); ok || a.State() != New {
			t.Errorf("%s: may send", name)
		}
	}
}

func TestRoleConflictIsAnsweredWith487(t *testing.T) {
	a := newAgent()
	raw := check(local, "theirs", stun.RawAttribute{Type: stun.AttrICEControlled, Value: make([]byte, 8)})
	r, err := a.Request(start, path(0), raw, new(Scratch))
	if !errors.Is(err, ErrRoleConflict) {
		t.Fatal(err)
	}
	m := &stun.Message{Raw: r.Reply}
	var code stun.ErrorCodeAttribute
	if m.Decode() != nil || code.GetFrom(m) != nil || code.Code != stun.CodeRoleConflict {
		t.Errorf("reply %v", m)
	}
	if a.State() != New {
		t.Error("counted as a sign of life")
	}
}

func TestFirstPathIsUsedUntilOneIsNominated(t *testing.T) {
	a := newAgent()
	mustAccept(t, a, start, path(0), check(local, "theirs"))
	expectEgress(t, a, path(0))
	mustAccept(t, a, start, path(1), check(local, "theirs"))
	expectEgress(t, a, path(0))
	mustAccept(t, a, start, path(1), check(local, "theirs", useCandidate))
	expectEgress(t, a, path(1))
}

func TestNominationsAreDamped(t *testing.T) {
	a, moves := newAgent(), 0
	last, _ := a.Egress()
	for i := range 100 { // two pairs, both nominated every 50 ms for 5 s
		mustAccept(t, a, start.Add(time.Duration(i)*50*time.Millisecond), path(i%2), check(local, "theirs", useCandidate))
		if now, _ := a.Egress(); now != last {
			last, moves = now, moves+1
		}
	}
	if moves > 6 {
		t.Errorf("egress moved %d times in 5 s", moves)
	}
}

func TestNominationThatCameOnceIsNotLost(t *testing.T) {
	a := newAgent()
	mustAccept(t, a, start, path(0), check(local, "theirs", useCandidate))
	mustAccept(t, a, start.Add(100*time.Millisecond), path(1), check(local, "theirs", useCandidate))
	expectEgress(t, a, path(0))
	a.Tick(start.Add(900 * time.Millisecond))
	expectEgress(t, a, path(0))
	a.Tick(start.Add(time.Second))
	expectEgress(t, a, path(1))
}

func TestSilentPathIsLeftForOneThatIsChecked(t *testing.T) {
	a := newAgent()
	mustAccept(t, a, start, path(0), check(local, "theirs", useCandidate))
	mustAccept(t, a, start.Add(2*time.Second), path(2), check(local, "theirs"))
	expectEgress(t, a, path(0))
	mustAccept(t, a, start.Add(2500*time.Millisecond), path(0), check(local, "theirs"))
	mustAccept(t, a, start.Add(5*time.Second), path(2), check(local, "theirs"))
	expectEgress(t, a, path(0))
	mustAccept(t, a, start.Add(5500*time.Millisecond), path(2), check(local, "theirs"))
	expectEgress(t, a, path(2))
}

func TestConsentExpiresAndComesBack(t *testing.T) {
	a := newAgent()
	a.Tick(start.Add(time.Hour)) // nothing to expire yet
	mustAccept(t, a, start, path(0), check(local, "theirs", useCandidate))
	a.Tick(start.Add(9 * time.Second))
	if a.State() != Connected {
		t.Fatal(a.State())
	}
	a.Tick(start.Add(10 * time.Second))
	if _, ok := a.Egress(); a.State() != Disconnected || !ok {
		t.Fatal(a.State(), ok)
	}
	a.Tick(start.Add(30 * time.Second))
	if _, ok := a.Egress(); a.State() != Expired || ok {
		t.Fatal("still sending without consent")
	}
	mustAccept(t, a, start.Add(40*time.Second), path(3), check(local, "theirs"))
	expectEgress(t, a, path(3))
	if a.State() != Connected {
		t.Fatal(a.State())
	}
}

func TestRestartKeepsTheOldSessionUntilTheNewOneIsUsed(t *testing.T) {
	a := newAgent()
	mustAccept(t, a, start, path(0), check(local, "theirs", useCandidate))
	never, fresh := Credentials{"never", "pwd-that-was-never-used"}, Credentials{"fresh", "fresh-password-22-chars"}
	if u := a.Restart(never, "theirs2"); u != "" {
		t.Errorf("retired %q", u)
	}
	if u := a.Restart(fresh, "theirs3"); u != "never" {
		t.Errorf("retired %q, want the one never used", u)
	}
	if _, err := a.Request(start, path(0), check(never, "theirs2"), new(Scratch)); !errors.Is(err, ErrUsername) {
		t.Errorf("a retired session was accepted: %v", err)
	}
	mustAccept(t, a, start.Add(time.Second), path(0), check(local, "theirs"))
	if r := mustAccept(t, a, start.Add(time.Second), path(1), check(fresh, "theirs3")); r.Retired != "ours" {
		t.Errorf("retired %q", r.Retired)
	}
	expectEgress(t, a, path(0)) // until the peer nominates
	if _, err := a.Request(start, path(0), check(local, "theirs"), new(Scratch)); !errors.Is(err, ErrUsername) {
		t.Errorf("the old session was accepted: %v", err)
	}
	mustAccept(t, a, start.Add(time.Second), path(1), check(fresh, "theirs3", useCandidate))
	expectEgress(t, a, path(1))
}

func TestLostEgressPathIsNotSentTo(t *testing.T) {
	a := newAgent()
	mustAccept(t, a, start, path(0), check(local, "theirs", useCandidate))
	a.Lost(path(1))
	expectEgress(t, a, path(0))
	a.Lost(path(0))
	if _, ok := a.Egress(); ok {
		t.Fatal("sends into a closed connection")
	}
	mustAccept(t, a, start, path(1), check(local, "theirs"))
	expectEgress(t, a, path(1))
}

func TestSocketThatIsGoneTakesItsPathsAlong(t *testing.T) {
	a := newAgent()
	a.LostSocket(0)
	mustAccept(t, a, start, path(0), check(local, "theirs", useCandidate)) // on socket 0
	mustAccept(t, a, start, path(1), check(local, "theirs", useCandidate)) // on socket 1, during Hold
	a.LostSocket(1)
	a.Tick(start.Add(2 * time.Second))
	expectEgress(t, a, path(0))
	a.LostSocket(0)
	if _, ok := a.Egress(); ok {
		t.Fatal("sends from a closed socket")
	}
}

// Answers to checks of our own are consent, but choose no path and bring none back.
func TestAnswersKeepConsent(t *testing.T) {
	a := newAgent()
	a.Answered(start, path(0))
	if _, ok := a.Egress(); ok || a.State() != New {
		t.Fatal("there is a path that the peer never used")
	}
	mustAccept(t, a, start, path(0), check(local, "theirs", useCandidate))
	now := start
	for range 20 {
		now = now.Add(5 * time.Second)
		a.Answered(now, path(0))
		a.Tick(now)
		if a.State() != Connected {
			t.Fatal(a.State())
		}
	}
	mustAccept(t, a, now, path(2), check(local, "theirs")) // checked, but path 0 is alive
	expectEgress(t, a, path(0))
	now = now.Add(30 * time.Second)
	a.Tick(now)
	a.Answered(now, path(0))
	if _, ok := a.Egress(); ok {
		t.Fatal("consent that had expired came back without a request")
	}
}

// TestAgentSendsOnlyWithConsent feeds random requests and compares with what was heard.
func TestAgentSendsOnlyWithConsent(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	a, now := newAgent(), start
	creds, theirs := local, "theirs"
	heard := map[demux.Path]bool{}
	var last time.Time
	for step := range 5000 {
		now = now.Add(time.Duration(rng.IntN(4000)) * time.Millisecond)
		if rng.IntN(200) == 0 {
			now = now.Add(31 * time.Second)
		}
		p := path(rng.IntN(4))
		switch rng.IntN(8) {
		case 0:
			a.Tick(now)
		case 1:
			_, _ = a.Request(now, path(9), check(Credentials{creds.Ufrag, "wrong"}, theirs), new(Scratch))
		case 2:
			if rng.IntN(10) == 0 {
				creds, theirs = NewCredentials(), "r"+theirs[:5]
				a.Restart(creds, theirs)
			}
		default:
			var extra []stun.Setter
			if rng.IntN(2) == 0 {
				extra = append(extra, useCandidate)
			}
			mustAccept(t, a, now, p, check(creds, theirs, extra...))
			heard[p], last = true, now
		}
		a.Tick(now)
		got, ok := a.Egress()
		if ok != (!last.IsZero() && now.Sub(last) < 30*time.Second) {
			t.Fatalf("step %d: may send %v, last heard %v ago", step, ok, now.Sub(last))
		}
		if ok && !heard[got] {
			t.Fatalf("step %d: sends to %v, which never asked", step, got)
		}
	}
}

func FuzzRequest(f *testing.F) {
	f.Add(check(local, "theirs", useCandidate))
	f.Add(check(local, "theirs", stun.RawAttribute{Type: stun.AttrICEControlled, Value: make([]byte, 8)}))
	f.Add([]byte{0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 19: 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		a := newAgent()
		r, err := a.Request(start, path(0), raw, new(Scratch))
		if err == nil && (len(r.Reply) == 0 || a.State() != Connected) {
			t.Fatal("accepted without a reply")
		}
	})
}

func BenchmarkRequest(b *testing.B) {
	a, raw, s := newAgent(), check(local, "theirs", useCandidate), new(Scratch)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Request(start, path(0), raw, s); err != nil {
			b.Fatal(err)
		}
	}
}
