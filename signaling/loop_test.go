package signaling

import (
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/turnout-rtc/turnout/sfu"
	"github.com/turnout-rtc/turnout/signaling/auth"
	"github.com/turnout-rtc/turnout/signaling/protocol"
	"github.com/turnout-rtc/turnout/signaling/room"
	"github.com/turnout-rtc/turnout/turn"
)

// still is a room whose loop does not run: the test tells it what happens, and when.
func still(t testing.TB) (*loop, func(identity string) *member) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	media, err := sfu.New(sfu.Config{UDP: "127.0.0.1:0", TCP: ""}, log)
	if err != nil {
		t.Fatal(err)
	}
	relay, err := turn.New(turn.Config{Enabled: true, UDP: "127.0.0.1:0", TCP: "", Secret: strings.Repeat("s", 32), TTL: time.Hour}, []netip.AddrPort{}, log)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{Keys: map[string]string{"dev": strings.Repeat("k", 32)}}, Planes{Media: media, TURN: relay}, "test", log)
	if err != nil {
		t.Fatal(err)
	}
	l := newLoop(s, "room")
	t.Cleanup(func() {
		l.discard()
		s.Close()
		if err := relay.Close(); err != nil {
			t.Error(err)
		}
		if err := media.Close(); err != nil {
			t.Error(err)
		}
	})
	return l, func(identity string) *member {
		t.Helper()
		outcome := make(chan error, 1)
		live := newSession(s.cfg.session(), 1, time.Now())
		s.sessions.Reserve()
		enter{token: auth.Token{Identity: identity, Grants: auth.DefaultGrants()}, session: live, re: 1, outcome: outcome}.handle(l)
		if err := <-outcome; err != nil {
			t.Fatal(err)
		}
		return l.members[live.sid]
	}
}

// said returns what a member was told since the last time.
func said(t testing.TB, m *member) []protocol.ServerMessage {
	t.Helper()
	var all []protocol.ServerMessage
	for {
		frame, ok := m.session.core.Next(nil)
		if !ok {
			return all
		}
		r, err := protocol.DecodeResponse(frame)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r.Message)
	}
}

func (l *loop) tell(m *member, e sfu.Event) {
	mediaEvent{sid: m.session.sid, number: m.number, event: e}.handle(l)
}

func TestAFailedTransportIsRestartedThenReplaced(t *testing.T) {
	l, join := still(t)
	ada := join("ada")
	said(t, ada)
	now := time.Now()
	l.tell(ada, sfu.StateChanged{State: sfu.StateFailed})
	if got := said(t, ada); len(got) != 1 || got[0] != (protocol.NeedOffer{Reason: protocol.ICERestart}) {
		t.Fatalf("told %+v", got)
	}
	l.sweep(now.Add(restartPatience / 2))
	if got := said(t, ada); len(got) != 0 {
		t.Fatalf("told %+v too early", got)
	}
	l.sweep(now.Add(restartPatience + time.Second))
	if got := said(t, ada); len(got) != 1 || got[0] != (protocol.NeedOffer{Reason: protocol.NewTransport}) {
		t.Fatalf("told %+v", got)
	}
	l.tell(ada, sfu.StateChanged{State: sfu.StateFailed})
	l.tell(ada, sfu.StateChanged{State: sfu.StateConnected})
	said(t, ada)
	l.sweep(now.Add(time.Minute))
	if got := said(t, ada); len(got) != 0 {
		t.Errorf("told %+v although the restart went well", got)
	}
}

func TestCredentialsAreRenewedBeforeTheyExpire(t *testing.T) {
	l, join := still(t)
	ada := join("ada")
	joined, ok := said(t, ada)[0].(protocol.Joined)
	if !ok || len(joined.ICEServers) < 2 || joined.ICEServers[1].Credential == "" {
		t.Fatalf("joined with %+v", joined.ICEServers)
	}
	if user := joined.ICEServers[1].Username; !strings.Contains(user, ":ada@") {
		t.Errorf("credentials for %q: whoever ends them knows the identity", user)
	}
	now := time.Now()
	l.sweep(now.Add(30 * time.Minute))
	if got := said(t, ada); len(got) != 0 {
		t.Fatalf("told %+v too early", got)
	}
	l.sweep(now.Add(50 * time.Minute))
	if got, ok := said(t, ada)[0].(protocol.ICEServers); !ok || len(got.ICEServers) != len(joined.ICEServers) {
		t.Errorf("told %+v", got)
	}
}

func TestEventsOfAnOldTransportAreForgotten(t *testing.T) {
	l, join := still(t)
	ada := join("ada")
	said(t, ada)
	ada.number = 2
	mediaEvent{sid: ada.session.sid, number: 1, event: sfu.StateChanged{State: sfu.StateFailed}}.handle(l)
	mediaEvent{sid: "PA_gone", number: 1, event: sfu.StateChanged{State: sfu.StateFailed}}.handle(l)
	if got := said(t, ada); len(got) != 0 {
		t.Errorf("told %+v", got)
	}
}

