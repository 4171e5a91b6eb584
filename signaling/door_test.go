package signaling_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/turnout-rtc/turnout/signaling"
	"github.com/turnout-rtc/turnout/signaling/auth"
	"github.com/turnout-rtc/turnout/signaling/protocol"
)

func TestATokenIsFoundInEveryWay(t *testing.T) {
	h := open(t)
	as := func(identity string) string { return token(t, identity) }
	for name, c := range map[string]struct {
		query  string
		header http.Header
	}{
		"bearer":       {"", http.Header{"Authorization": {"Bearer " + as("bearer")}}},
		"lower":        {"", http.Header{"Authorization": {"bearer " + as("lower")}}},
		"sub-protocol": {"", http.Header{"Sec-Websocket-Protocol": {"turnout.v1, access_token_" + as("sub-protocol")}}},
		"cookie":       {"", http.Header{"Cookie": {"a=b; turnout_session=" + as("cookie")}}},
		"query":        {"?access_token=" + as("query"), nil},
		"the first counts": {"?access_token=" + as("query"), http.Header{
			"Authorization": {"Bearer " + as("the first counts")}, "Cookie": {"turnout_session=" + as("cookie")},
		}},
		"sub-protocol before cookie": {"?access_token=x", http.Header{
			"Sec-Websocket-Protocol": {"turnout.v1, access_token_" + as("sub-protocol before cookie")}, "Cookie": {"turnout_session=x"},
		}},
		"another scheme is no token": {"", http.Header{"Authorization": {"Basic eDp5"}, "Cookie": {"turnout_session=" + as("another scheme is no token")}}},
	} {
		t.Run(name, func(t *testing.T) {
			ws, response, err := websocket.DefaultDialer.Dial(h.url()+c.query, c.header)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = ws.Close(); _ = response.Body.Close() }()
			if offered := c.header.Get("Sec-Websocket-Protocol"); (offered != "") != (ws.Subprotocol() == protocol.SubProtocol) {
				t.Errorf("offered %q, chosen %q", offered, ws.Subprotocol())
			}
			frame, err := protocol.EncodeRequest(1, protocol.Join{Protocol: 1})
			if err != nil {
				t.Fatal(err)
			}
			if err := ws.WriteMessage(websocket.TextMessage, frame); err != nil {
				t.Fatal(err)
			}
			_ = ws.SetReadDeadline(time.Now().Add(patience))
			_, frame, err = ws.ReadMessage()
			if err != nil {
				t.Fatal(err)
			}
			r, err := protocol.DecodeResponse(frame)
			if err != nil {
				t.Fatal(err)
			}
			if joined, ok := r.Message.(protocol.Joined); !ok || joined.Self.Identity != name {
				t.Errorf("got %s", frame)
			}
		})
	}
}

func TestRequestsThatAreNoWebSocketsAreRefusedInWords(t *testing.T) {
	h := open(t, func(c *signaling.Config) { c.Origins = []string{"https://good.example"} })
	for _, c := range []struct {
		name   string
		header http.Header
		status int // 0: it opens
		code   protocol.Code
	}{
		{"no origin", nil, 0, ""},
		{"own origin", http.Header{"Origin": {h.http.URL}}, 0, ""},
		{"listed origin", http.Header{"Origin": {"https://good.example"}}, 0, ""},
		{"listed with another scheme", http.Header{"Origin": {"http://good.example"}}, http.StatusForbidden, protocol.AuthForbidden},
		{"a stranger", http.Header{"Origin": {"https://evil.example"}}, http.StatusForbidden, protocol.AuthForbidden},
		{"a sandbox", http.Header{"Origin": {"null"}}, http.StatusForbidden, protocol.AuthForbidden},
		{"a longer name", http.Header{"Origin": {h.http.URL + ".evil.example"}}, http.StatusForbidden, protocol.AuthForbidden},
		{"another version", http.Header{"Sec-Websocket-Protocol": {"turnout.v2"}}, http.StatusBadRequest, protocol.Unsupported},
		{"a token alone", http.Header{"Sec-Websocket-Protocol": {"access_token_x"}}, http.StatusBadRequest, protocol.Unsupported},
	} {
		t.Run(c.name, func(t *testing.T) {
			ws, response, err := websocket.DefaultDialer.Dial(h.url(), c.header)
			if err == nil {
				_ = ws.Close()
			}
			if response == nil {
				t.Fatal(err)
			}
			defer func() { _ = response.Body.Close() }()
			if c.status == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var e protocol.Error
			if jsonErr := json.NewDecoder(response.Body).Decode(&e); jsonErr != nil || response.StatusCode != c.status || e.Code != c.code || e.Hint == "" {
				t.Errorf("%d, %+v, %v", response.StatusCode, e, jsonErr)
			}
		})
	}
	plain, err := http.Get(h.http.URL + "/ws")
	if err != nil {
		t.Fatal(err)
	}
	_ = plain.Body.Close()
	if plain.StatusCode != http.StatusBadRequest {
		t.Errorf("a plain GET gets %d", plain.StatusCode)
	}
}

func TestEveryOriginMayConnectIfConfigured(t *testing.T) {
	h := open(t, func(c *signaling.Config) { c.Origins = []string{"*"} })
	h.dial(http.Header{"Origin": {"https://anybody.example"}})
}

