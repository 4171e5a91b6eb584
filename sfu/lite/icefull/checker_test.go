package icefull

import (
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun/v4"

	"github.com/turnout-rtc/turnout/sfu/demux"
	"github.com/turnout-rtc/turnout/sfu/lite/icelite"
)

var (
	start  = time.Unix(1e9, 0)
	ours   = icelite.Credentials{Ufrag: "ours", Pwd: "our-password-that-is-long-enough"}
	theirs = icelite.Credentials{Ufrag: "them", Pwd: "their-password-that-is-long-too"}
	local4 = Base{Socket: 0, Addr: netip.MustParseAddrPort("10.0.0.1:7882")}
	local6 = Base{Socket: 2, Addr: netip.MustParseAddrPort("[2001:db8::1]:7882")}
	inside = Base{Socket: 4, Addr: netip.MustParseAddrPort("127.0.0.1:7882")}
	them4  = netip.MustParseAddrPort("192.0.2.7:4000")
	them6  = netip.MustParseAddrPort("[2001:db8::7]:4000")
)

func checker() *Checker {
	c := NewChecker(0xABCD, Limits{})
	c.Begin(ours, theirs, []Base{local4, local6, inside})
	return c
}

// all polls as a shell would, until a time, and returns when checks were sent.
func (c *Checker) all(from, until time.Time, each func(now time.Time, check Check)) {
	var s Scratch
	for now := from; ; {
		next, ok := c.Next()
		if !ok || next.After(until) {
			return
		}
		if next.After(now) {
			now = next
		}
		check, ok := c.Poll(now, &s)
		if !ok {
			panic("Next lied")
		}
		check.Raw = append([]byte(nil), check.Raw...)
		each(now, check)
	}
}

func answer(t *testing.T, check []byte, pwd string) []byte {
	t.Helper()
	var m stun.Message
	m.Raw = check
	if err := m.Decode(); err != nil {
		t.Fatal(err)
	}
	return stun.MustBuild(stun.NewTransactionIDSetter(m.TransactionID), stun.BindingSuccess, stun.NewShortTermIntegrity(pwd), stun.Fingerprint).Raw
}

func TestCandidateIsCheckedFromTheAddressesThatReachIt(t *testing.T) {
	c := checker()
	own := netip.MustParseAddrPort("127.0.0.1:9")
	for _, to := range []netip.AddrPort{them4, them6, own, them4} {
		if !c.Add(start, to) {
			t.Errorf("%v was refused", to)
		}
	}
	sockets := map[netip.AddrPort]map[int]bool{}
	c.all(start, start.Add(200*time.Millisecond), func(_ time.Time, check Check) {
		if sockets[check.Path.Remote] == nil {
			sockets[check.Path.Remote] = map[int]bool{}
		}
		sockets[check.Path.Remote][check.Path.Socket] = true
	})
	if len(sockets) != 2 || !sockets[them4][0] || !sockets[them6][2] || len(sockets[them4]) != 1 {
		t.Error(sockets)
	}
	c.Begin(ours, theirs, []Base{inside}) // for this machine only
	if c.Add(start, own); c.first() == nil {
		t.Error("a client on this machine is not checked")
	}
}

func TestCheckIsOneOfAControlledAgent(t *testing.T) {
	c := checker()
	c.Add(start, them4)
	var s Scratch
	check, _ := c.Poll(start, &s)
	m := &stun.Message{Raw: check.Raw}
	if err := m.Decode(); err != nil {
		t.Fatal(err)
	}
	user, _ := m.Get(stun.AttrUsername)
	if m.Type != stun.BindingRequest || string(user) != "them:ours" || !m.Contains(stun.AttrICEControlled) || !m.Contains(stun.AttrPriority) ||
		m.Contains(stun.AttrUseCandidate) || stun.NewShortTermIntegrity(theirs.Pwd).Check(m) != nil || stun.Fingerprint.Check(m) != nil {
		t.Errorf("%v", m)
	}
	if Tag(check.Raw) != 0xABCD || Tag(nil) != 0 {
		t.Errorf("tag %x", Tag(check.Raw))
	}
}

