package yjs

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// announced is an awareness update: client, clock, JSON, and so on.
func announced(parts ...any) []byte {
	b := appendUint(nil, uint64(len(parts)/3))
	for i := 0; i < len(parts); i += 3 {
		b = appendUint(appendUint(b, uint64(parts[i].(int))), uint64(parts[i+1].(int)))
		b = appendBytes(b, []byte(parts[i+2].(string)))
	}
	return b
}

// heard is what comes of an update that ann says over connection 1, bob over 2, and anybody else over 3.
func heard(t *testing.T, a *Awareness, now time.Time, from Owner, update []byte) Heard {
	t.Helper()
	h, err := a.Apply(now, over(from), update)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

const ann, bob Owner = "ann", "bob"

func over(o Owner) Speaker {
	switch o {
	case ann:
		return Speaker{ann, 1}
	case bob:
		return Speaker{bob, 2}
	}
	return Speaker{o, 3}
}

func TestAwarenessRelaysWhatItsOwnerSays(t *testing.T) {
	a := NewAwareness(AwarenessLimits{})
	for _, update := range [][]byte{
		announced(1, 0, `{}`),
		announced(1, 1, `{"cursor":3}`),
		announced(1, 7, `{"cursor":4}`),
		announced(1, 8, `null`),
		announced(1, 9, `{"back":true}`),
	} {
		if h := heard(t, a, start, ann, update); !bytes.Equal(h.Relay, update) || h.Echoes+h.Foreign+h.Excess > 0 {
			t.Errorf("%q: %+v", update, h)
		}
	}
	if got, want := a.Encode(), announced(1, 9, `{"back":true}`); !bytes.Equal(got, want) {
		t.Errorf("one who joins gets %q, want %q", got, want)
	}
}

func TestEchoesAreNotRelayed(t *testing.T) {
	a := NewAwareness(AwarenessLimits{})
	state := announced(1, 5, `{"cursor":3}`)
	heard(t, a, start, ann, state)
	for i := range 50 {
		if h := heard(t, a, start, Owner(fmt.Sprint("peer", i)), state); h.Relay != nil || h.Echoes != 1 || h.Foreign != 0 {
			t.Fatalf("%+v", h)
		}
	}
	// Echoes are not parsed: what is not JSON in them harms nobody, since it goes nowhere.
	if h := heard(t, a, start, bob, announced(1, 4, `{not JSON`)); h.Echoes != 1 {
		t.Errorf("%+v", h)
	}
	mixed := announced(1, 5, `{"cursor":3}`, 2, 1, `{}`, 1, 4, `{}`)
	if h := heard(t, a, start, bob, mixed); !bytes.Equal(h.Relay, announced(2, 1, `{}`)) || h.Echoes != 2 {
		t.Errorf("%+v", h)
	}
}

func TestNobodySetsSpoofsOrRemovesAnothersState(t *testing.T) {
	a := NewAwareness(AwarenessLimits{})
	heard(t, a, start, ann, announced(1, 5, `{"name":"ann"}`))
	before := a.Encode()
	for _, update := range [][]byte{
		announced(1, 6, `{"name":"bob"}`),
		announced(1, 1<<40, `{"name":"bob"}`),
		announced(1, 5, `null`), // a laptop that wakes takes everybody for gone
		announced(1, 6, `null`),
	} {
		if h := heard(t, a, start, bob, update); h.Relay != nil || h.Foreign != 1 {
			t.Errorf("%q: %+v", update, h)
		}
		if !bytes.Equal(a.Encode(), before) {
			t.Fatalf("%q has changed it to %q", update, a.Encode())
		}
	}
	if left := a.Leave(start, 2); left != nil {
		t.Errorf("when bob leaves, %q goes", left)
	}
	if h := heard(t, a, start, ann, announced(1, 6, `{"name":"Ann"}`)); h.Relay == nil {
		t.Error("its owner is not heard any more")
	}
}

func TestLeavingRemovesAtOnceAndEchoesDoNotBringBack(t *testing.T) {
	a := NewAwareness(AwarenessLimits{})
	heard(t, a, start, ann, announced(1, 5, `{}`, 2, 3, `{}`))
	heard(t, a, start, bob, announced(3, 3, `{}`))
	if got, want := a.Leave(start, 1), announced(1, 5, `null`, 2, 3, `null`); !bytes.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := a.Leave(start, 1); got != nil {
		t.Errorf("leaving twice says %q", got)
	}
	if h := heard(t, a, start, bob, announced(1, 5, `{}`)); h.Relay != nil {
		t.Error("an echo brings back who has left")
	}
	if h := heard(t, a, start, bob, announced(1, 5, `null`)); h.Relay != nil || h.Foreign != 0 {
		t.Errorf("the echo of leaving: %+v", h)
	}
	if a.Here() != 1 {
		t.Errorf("%d are here", a.Here())
	}
	if h := heard(t, a, start, ann, announced(1, 6, `{}`)); h.Relay == nil {
		t.Error("who comes back is not heard")
	}
}

func TestStatesExpireUnlessRenewed(t *testing.T) {
	a := NewAwareness(AwarenessLimits{TTL: 30 * time.Second})
	heard(t, a, start, ann, announced(1, 5, `{}`))
	heard(t, a, start, bob, announced(2, 5, `{}`))
	later := start.Add(20 * time.Second)
	heard(t, a, later, ann, announced(1, 5, `{}`)) // its own echo is a sign of life
	heard(t, a, later, ann, announced(2, 5, `{}`)) // that of another is not
	if at, ok := a.Deadline(); !ok || !at.Equal(start.Add(30*time.Second)) {
		t.Errorf("deadline %v, %v", at, ok)
	}
	if got := a.Expire(start.Add(29 * time.Second)); got != nil {
		t.Errorf("too early: %q", got)
	}
	if got, want := a.Expire(start.Add(30*time.Second)), announced(2, 5, `null`); !bytes.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := a.Expire(start.Add(50*time.Second)), announced(1, 5, `null`); !bytes.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := a.Expire(start.Add(3 * time.Minute)); got != nil || len(a.entries) != 0 {
		t.Errorf("%q, and %d are remembered", got, len(a.entries))
	}
	if _, ok := a.Deadline(); ok {
		t.Error("a deadline with nobody there")
	}
}

func TestShortBreakIsNotSeen(t *testing.T) {
	a := NewAwareness(AwarenessLimits{})
	heard(t, a, start, ann, announced(1, 5, `{}`))
	a.Lose(1, start.Add(3*time.Second))
	if h := heard(t, a, start.Add(2*time.Second), ann, announced(1, 5, `{}`)); h.Relay != nil {
		t.Error("a renewed state is relayed")
	}
	if got := a.Expire(start.Add(4 * time.Second)); got != nil {
		t.Errorf("%q although it is back", got)
	}
	a.Lose(1, start.Add(7*time.Second))
	if got := a.Expire(start.Add(7 * time.Second)); !bytes.Equal(got, announced(1, 5, `null`)) {
		t.Errorf("%q", got)
	}
	if h := heard(t, a, start.Add(8*time.Second), bob, announced(1, 9, `{}`)); h.Foreign != 1 {
		t.Errorf("another takes the client id of one who is only away: %+v", h)
	}
	if h := heard(t, a, start.Add(9*time.Second), ann, announced(1, 5, `{}`)); h.Relay == nil {
		t.Error("who comes back with the same clock is not heard")
	}
}

func TestNewConnectionOutlivesTheOldOne(t *testing.T) {
	a := NewAwareness(AwarenessLimits{})
	for via := range uint64(2) {
		if _, err := a.Apply(start, Speaker{ann, 10 + via}, announced(1, 5, `{}`)); err != nil {
			t.Fatal(err)
		}
	}
	if left := a.Leave(start, 10); left != nil || a.Here() != 1 {
		t.Errorf("the end of the old connection says %q", left)
	}
	if left := a.Leave(start, 11); !bytes.Equal(left, announced(1, 5, `null`)) {
		t.Errorf("the end of the new one says %q", left)
	}
}

func TestWhoComesBackAsBeforeIsToldThatItIsGone(t *testing.T) {
	a := NewAwareness(AwarenessLimits{PerOwner: 1})
	heard(t, a, start, ann, announced(1, 5, `{}`))
	a.Leave(start, 1)
	back := announced(1, 5, `{}`)
	h := heard(t, a, start, ann, announced(1, 5, `{}`, 1, 5, `{}`, 1, 4, `{}`))
	if want := announced(1, 5, `null`); h.Relay != nil || !bytes.Equal(h.Reply, want) {
		t.Fatalf("%+v, want the reply %q", h, want)
	}
	for what, update := range map[string][]byte{
		"an answer to the answer": announced(1, 5, `null`), "one that is older": announced(1, 4, `{}`),
	} {
		if h := heard(t, a, start, bob, update); h.Reply != nil {
			t.Errorf("%s gets %q", what, h.Reply)
		}
	}
	if h := heard(t, a, start, ann, announced(1, 5, `{}`, 1, 6, `{}`)); h.Reply != nil || h.Relay == nil {
		t.Errorf("it is back in the same update, and: %+v", h)
	}
	if h := heard(t, a, start, ann, back); h.Reply != nil || h.Relay != nil {
		t.Errorf("it is here, and: %+v", h)
	}
	// A ghost that is forgotten for a claim in the same update.
	full := NewAwareness(AwarenessLimits{Clients: 1})
	heard(t, full, start, ann, announced(1, 5, `{}`))
	full.Leave(start, 1)
	if h := heard(t, full, start, ann, announced(1, 5, `{}`)); h.Reply == nil {
		t.Fatalf("%+v", h)
	}
	if h := heard(t, full, start, bob, announced(2, 1, `{}`)); h.Relay == nil || h.Reply != nil {
		t.Errorf("%+v", h)
	}
}

func TestMalformedAwarenessIsNamedAndChangesNothing(t *testing.T) {
	deep := strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1)
	for _, c := range []struct {
		update []byte
		fault  Fault
	}{
		{nil, Truncated},
		{[]byte{100, 1, 1, 0}, BadCount},
		{[]byte{1, 1, 1, 9}, Truncated},
		{announced(2, 1, `{}`)[:5], Truncated},
		{append(announced(2, 1, `{}`), 0), Trailing},
		{announced(2, 1, ``), BadJSON},
		{announced(2, 1, `{"cursor":`), BadJSON},
		{announced(2, 1, "\"\xff\""), BadText},
		{announced(2, 1, deep), TooDeep},
		{announced(2, 1, `{}`, 3, 1, `{`), BadJSON},
		{announced(1, 6, `{`), BadJSON},
	} {
		a := NewAwareness(AwarenessLimits{})
		heard(t, a, start, ann, announced(1, 5, `{}`))
		before := a.Encode()
		var malformed *MalformedError
		if _, err := a.Apply(start, over(ann), c.update); !errors.As(err, &malformed) || malformed.Fault != c.fault {
			t.Errorf("%q: %v, want %s", c.update, err, c.fault)
		}
		if !bytes.Equal(a.Encode(), before) {
			t.Errorf("%q has changed it", c.update)
		}
	}
}