func TestASessionCookieIsSetAndRemoved(t *testing.T) {
	h := open(t)
	request := func(method string, header http.Header) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, h.http.URL+"/api/session", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range header {
			r.Header[k] = v
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = response.Body.Close() })
		return response
	}
	expires := time.Now().Add(time.Hour).Truncate(time.Second)
	signed := token(t, "ada", func(x *auth.Token) { x.Expires = expires })
	set := request(http.MethodPost, http.Header{"Authorization": {"Bearer " + signed}})
	if set.StatusCode != http.StatusNoContent || len(set.Cookies()) != 1 {
		t.Fatalf("%d, %v", set.StatusCode, set.Cookies())
	}
	c := set.Cookies()[0]
	if c.Name != "turnout_session" || c.Value != signed || !c.HttpOnly || c.Secure || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || !c.Expires.Equal(expires) {
		t.Errorf("%+v", c)
	}
	behind := request(http.MethodPost, http.Header{"Authorization": {"Bearer " + signed}, "X-Forwarded-Proto": {"https"}})
	if !behind.Cookies()[0].Secure {
		t.Error("not secure behind a proxy that ends TLS")
	}
	gone := request(http.MethodDelete, nil)
	if gone.StatusCode != http.StatusNoContent || !gone.Cookies()[0].Expires.Before(time.Now()) || gone.Cookies()[0].Value != "" {
		t.Errorf("%d, %v", gone.StatusCode, gone.Cookies())
	}
	for name, c := range map[string]struct {
		header http.Header
		status int
		code   protocol.Code
	}{
		"no token":  {nil, http.StatusUnauthorized, protocol.AuthMissing},
		"bad token": {http.Header{"Authorization": {"Bearer x"}}, http.StatusUnauthorized, protocol.AuthInvalid},
		"too large": {http.Header{"Authorization": {"Bearer " + token(t, "ada", func(x *auth.Token) { x.Metadata = strings.Repeat("m", 4000) })}}, http.StatusUnauthorized, protocol.AuthInvalid},
		"a stranger": {
			http.Header{"Authorization": {"Bearer " + signed}, "Origin": {"https://evil.example"}}, http.StatusForbidden, protocol.AuthForbidden,
		},
	} {
		refused := request(http.MethodPost, c.header)
		body, err := io.ReadAll(refused.Body)
		if err != nil {
			t.Fatal(err)
		}
		var e protocol.Error
		if err := json.Unmarshal(body, &e); err != nil || refused.StatusCode != c.status || e.Code != c.code || len(refused.Cookies()) != 0 {
			t.Errorf("%s: %d %s", name, refused.StatusCode, body)
		}
	}
}

func TestDrainTellsWaitsAndSaysGoodbye(t *testing.T) {
	h := open(t)
	ada, bob := h.join(token(t, "ada")), h.join(token(t, "bob"))
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		h.server.Drain(ctx)
	}()
	for _, c := range []*client{ada, bob} {
		if d, _ := await[protocol.Draining](c); d.DeadlineMs <= 0 || d.DeadlineMs > 500 {
			t.Errorf("told %+v", d)
		}
	}
	if !h.server.Draining() {
		t.Error("it does not say so")
	}
	late := h.dial(nil)
	e := late.wantError(late.ask(protocol.Join{Protocol: 1, Token: token(t, "late")}), protocol.ServerDraining)
	if !e.Retryable {
		t.Error("another server may take it")
	}
	late.wantClose(protocol.CloseGoingAway)
	bob.cut()
	bob = h.resume(bob, bob.last())
	await[protocol.Resumed](bob)
	ada.ask(protocol.Leave{})
	ada.wantClose(protocol.CloseNormal)
	if d, _ := await[protocol.Disconnect](bob); d.Reason != protocol.ServerShutdown || !d.Retryable {
		t.Errorf("told %+v", d)
	}
	bob.wantClose(protocol.CloseGoingAway)
	<-drained
	if s := h.server.Stats(); s.Rooms != 0 || s.Participants != 0 || s.Sessions != 0 || s.WebSockets != 0 {
		t.Errorf("left over: %+v", s)
	}
}

func TestDrainEndsAsSoonAsEverybodyHasLeft(t *testing.T) {
	h := open(t)
	ada := h.join(token(t, "ada"))
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		h.server.Drain(context.Background())
	}()
	if d, _ := await[protocol.Draining](ada); d.DeadlineMs != 0 {
		t.Errorf("told %+v without a deadline", d)
	}
	ada.ask(protocol.Leave{})
	<-drained
}

func TestCloseEndsThoseWhoHaveNotJoined(t *testing.T) {
	h := open(t)
	guest, member := h.dial(nil), h.join(token(t, "ada"))
	h.server.Close()
	guest.wantClose(protocol.CloseGoingAway)
	if d, _ := await[protocol.Disconnect](member); d.Reason != protocol.ServerShutdown {
		t.Errorf("told %+v", d)
	}
	member.wantClose(protocol.CloseGoingAway)
	if _, response, err := websocket.DefaultDialer.Dial(h.url(), nil); err == nil {
		_ = response.Body.Close() // it opened, and is closed at once: there is no room for it either way
	}
}

func TestAnEmptyRoomIsGivenUp(t *testing.T) {
	h := open(t, func(c *signaling.Config) { c.EmptyTimeout = 50 * time.Millisecond })
	ada := h.join(token(t, "ada"))
	ada.ask(protocol.Leave{})
	ada.wantClose(protocol.CloseNormal)
	eventually(t, "the room is gone", func() bool { return h.server.Stats().Rooms == 0 })
	h.join(token(t, "ada"))
}

func TestJoiningWhileRoomsComeAndGo(t *testing.T) {
	h := open(t, func(c *signaling.Config) { c.EmptyTimeout = time.Millisecond })
	for i := range 50 {
		c := h.join(token(t, "ada", admin))
		if i%2 == 0 {
			c.ask(protocol.EndRoom{})
			c.wantClose(protocol.CloseRoomEnded)
		} else {
			c.ask(protocol.Leave{})
			c.wantClose(protocol.CloseNormal)
		}
	}
}
