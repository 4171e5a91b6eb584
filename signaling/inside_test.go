package signaling

import (
	"testing"
	"time"

	"github.com/turnout-rtc/turnout/sfu"
	"github.com/turnout-rtc/turnout/signaling/auth"
	"github.com/turnout-rtc/turnout/signaling/protocol"
	"github.com/turnout-rtc/turnout/signaling/room"
)

const connectTimeout = 20 * time.Second

// joinByHTTP takes somebody without a WebSocket into a room whose loop does not run.
func joinByHTTP(t *testing.T, l *loop, identity string) (*member, error) {
	t.Helper()
	outcome := make(chan error, 1)
	live := newSession(l.srv.cfg.session(), 0, time.Now())
	l.srv.sessions.Reserve()
	enter{token: auth.Token{Identity: identity, Grants: auth.DefaultGrants()}, session: live, outcome: outcome, connect: connectTimeout}.handle(l)
	return l.members[live.sid], <-outcome
}

func TestWithoutAWebSocketThereIsTheMediaConnection(t *testing.T) {
	now := time.Now()
	failed, connected := sfu.StateChanged{State: sfu.StateFailed}, sfu.StateChanged{State: sfu.StateConnected}
	for name, c := range map[string]struct {
		happens func(l *loop, obs *member)
		left    protocol.Reason // "": is still there
	}{
		"not connected yet":   {func(l *loop, _ *member) { l.sweep(now.Add(connectTimeout / 2)) }, ""},
		"never connected":     {func(l *loop, _ *member) { l.sweep(now.Add(connectTimeout + time.Second)) }, protocol.ConnectionLost},
		"connected long ago":  {func(l *loop, obs *member) { l.tell(obs, connected); l.sweep(now.Add(time.Hour)) }, ""},
		"failed":              {func(l *loop, obs *member) { l.tell(obs, failed); l.sweep(now.Add(restartPatience / 2)) }, ""},
		"failed for too long": {func(l *loop, obs *member) { l.tell(obs, failed); l.sweep(now.Add(restartPatience + time.Second)) }, protocol.ConnectionLost},
		"failed and restarted": {func(l *loop, obs *member) {
			l.tell(obs, failed)
			l.tell(obs, connected)
			l.sweep(now.Add(time.Hour))
		}, ""},
		"closed by the client": {func(l *loop, obs *member) { l.tell(obs, sfu.StateChanged{State: sfu.StateClosed}) }, protocol.Left},
		"beyond repair": {func(l *loop, obs *member) {
			l.tell(obs, sfu.Refused{Rev: 1, Err: &sfu.Error{Code: sfu.ErrFailed}, Fatal: true})
		}, protocol.ConnectionLost},
	} {
		t.Run(name, func(t *testing.T) {
			l, join := still(t)
			ada := join("ada")
			obs, err := joinByHTTP(t, l, "obs")
			if err != nil {
				t.Fatal(err)
			}
			said(t, ada)
			c.happens(l, obs)
			var left protocol.Reason
			for _, m := range said(t, ada) {
				if m, ok := m.(protocol.ParticipantLeft); ok {
					left = m.Reason
				}
			}
			if left != c.left || (l.members[obs.session.sid] == nil) != (c.left != "") {
				t.Errorf("left as %q, not %q", left, c.left)
			}
		})
	}
}

func TestAnIdentityIsFreeAgainWhenItsMediaIsSilent(t *testing.T) {
	l, _ := still(t)
	l.state = room.New(room.Config{MaxParticipants: 2, MaxPublications: 2, Duplicate: room.Reject})
	obs, err := joinByHTTP(t, l, "obs")
	if err != nil {
		t.Fatal(err)
	}
	again := func() error {
		_, err := joinByHTTP(t, l, "obs")
		return err
	}
	l.tell(obs, sfu.StateChanged{State: sfu.StateConnected})
	if again() == nil {
		t.Error("a second one while the first one sends")
	}
	l.tell(obs, sfu.StateChanged{State: sfu.StateDisconnected})
	l.tell(obs, sfu.StateChanged{State: sfu.StateConnected})
	if again() == nil {
		t.Error("a second one while the first one sends again")
	}
	l.tell(obs, sfu.StateChanged{State: sfu.StateDisconnected})
	if err := again(); err != nil {
		t.Errorf("the first one is silent: %v", err)
	}
}
