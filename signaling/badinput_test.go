package signaling_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/turnout-rtc/turnout/signaling"
	"github.com/turnout-rtc/turnout/signaling/auth"
	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// undisturbed has two participants talk in the room called "room" while disturb does its worst, and fails if one message
// between them is missing, late for ever, or out of order.
func (h *house) undisturbed(disturb func()) {
	h.t.Helper()
	speaker, witness := h.join(token(h.t, "speaker")), h.join(token(h.t, "witness"))
	begun, stop, done := make(chan struct{}), make(chan struct{}), make(chan int)
	go func() {
		said := 0
		defer func() { done <- said }()
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
			said++
			speaker.rename(fmt.Sprint("word ", said))
			if _, _, ok := next[protocol.OK](speaker); !ok {
				return
			}
			if said == 1 {
				close(begun)
			}
		}
	}()
	<-begun
	disturb()
	close(stop)
	said := <-done
	for i := 1; i <= said; {
		u, _ := await[protocol.ParticipantUpdated](witness)
		if u.Participant.Identity != "speaker" {
			continue
		}
		if u.Participant.Name != fmt.Sprint("word ", i) {
			h.t.Fatalf("the witness heard %q instead of word %d", u.Participant.Name, i)
		}
		i++
	}
	for i, n := range witness.numbers() {
		if n != uint64(i+1) {
			h.t.Fatalf("message %d of the witness has number %d", i+1, n)
		}
	}
}

func fastTalk(c *signaling.Config) { c.Rate, c.Burst = 100000, 100000 }

func TestUnreadableMessagesAreRefusedAndTheSessionGoesOn(t *testing.T) {
	h := open(t)
	h.undisturbed(func() {
		bob := h.join(token(t, "bob"))
		for _, c := range []struct {
			frame string
			re    uint64
			code  protocol.Code
		}{
			{`{`, 0, protocol.Malformed},
			{`[1,2]`, 0, protocol.Malformed},
			{`{"t":"mute","id":2,"d":{"id":"a"}}`, 2, protocol.Malformed},
			{`{"t":"dance","id":3}`, 3, protocol.UnknownType},
			{`{"t":"ready","d":{"rev":"x"}}`, 0, protocol.Malformed},
			{`{"t":"join","id":4,"d":{"protocol":1,"client":{"name":"","version":""}}}`, 4, protocol.Malformed},
			{"\"\xff\xfe\"", 0, protocol.Malformed},
			{strings.Repeat(`{"d":`, 5000), 0, protocol.Malformed},
		} {
			bob.raw(websocket.TextMessage, c.frame)
			if e := bob.wantError(c.re, c.code); e.Retryable {
				t.Errorf("%s: the same will not succeed later", c.frame)
			}
		}
		bob.id = 4
		bob.rename("still here")
		await[protocol.OK](bob)
	})
	if s := h.server.Stats(); s.Errors["protocol.malformed"] != 7 || s.Errors["protocol.unknownType"] != 1 {
		t.Errorf("counted %v", s.Errors)
	}
}

func TestABinaryMessageBeforeJoinIsClosedWith1003(t *testing.T) {
	h := open(t)
	h.undisturbed(func() {
		c := h.dial(nil)
		c.raw(websocket.BinaryMessage, "\x00\x01\x02garbage")
		c.wantClose(protocol.CloseBinary)
	})
	eventually(t, "it is counted", func() bool { return h.server.Stats().Closed["1003"] == 1 })
}

func TestAMessageTooBigIsClosedWith1009(t *testing.T) {
	h := open(t)
	h.undisturbed(func() {
		bob := h.join(token(t, "bob"))
		big := `{"t":"update","id":2,"d":{"name":"` + strings.Repeat("x", 10<<20) + `"}}`
		if err := bob.ws.WriteMessage(websocket.TextMessage, []byte(big)); err != nil {
			t.Logf("writing 10 MB: %v", err) // the server may have hung up on us before the last byte
		}
		bob.wantClose(protocol.CloseTooBig)
		again := h.resume(bob, bob.last()) // the session is not lost by it
		await[protocol.Resumed](again)
	})
	eventually(t, "it is counted", func() bool { return h.server.Stats().Closed["1009"] == 1 })
}

func TestAFloodIsRefusedAndThenClosedWith4006(t *testing.T) {
	h := open(t)
	h.undisturbed(func() {
		bob := h.join(token(t, "bob"))
		for range 2000 {
			frame := `{"t":"ping","d":{"n":0}}`
			if bob.ws.WriteMessage(websocket.TextMessage, []byte(frame)) != nil {
				break
			}
		}
		if e, _ := await[*protocol.Error](bob); e.Code != protocol.RateLimited || !e.Retryable {
			t.Errorf("got %+v", e)
		}
		if d, _ := await[protocol.Disconnect](bob); d.Reason != protocol.Flood {
			t.Errorf("got %+v", d)
		}
		bob.wantClose(protocol.CloseFlood)
		again := h.resume(bob, bob.last())
		again.wantError(again.id, protocol.SessionGone)
	})
	if n := h.server.Stats().Errors["rate.limited"]; n < 90 || n > 100 {
		t.Errorf("%d messages were refused before the flood was ended", n)
	}
}

