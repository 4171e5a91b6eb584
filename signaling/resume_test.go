package signaling_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/turnout-rtc/turnout/signaling"
	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// cut ends the TCP connection without a goodbye and waits until everything that arrived was read.
func (c *client) cut() {
	c.t.Helper()
	_ = c.ws.NetConn().Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.err == nil {
		c.cond.Wait()
	}
}

// resume goes on with old's session on a new WebSocket, from the last number that old received.
func (h *house) resume(old *client, n uint64) *client {
	h.t.Helper()
	c := h.dial(nil)
	c.id, c.self, c.base = old.id, old.self, n
	c.ask(protocol.Resume{Protocol: 1, Session: old.self.Session.ID, Secret: old.self.Session.Secret, N: n})
	return c
}

func (c *client) last() uint64 {
	all := c.numbers()
	if len(all) == 0 {
		return c.base
	}
	return all[len(all)-1]
}

func (c *client) rename(name string) uint64 {
	c.t.Helper()
	return c.ask(protocol.Update{Name: &name})
}

func TestAResumeLosesNothingAndNobodySeesALeave(t *testing.T) {
	h := open(t)
	ada, bob := h.join(token(t, "ada")), h.join(token(t, "bob"))
	bob.rename("bob 0")
	await[protocol.ParticipantUpdated](bob)
	bob.cut()
	for i := range 5 { // said while bob is away
		ada.rename(fmt.Sprint("ada ", i))
		await[protocol.OK](ada)
	}
	n := bob.last()
	again := h.resume(bob, n)
	resumed, r := await[protocol.Resumed](again)
	if resumed.ID != 2 || r.Re != again.id || r.N != 0 {
		t.Errorf("resumed %+v, %+v", resumed, r)
	}
	for i := range 5 {
		u, r := await[protocol.ParticipantUpdated](again)
		if n++; u.Participant.Name != fmt.Sprint("ada ", i) || r.N != n {
			t.Errorf("message %d is %+v with number %d", n, u, r.N)
		}
	}
	again.rename("bob 1")
	await[protocol.OK](again)
	for name := ""; name != "bob 1"; {
		u, _ := await[protocol.ParticipantUpdated](ada)
		name = u.Participant.Name
	}
	ada.mu.Lock()
	defer ada.mu.Unlock()
	for _, r := range ada.got {
		switch r.Message.(type) {
		case protocol.ParticipantLeft:
			t.Errorf("ada saw %+v", r.Message)
		case protocol.ParticipantJoined:
			if r.N != 2 {
				t.Errorf("ada saw bob join again: %+v", r)
			}
		}
	}
	if s := h.server.Stats(); s.Resumes != 1 || s.Sessions != 2 || s.Joins != 2 {
		t.Errorf("%+v", s)
	}
}

func TestWhatWasReceivedButNotAcknowledgedIsReplayedExactly(t *testing.T) {
	h := open(t)
	ada, bob := h.join(token(t, "ada")), h.join(token(t, "bob"))
	for i := range 4 {
		ada.rename(fmt.Sprint("ada ", i))
		await[protocol.ParticipantUpdated](bob)
	}
	bob.cut()
	again := h.resume(bob, 1)
	for range 4 {
		await[protocol.ParticipantUpdated](again)
	}
	if got := again.got[1:]; !reflect.DeepEqual(got, bob.got[1:]) {
		t.Errorf("replayed\n%+v, was\n%+v", got, bob.got[1:])
	}
}

func TestARequestThatIsSentAgainIsCarriedOutOnce(t *testing.T) {
	h := open(t)
	bob := h.join(token(t, "bob"))
	id := bob.rename("one")
	await[protocol.OK](bob)
	name := "two"
	bob.write(id, protocol.Update{Name: &name})
	bob.rename("three")
	await[protocol.OK](bob)
	if u, _ := await[protocol.ParticipantUpdated](bob); u.Participant.Name != "three" {
		t.Errorf("renamed to %s", u.Participant.Name)
	}
}

func TestAcknowledgedMessagesAreForgotten(t *testing.T) {
	h := open(t)
	bob := h.join(token(t, "bob"))
	for i := range 3 {
		bob.rename(fmt.Sprint(i))
		await[protocol.ParticipantUpdated](bob)
	}
	bob.write(0, protocol.Ping{N: bob.last()})
	await[protocol.Pong](bob)
	bob.cut()
	c := h.resume(bob, 1)
	c.wantError(c.id, protocol.SessionGone)
}

func TestAResumeThatIsRefusedMayBeFollowedByAJoin(t *testing.T) {
	h := open(t)
	bob := h.join(token(t, "bob"))
	for name, spoil := range map[string]func(*protocol.Resume){
		"wrong secret": func(r *protocol.Resume) { r.Secret += "x" },
		"no such":      func(r *protocol.Resume) { r.Session = "SE_none" },
		"empty secret": func(r *protocol.Resume) { r.Secret = "" },
		"another's":    func(r *protocol.Resume) { r.Session, r.Secret = r.Secret, r.Session },
	} {
		t.Run(name, func(t *testing.T) {
			c := h.dial(nil)
			r := protocol.Resume{Protocol: 1, Session: bob.self.Session.ID, Secret: bob.self.Session.Secret, N: 1}
			spoil(&r)
			c.wantError(c.ask(r), protocol.SessionGone)
			c.enter(token(t, "guest"))
			c.ask(protocol.Leave{})
			c.wantClose(protocol.CloseNormal)
		})
	}
	bob.rename("still here")
	await[protocol.OK](bob)
}