func TestAFatalRefusalAsksForANewTransport(t *testing.T) {
	l, join := still(t)
	ada := join("ada")
	said(t, ada)
	ada.offers = []waitingOffer{{rev: 1, re: 7}}
	l.tell(ada, sfu.Refused{Rev: 1, Err: &sfu.Error{Code: sfu.ErrFailed, Message: "it broke"}, Fatal: true})
	got := said(t, ada)
	if len(got) != 2 || got[1] != (protocol.NeedOffer{Reason: protocol.NewTransport}) {
		t.Fatalf("told %+v", got)
	}
	if e, ok := got[0].(*protocol.Error); !ok || e.Code != protocol.MediaFailed || !e.Retryable {
		t.Errorf("refused with %+v", got[0])
	}
}

func TestAnOfferOfAReplacedTransportIsStillReplied(t *testing.T) {
	l, join := still(t)
	ada := join("ada")
	sid := ada.session.sid
	request{sid: sid, re: 2, message: protocol.Offer{Transport: 1, Rev: 1, SDP: "x"}}.handle(l)
	request{sid: sid, re: 3, message: protocol.Offer{Transport: 2, Rev: 2, SDP: "x"}}.handle(l)
	got := said(t, ada)
	if e, ok := got[len(got)-1].(*protocol.Error); !ok || e.Code != protocol.MediaFailed || len(ada.offers) != 1 || ada.offers[0].re != 3 {
		t.Errorf("told %+v, waiting %+v", got, ada.offers)
	}
}

func TestASessionThatMissesTooMuchWhileAwayEnds(t *testing.T) {
	l, join := still(t)
	ada, bob := join("ada"), join("bob")
	connection{sid: bob.session.sid}.handle(l)
	if bob.graceUntil.IsZero() {
		t.Fatal("bob has no WebSocket and no end")
	}
	for i := range 2 * l.srv.cfg.QueueMessages {
		l.broadcastTest(i)
		said(t, ada)
	}
	if l.members[bob.session.sid] != nil || l.members[ada.session.sid] == nil || !bob.session.ended {
		t.Errorf("left: %+v", l.members)
	}
}

func (l *loop) broadcastTest(i int) {
	l.carryOut([]room.Effect{room.Broadcast{Message: protocol.Draining{DeadlineMs: int64(i)}}}, nil)
}

func TestIDsAreLongAndOfOneAlphabet(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id := newID("PA_")
		if len(id) != 15 || seen[id] || !protocol.ValidToken32(id) {
			t.Fatalf("%q", id)
		}
		seen[id] = true
	}
}

func TestConfigSaysWhatIsWrong(t *testing.T) {
	good := func() Config { return Config{Keys: map[string]string{"dev": strings.Repeat("k", 32)}} }
	if err := good().Validate(); err != nil {
		t.Fatal(err)
	}
	for want, spoil := range map[string]func(*Config){
		"signaling.keys":          func(c *Config) { c.Keys = nil },
		"at least 32":             func(c *Config) { c.Keys["dev"] = "short" },
		"signaling.origins":       func(c *Config) { c.Origins = []string{"example.com"} },
		"signaling.timeout":       func(c *Config) { c.Heartbeat = 20 * time.Second },
		"signaling.rate":          func(c *Config) { c.Rate = -1 },
		"signaling.duplicate":     func(c *Config) { c.Duplicate = "both" },
		"signaling.message_bytes": func(c *Config) { c.MessageBytes = 10 },
	} {
		c := good()
		spoil(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// BenchmarkBroadcast says one thing to a room of 100, each of whom writes it to a buffer and acknowledges now and then.
func BenchmarkBroadcast(b *testing.B) {
	l, join := still(b)
	for i := range 100 {
		join("p" + strconv.Itoa(i))
	}
	effects := []room.Effect{room.Broadcast{Message: protocol.ParticipantLeft{SID: "PA_1aB2cD3eF4gH", Identity: "ada", Reason: protocol.Left}}}
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; b.Loop(); n++ {
		l.carryOut(effects, nil)
		for _, m := range l.members {
			for ok := true; ok; {
				buf, ok = m.session.core.Next(buf[:0])
			}
			if n%100 == 0 {
				m.session.ack(uint64(n))
			}
		}
	}
}

func TestARoomIsNotGivenUpWhileSomebodyIsAtItsDoor(t *testing.T) {
	l, _ := still(t)
	rooms := &l.srv.rooms
	rooms.byName[l.name] = l
	if rooms.enter(l.name) != l {
		t.Fatal("entered another room")
	}
	if rooms.retire(l) {
		t.Error("the room was given up")
	}
	rooms.entered(l)
	if !rooms.retire(l) || len(rooms.byName) != 0 || len(rooms.entering) != 0 {
		t.Errorf("left over: %v, %v", rooms.byName, rooms.entering)
	}
}

func TestAnEndedSessionKeepsItsWebSocketForTheLastWord(t *testing.T) {
	l, join := still(t)
	live := join("ada").session
	at := &attachment{left: make(chan struct{})}
	live.at = at
	live.ended = true
	if live.detach(at) {
		t.Error("it was detached")
	}
	if _, ok := live.next(at, nil); !ok {
		t.Error("what waits is not sent any more")
	}
	if _, ok := live.attach(&attachment{}, 0); ok {
		t.Error("it got another WebSocket")
	}
	if _, reaches := live.displace(0); reaches {
		t.Error("it could be resumed")
	}
	if l.members[live.sid] == nil {
		t.Error("the room was not asked")
	}
}