func TestAwarenessStaysWithinItsLimits(t *testing.T) {
	a := NewAwareness(AwarenessLimits{StateBytes: 100, PerOwner: 2, Clients: 10})
	var limit *LimitError
	if _, err := a.Apply(start, over(ann), announced(1, 1, `"`+strings.Repeat("x", 100)+`"`)); !errors.As(err, &limit) {
		t.Errorf("%v", err)
	}
	h := heard(t, a, start, ann, announced(1, 1, `{}`, 2, 1, `{}`, 3, 1, `{}`))
	if h.Excess != 1 || !bytes.Equal(h.Relay, announced(1, 1, `{}`, 2, 1, `{}`)) {
		t.Errorf("%+v", h)
	}
	// One owner who comes and goes under ever new ids takes no room from others.
	for id := 10; id < 1000; id++ {
		heard(t, a, start, bob, announced(id, 1, `{}`))
		heard(t, a, start, bob, announced(id, 2, `null`))
	}
	if n := len(a.entries); n > 2+4 {
		t.Errorf("%d entries", n)
	}
	for id := 2000; id < 2100; id++ {
		owner := Owner(fmt.Sprint("guest", id))
		if h := heard(t, a, start, owner, announced(id, 1, `{}`)); h.Relay == nil {
			t.Fatalf("guest %d is not heard: %+v", id, h)
		}
		a.Leave(start, 3)
	}
	if n := len(a.entries); n > 10 {
		t.Errorf("%d entries", n)
	}
}