func TestASessionThatCannotGoOnMakesWayForAJoin(t *testing.T) {
	h := open(t, func(c *signaling.Config) { c.Duplicate = "reject" })
	ada, bob := h.join(token(t, "ada")), h.join(token(t, "bob"))
	c := h.dial(nil) // the old WebSocket seems alive
	c.wantError(c.ask(protocol.Resume{Protocol: 1, Session: bob.self.Session.ID, Secret: bob.self.Session.Secret, N: 1000}), protocol.SessionGone)
	bob.wantClose(protocol.CloseMoved)
	if l, _ := await[protocol.ParticipantLeft](ada); l.Reason != protocol.ConnectionLost {
		t.Errorf("ada was told %+v", l)
	}
	c.enter(token(t, "bob"))
}

func TestTwoRefusedResumesAreEnough(t *testing.T) {
	h := open(t)
	c := h.dial(nil)
	for range 2 {
		c.ask(protocol.Resume{Protocol: 1, Session: "SE_none", Secret: "x", N: 1})
	}
	c.wantError(1, protocol.SessionGone)
	c.wantError(2, protocol.Malformed)
	c.wantClose(protocol.CloseProtocol)
}

func TestAfterTheGraceTheParticipantIsGone(t *testing.T) {
	h := open(t, func(c *signaling.Config) { c.Grace = 200 * time.Millisecond })
	ada, bob := h.join(token(t, "ada")), h.join(token(t, "bob"))
	bob.cut()
	if l, _ := await[protocol.ParticipantLeft](ada); l.Identity != "bob" || l.Reason != protocol.ConnectionLost {
		t.Errorf("ada was told %+v", l)
	}
	c := h.resume(bob, bob.last())
	c.wantError(c.id, protocol.SessionGone)
	if s := h.server.Stats(); s.Participants != 1 || s.Sessions != 1 {
		t.Errorf("%+v", s)
	}
}

func TestAResumeEndsTheGrace(t *testing.T) {
	h := open(t, func(c *signaling.Config) { c.Grace = 300 * time.Millisecond })
	ada, bob := h.join(token(t, "ada")), h.join(token(t, "bob"))
	for range 3 {
		bob.cut()
		bob = h.resume(bob, bob.last())
		await[protocol.Resumed](bob)
	}
	// Whoever comes and goes after this outlives the grace of bob's last loss.
	eve := h.join(token(t, "eve"))
	eve.cut()
	if l, _ := await[protocol.ParticipantLeft](ada); l.Identity != "eve" {
		t.Errorf("ada was told %+v", l)
	}
}

func TestAResumeOnASecondWebSocketMovesTheSession(t *testing.T) {
	h := open(t)
	ada, bob := h.join(token(t, "ada")), h.join(token(t, "bob"))
	again := h.resume(bob, bob.last())
	await[protocol.Resumed](again)
	bob.wantClose(protocol.CloseMoved)
	ada.rename("ada 1")
	await[protocol.ParticipantUpdated](again)
	again.rename("bob 1")
	await[protocol.OK](again)
	for _, r := range bob.got[1:] {
		t.Errorf("the old WebSocket still heard %+v", r)
	}
}

func TestADetachedSessionIsReplacedEvenByPolicyReject(t *testing.T) {
	h := open(t, func(c *signaling.Config) { c.Duplicate = "reject" })
	ada, bob := h.join(token(t, "ada")), h.join(token(t, "bob"))
	c := h.dial(nil)
	id := c.ask(protocol.Join{Protocol: 1, Token: token(t, "bob"), Client: protocol.Client{}})
	if e := c.wantError(id, protocol.IdentityTaken); !e.Retryable {
		t.Error("it may work later")
	}
	c.wantClose(protocol.CloseTryLater)
	bob.cut()
	bob = h.resume(bob, bob.last())
	await[protocol.Resumed](bob)
	c = h.dial(nil)
	c.wantError(c.ask(protocol.Join{Protocol: 1, Token: token(t, "bob"), Client: protocol.Client{}}), protocol.IdentityTaken)
	bob.cut()
	eventually(t, "bob can come back", func() bool {
		c := h.dial(nil)
		c.ask(protocol.Join{Protocol: 1, Token: token(t, "bob"), Client: protocol.Client{}})
		_, _, ok := next[protocol.Joined](c)
		return ok
	})
	if l, _ := await[protocol.ParticipantLeft](ada); l.Reason != protocol.DuplicateIdentity || l.SID != bob.self.Self.SID {
		t.Errorf("ada was told %+v", l)
	}
}

func TestASecondJoinReplacesTheFirst(t *testing.T) {
	h := open(t)
	ada, bob := h.join(token(t, "ada")), h.join(token(t, "bob"))
	again := h.join(token(t, "bob"))
	if d, _ := await[protocol.Disconnect](bob); d.Reason != protocol.DuplicateIdentity {
		t.Errorf("bob was told %+v", d)
	}
	bob.wantClose(protocol.CloseDuplicate)
	c := h.resume(bob, bob.last())
	c.wantError(c.id, protocol.SessionGone)
	await[protocol.ParticipantJoined](ada)
	if l, _ := await[protocol.ParticipantLeft](ada); l.Reason != protocol.DuplicateIdentity {
		t.Errorf("ada was told %+v", l)
	}
	if j, _ := await[protocol.ParticipantJoined](ada); j.Participant.SID != again.self.Self.SID {
		t.Errorf("ada was told %+v", j)
	}
}

func TestHeartbeatsKeepAQuietConnection(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *signaling.Config) { c.Heartbeat, c.Timeout = 20*time.Millisecond, time.Second })
	bob := h.join(token(t, "bob"))
	eventually(t, "pings for two timeouts", func() bool { return bob.pings.Load() > 100 })
	bob.rename("still here")
	await[protocol.OK](bob)
}