func TestUnreadableMessagesBecomeAFloodSooner(t *testing.T) {
	h := open(t)
	h.undisturbed(func() {
		bob := h.join(token(t, "bob"))
		for range 500 {
			if bob.ws.WriteMessage(websocket.TextMessage, []byte(`]`)) != nil {
				break
			}
		}
		bob.wantClose(protocol.CloseFlood)
	})
	if n := h.server.Stats().Errors["protocol.malformed"]; n < 15 || n > 40 {
		t.Errorf("%d were answered at 10 messages each, of a burst of 200", n)
	}
}

func TestWhoDoesNotJoinIsClosed(t *testing.T) {
	h := open(t, func(c *signaling.Config) { c.JoinTimeout = 100 * time.Millisecond })
	h.undisturbed(func() {
		mute := h.dial(nil)
		mute.wantError(0, protocol.JoinTimeout)
		mute.wantClose(protocol.CloseProtocol)

		early := h.dial(nil)
		id := early.ask(protocol.Mute{ID: "a", Muted: true})
		early.wantError(id, protocol.Malformed)
		early.wantClose(protocol.CloseProtocol)

		garbage := h.dial(nil)
		garbage.raw(websocket.TextMessage, `{"t":`)
		garbage.wantError(0, protocol.Malformed)
		garbage.wantClose(protocol.CloseProtocol)

		modern := h.dial(nil)
		modern.raw(websocket.TextMessage, `{"t":"join","id":1,"d":{"protocol":2}}`)
		modern.wantError(1, protocol.Unsupported)
		modern.wantClose(protocol.CloseUnsupported)
	})
	eventually(t, "they are counted", func() bool {
		s := h.server.Stats()
		return s.Closed["4000"] == 3 && s.Refused["protocol.joinTimeout"] == 1
	})
}

func TestBadTokensAreRefused(t *testing.T) {
	h := open(t)
	expired := token(t, "bob", func(x *auth.Token) { x.Expires = time.Now().Add(-time.Minute) })
	forged, err := auth.Mint("dev", strings.Repeat("x", 32), auth.Token{Identity: "bob", Room: "room", Expires: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	h.undisturbed(func() {
		for _, c := range []struct {
			name, token string
			code        protocol.Code
		}{{"missing", "", protocol.AuthMissing}, {"garbage", "garbage", protocol.AuthInvalid}, {"expired", expired, protocol.AuthExpired}, {"forged", forged, protocol.AuthInvalid}} {
			t.Run(c.name, func(t *testing.T) {
				inJoin := h.dial(nil)
				id := inJoin.ask(protocol.Join{Protocol: 1, Token: c.token})
				inJoin.wantError(id, c.code)
				inJoin.wantClose(protocol.CloseAuth)
				if c.token == "" {
					return
				}
				withRequest := h.dial(http.Header{"Authorization": {"Bearer " + c.token}})
				withRequest.wantError(0, c.code)
				withRequest.wantClose(protocol.CloseAuth)
			})
		}
	})
	if s := h.server.Stats(); s.Refused["auth.expired"] != 2 || s.Refused["auth.missing"] != 1 || s.Joins != 2 {
		t.Errorf("counted %v, %d joins", s.Refused, s.Joins)
	}
}

func TestATokenInJoinWinsOverOneInTheRequest(t *testing.T) {
	h := open(t)
	c := h.dial(http.Header{"Authorization": {"Bearer " + token(t, "request")}})
	c.enter(token(t, "join"))
	if c.self.Self.Identity != "join" {
		t.Errorf("joined as %s", c.self.Self.Identity)
	}
}

func TestFullRoomsAndServersSayTryLater(t *testing.T) {
	h := open(t, func(c *signaling.Config) { c.MaxParticipants, c.MaxSessions = 2, 3 })
	h.join(token(t, "ada"))
	h.join(token(t, "bob"))
	third := h.dial(nil)
	third.wantError(third.ask(protocol.Join{Protocol: 1, Token: token(t, "eve")}), protocol.RoomFull)
	third.wantClose(protocol.CloseTryLater)
	elsewhere := func(x *auth.Token) { x.Room = "elsewhere" }
	h.join(token(t, "eve", elsewhere))
	fourth := h.dial(nil)
	fourth.wantError(fourth.ask(protocol.Join{Protocol: 1, Token: token(t, "mallory", elsewhere)}), protocol.ServerFull)
	fourth.wantClose(protocol.CloseTryLater)
	if s := h.server.Stats(); s.Refused["room.full"] != 1 || s.Refused["server.full"] != 1 || s.Rooms != 2 {
		t.Errorf("counted %+v", s)
	}
}