// Two checks are never closer than Pace, the same one is sent again ever more rarely, and in the end not at all.
func TestChecksArePacedAndEnd(t *testing.T) {
	c := checker()
	for port := range uint16(40) {
		if got, want := c.Add(start, netip.AddrPortFrom(them4.Addr(), 1000+port)), port < 32; got != want {
			t.Errorf("candidate %d was taken: %v", port, got)
		}
	}
	var last time.Time
	sent := map[demux.Path]int{}
	ids := map[string]bool{}
	c.all(start, start.Add(time.Hour), func(now time.Time, check Check) {
		if now.Sub(last) < Pace {
			t.Fatalf("%v after the last one", now.Sub(last))
		}
		last = now
		sent[check.Path]++
		ids[string(check.Raw[8:20])] = true
	})
	for path, n := range sent {
		if n != tries {
			t.Errorf("%v was sent to %d times", path, n)
		}
	}
	if len(sent) != 32 || len(ids) != 32 || last.Sub(start) > time.Minute {
		t.Errorf("%d pairs, %d ids, until %v", len(sent), len(ids), last.Sub(start))
	}
}

func TestAnswerCountsFromWhereTheCheckWentOnly(t *testing.T) {
	c := checker()
	c.Add(start, them4)
	var s Scratch
	check, _ := c.Poll(start, &s)
	raw := append([]byte(nil), check.Raw...)
	good := answer(t, raw, theirs.Pwd)
	elsewhere := demux.Path{Socket: 0, Remote: netip.MustParseAddrPort("192.0.2.66:4000")}
	c.Heard(start, elsewhere) // somebody who is known
	for name, try := range map[string]bool{
		"other address":   c.Answered(start, elsewhere, good, &s),
		"other socket":    c.Answered(start, demux.Path{Socket: 2, Remote: them4}, good, &s),
		"other password":  c.Answered(start, check.Path, answer(t, raw, "guessed"), &s),
		"our own request": c.Answered(start, check.Path, raw, &s),
		"noise":           c.Answered(start, check.Path, []byte("noise"), &s),
	} {
		if try {
			t.Errorf("%s: taken", name)
		}
	}
	if !c.Answered(start, check.Path, good, &s) {
		t.Error("the right one was not taken")
	}
	if c.Answered(start, check.Path, good, &s) {
		t.Error("it was taken twice")
	}
}

func TestConsentIsAskedForWithANewTransactionEachTime(t *testing.T) {
	c := checker()
	path := demux.Path{Socket: 1 << 16, Remote: them4} // one of TCP that has no candidate
	c.Follow(start, path)
	var s Scratch
	ids := map[string]bool{}
	var first, last time.Time
	c.all(start, start.Add(time.Minute), func(now time.Time, check Check) {
		if check.Path != path {
			t.Fatal(check.Path)
		}
		if ids[string(check.Raw[8:20])] {
			t.Error("a transaction id came again")
		}
		ids[string(check.Raw[8:20])] = true
		if !c.Answered(now, path, answer(t, check.Raw, theirs.Pwd), &s) {
			t.Error("not answered")
		}
		if first.IsZero() {
			first = now
		} else if gap := now.Sub(last); gap < 4*time.Second || gap > 6*time.Second {
			t.Errorf("asked after %v", gap)
		}
		last = now
	})
	if len(ids) < 10 {
		t.Errorf("asked %d times", len(ids))
	}
	c.Lost(path)
	if next, ok := c.Next(); ok {
		t.Errorf("something is due at %v", next)
	}
}

func TestOtherPairsAreGivenUpEarlierWhenOneIsInUse(t *testing.T) {
	c := checker()
	c.Add(start, them4)
	used := demux.Path{Socket: 2, Remote: them6}
	c.Follow(start, used)
	n := 0
	c.all(start, start.Add(time.Minute), func(_ time.Time, check Check) {
		if check.Path.Remote == them4 {
			n++
		}
	})
	if n != triesBeside {
		t.Errorf("%d checks", n)
	}
	c.Again(start.Add(2 * time.Minute)) // the peer has fallen silent
	n = 0
	c.all(start.Add(2*time.Minute), start.Add(3*time.Minute), func(_ time.Time, check Check) {
		if check.Path.Remote == them4 {
			n++
		}
	})
	if n != triesBeside {
		t.Errorf("%d checks after silence", n)
	}
}