// owners is a naive model: who may say what about which client id, if nothing is ever forgotten and nobody leaves.
type owners map[int]struct {
	owner Owner
	clock int
	state string
}

func TestRandomAnnouncementsAgreeWithANaiveModel(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 5))
		a := NewAwareness(AwarenessLimits{PerOwner: 100})
		model := owners{}
		for range 200 {
			from := []Owner{ann, bob, "cleo"}[r.IntN(3)]
			id, clock, state := r.IntN(5), r.IntN(20), []string{`{}`, `{"x":1}`, `null`}[r.IntN(3)]
			known, ok := model[id]
			relay := state != `null` // of a new id
			if ok {
				relay = known.owner == from && (clock > known.clock || clock == known.clock && (state == `null`) != (known.state == `null`))
			}
			h := heard(t, a, start, from, announced(id, clock, state))
			if (h.Relay != nil) != relay {
				t.Fatalf("seed %d: %s says %d %d %s with %+v known: relayed %v", seed, from, id, clock, state, known, h.Relay != nil)
			}
			if relay {
				model[id] = struct {
					owner Owner
					clock int
					state string
				}{from, clock, state}
			}
		}
		here := 0
		for _, e := range model {
			if e.state != `null` {
				here++
			}
		}
		if a.Here() != here {
			t.Fatalf("seed %d: %d are here, want %d", seed, a.Here(), here)
		}
	}
}
