package signaling_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"github.com/turnout-rtc/turnout/sfu"
	"github.com/turnout-rtc/turnout/signaling"
	"github.com/turnout-rtc/turnout/signaling/auth"
	"github.com/turnout-rtc/turnout/signaling/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

const secret = "0123456789abcdef0123456789abcdef"

// house is a server on loopback.
type house struct {
	t      *testing.T
	server *signaling.Server
	http   *httptest.Server
}

func open(t *testing.T, change ...func(*signaling.Config)) *house {
	t.Helper()
	media, err := sfu.New(sfu.Config{UDP: "127.0.0.1:0", TCP: "127.0.0.1:0"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	cfg := signaling.Config{Keys: map[string]string{"dev": secret}}
	for _, f := range change {
		f(&cfg)
	}
	s, err := signaling.New(cfg, signaling.Planes{Media: media}, "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	s.Register(mux)
	h := &house{t: t, server: s, http: httptest.NewServer(mux)}
	t.Cleanup(func() {
		s.Close()
		s.Close()
		h.http.Close()
		if err := media.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func (h *house) url() string { return "ws" + strings.TrimPrefix(h.http.URL, "http") + "/ws" }

// token makes an access token for a room called "room".
func token(t testing.TB, identity string, change ...func(*auth.Token)) string {
	t.Helper()
	x := auth.Token{Identity: identity, Name: strings.ToUpper(identity), Room: "room", Grants: auth.DefaultGrants(), Expires: time.Now().Add(time.Hour)}
	for _, f := range change {
		f(&x)
	}
	signed, err := auth.Mint("dev", secret, x)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func admin(x *auth.Token) { x.Grants.Admin = true }

// client is a WebSocket, all of whose messages are kept.
type client struct {
	t    *testing.T
	ws   *websocket.Conn
	id   uint64
	base uint64 // last number received on an earlier WebSocket
	self protocol.Joined

	pings atomic.Int32 // received

	mu   sync.Mutex
	cond *sync.Cond
	got  []protocol.Response // guarded by mu
	seen int                 // of got, guarded by mu

	binary [][]byte // guarded by mu
	err    error    // how reading ended, guarded by mu
}

// dial opens a WebSocket and says nothing.
func (h *house) dial(header http.Header) *client {
	h.t.Helper()
	ws, response, err := websocket.DefaultDialer.Dial(h.url(), header)
	if err != nil {
		h.t.Fatalf("%v (%+v)", err, response)
	}
	_ = response.Body.Close()
	c := &client{t: h.t, ws: ws}
	c.cond = sync.NewCond(&c.mu)
	ws.SetPingHandler(func(string) error {
		c.pings.Add(1)
		_ = ws.WriteControl(websocket.PongMessage, nil, time.Now().Add(time.Second))
		return nil
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.read()
	}()
	h.t.Cleanup(func() {
		_ = ws.Close()
		<-done
	})
	return c
}

func (c *client) read() {
	for {
		kind, frame, err := c.ws.ReadMessage()
		c.mu.Lock()
		if err != nil {
			c.err = err
			c.cond.Broadcast()
			c.mu.Unlock()
			return
		}
		if kind == websocket.BinaryMessage {
			c.binary = append(c.binary, frame)
			c.cond.Broadcast()
			c.mu.Unlock()
			continue
		}
		r, err := protocol.DecodeResponse(frame)
		if err != nil {
			c.t.Errorf("%s: %v", frame, err)
		}
		c.got = append(c.got, r)
		c.cond.Broadcast()
		c.mu.Unlock()
	}
}

// join opens a WebSocket and joins.
func (h *house) join(signed string) *client {
	h.t.Helper()
	c := h.dial(nil)
	c.enter(signed)
	return c
}

func (c *client) enter(signed string) {
	c.t.Helper()
	c.id = 0
	c.ask(protocol.Join{Protocol: 1, Token: signed, Client: protocol.Client{Name: "test", Version: "1"}})
	c.self, _ = await[protocol.Joined](c)
}

// ask sends a request and returns its number.
func (c *client) ask(m protocol.ClientMessage) uint64 {
	c.t.Helper()
	c.id++
	c.write(c.id, m)
	return c.id
}

func (c *client) write(id uint64, m protocol.ClientMessage) {
	c.t.Helper()
	frame, err := protocol.EncodeRequest(id, m)
	if err != nil {
		c.t.Fatal(err)
	}
	c.raw(websocket.TextMessage, string(frame))
}

func (c *client) raw(kind int, frame string) {
	c.t.Helper()
	if err := c.ws.WriteMessage(kind, []byte(frame)); err != nil {
		c.t.Fatal(err)
	}
}

// await waits for the next message of a type, passing over others.
func await[M protocol.ServerMessage](c *client) (M, protocol.Response) {
	c.t.Helper()
	m, r, ok := next[M](c)
	if !ok {
		c.t.Fatalf("no %T came; %s", m, c.history())
	}
	return m, r
}

// again goes back to the first message.
func (c *client) again() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = 0
}

// history shows how it ended and what came last.
func (c *client) history() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := c.got[max(0, len(c.got)-10):]
	text := fmt.Sprintf("end: %v; the last of %d messages:", c.err, len(c.got))
	for _, r := range last {
		text += fmt.Sprintf(" %d %T %.80v", r.N, r.Message, r.Message)
	}
	return text
}

func next[M protocol.ServerMessage](c *client) (m M, r protocol.Response, ok bool) {
	alarm := time.AfterFunc(patience, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.err = errors.New("patience is at an end")
		c.cond.Broadcast()
	})
	defer alarm.Stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		for c.seen < len(c.got) {
			r = c.got[c.seen]
			c.seen++
			if m, ok := r.Message.(M); ok {
				return m, r, true
			}
		}
		if c.err != nil {
			return m, r, false
		}
		c.cond.Wait()
	}
}

// closed waits for the end and returns its code.
func (c *client) closed() protocol.CloseCode {
	c.t.Helper()
	alarm := time.AfterFunc(patience, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.err = errors.New("patience is at an end")
		c.cond.Broadcast()
	})
	defer alarm.Stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.err == nil {
		c.cond.Wait()
	}
	var end *websocket.CloseError
	if !errors.As(c.err, &end) {
		c.t.Fatalf("ended without a close frame: %v", c.err)
	}
	return protocol.CloseCode(end.Code)
}

// wantError waits for an error and compares its code.
func (c *client) wantError(re uint64, code protocol.Code) *protocol.Error {
	c.t.Helper()
	e, r := await[*protocol.Error](c)
	if e.Code != code || r.Re != re || e.Message == "" {
		c.t.Fatalf("got error %+v as a reply to %d, want %s to %d", e, r.Re, code, re)
	}
	return e
}

func (c *client) wantClose(code protocol.CloseCode) {
	c.t.Helper()
	if got := c.closed(); got != code {
		c.t.Errorf("closed with %d, want %d", got, code)
	}
}

// numbers lists the numbers of all messages so far.
func (c *client) numbers() []uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []uint64
	for _, r := range c.got {
		if r.N != 0 {
			all = append(all, r.N)
		}
	}
	return all
}

// eventually polls until f says true.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}