func TestRestartForgetsTheCandidates(t *testing.T) {
	c := checker()
	c.Add(start, them4)
	again := icelite.Credentials{Ufrag: "again", Pwd: theirs.Pwd}
	c.Begin(ours, again, []Base{local4})
	if _, ok := c.Next(); ok || c.Ufrag() != "again" {
		t.Error("something is left of the last session")
	}
}

func FuzzAnswered(f *testing.F) {
	c := checker()
	c.Add(start, them4)
	var s Scratch
	check, _ := c.Poll(start, &s)
	path, raw := check.Path, append([]byte(nil), check.Raw...)
	f.Add(raw)
	f.Add(stun.MustBuild(stun.TransactionID, stun.BindingSuccess, &stun.XORMappedAddress{IP: []byte{1, 2, 3, 4}, Port: 5}).Raw)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var s Scratch
		if c.Answered(start, path, b, &s) {
			t.Fatal("a forged answer was taken")
		}
		m := NewMapper(1)
		m.Ask(start, []Base{local4}, []netip.AddrPort{stunServer})
		m.Poll(start, &s)
		m.Answered(start, demux.Path{Remote: stunServer}, b, &s)
		Tag(b)
	})
}

func FuzzParseCandidate(f *testing.F) {
	for s := range candidates() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, ok, err := ParseCandidate(s)
		if ok && (err != nil || !a.IsValid() || a.Port() == 0 || a.Addr().IsMulticast() || a.Addr().IsUnspecified() || a.Addr().Zone() != "") {
			t.Fatalf("%v, %v", a, err)
		}
	})
}

// candidates with what is to be checked of them: an address, "-" for nothing, "" for malformed.
func candidates() map[string]string {
	return map[string]string{
		"candidate:1 1 udp 2113937151 192.0.2.7 4000 typ host generation 0 ufrag abcd network-cost 999": "192.0.2.7:4000",
		"1 1 UDP 2113937151 2001:db8::7 4000 typ srflx raddr 10.0.0.1 rport 1":                          "[2001:db8::7]:4000",
		"a=candidate:1 1 udp 1 ::ffff:192.0.2.7 4000 typ host":                                          "192.0.2.7:4000",
		"candidate:1 1 udp 1 3f1b2c4d-aaaa-bbbb-cccc-0123456789ab.local 4000 typ host":                  "-",
		"candidate:1 1 tcp 1 192.0.2.7 9 typ host tcptype active":                                       "-",
		"candidate:1 2 udp 1 192.0.2.7 4000 typ host":                                                   "-",
		"candidate:1 1 udp 1 0.0.0.0 4000 typ host":                                                     "-",
		"candidate:1 1 udp 1 224.0.0.1 4000 typ host":                                                   "-",
		"candidate:1 1 udp 1 255.255.255.255 4000 typ host":                                             "-",
		"candidate:1 1 udp 1 fe80::1%eth0 4000 typ host":                                                "-",
		"candidate:1 1 udp 1 192.0.2.7 0 typ host":                                                      "-",
		"candidate:1 1 udp 1 192.0.2.7 70000 typ host":                                                  "",
		"candidate:1 1 udp 1 example.org 4000 typ host":                                                 "",
		"candidate:1 1 udp 1 192.0.2.7 4000 kind host":                                                  "",
		"nonsense": "",
		"":         "",
	}
}

func TestCandidatesAreRead(t *testing.T) {
	for s, want := range candidates() {
		a, ok, err := ParseCandidate(s)
		got := "-"
		switch {
		case err != nil:
			got = ""
		case ok:
			got = a.String()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", s, got, want)
		}
	}
}
