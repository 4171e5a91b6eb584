package ws

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"github.com/turnout-rtc/turnout/signaling/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 10 * time.Second

// open serves WebSockets with serve, and returns one client's end.
func open(t *testing.T, cfg Config, serve func(c *Conn, token string)) (*Door, *websocket.Conn, chan string) {
	t.Helper()
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{{&cfg.Heartbeat, time.Second}, {&cfg.Timeout, patience}} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	cfg.MessageBytes, cfg.MaxConns = 4096, 2
	why := make(chan string, 10)
	d := NewDoor(cfg, Owner{Serve: serve, Refused: func(code string) { why <- code }, Closed: func(s string) { why <- s }})
	h := httptest.NewServer(d)
	t.Cleanup(func() {
		d.Close()
		d.Close()
		h.Close()
	})
	return d, dial(t, h.URL), why
}

func dial(t *testing.T, url string) *websocket.Conn {
	t.Helper()
	c, response, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(url, "http"), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetReadDeadline(time.Now().Add(patience))
	return c
}

// echo says everything back, and "bye" is its end.
func echo(c *Conn, _ string) {
	for {
		m, err := c.Read()
		if err != nil {
			return
		}
		c.Say(m.Data)
		if string(m.Data) == "bye" {
			c.Finish(4321, "bye")
		}
	}
}

func TestFramesGoBothWaysUntilTheEnd(t *testing.T) {
	_, c, why := open(t, Config{}, echo)
	for _, text := range []string{"a", strings.Repeat("b", 4096), "bye"} {
		if err := c.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if _, got, err := c.ReadMessage(); err != nil || string(got) != text {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	_, _, err := c.ReadMessage()
	if end := new(websocket.CloseError); !errors.As(err, &end) || end.Code != 4321 || end.Text != "bye" {
		t.Errorf("ended with %v", err)
	}
	if got := <-why; got != "4321" {
		t.Errorf("noted as %s", got)
	}
}

func TestAFrameAsideGoesAheadOfTheSourceAndTheCloseFrameLast(t *testing.T) {
	ready := make(chan struct{})
	_, c, _ := open(t, Config{}, func(c *Conn, _ string) {
		<-ready
		left := 3
		c.Say([]byte("aside"))
		c.From(func(dst []byte) ([]byte, bool) {
			if left == 0 {
				return dst, false
			}
			left--
			return append(dst, "source"...), true
		})
		c.Finish(4321, "bye")
		for {
			if _, err := c.Read(); err != nil {
				return
			}
		}
	})
	close(ready)
	for _, want := range []string{"aside", "source", "source", "source"} {
		if _, got, err := c.ReadMessage(); err != nil || string(got) != want {
			t.Fatalf("got %q, %v, want %s", got, err, want)
		}
	}
	if _, _, err := c.ReadMessage(); !websocket.IsCloseError(err, 4321) {
		t.Errorf("ended with %v", err)
	}
}

func TestTooManyFramesAsideAreRefused(t *testing.T) {
	c := &Conn{wake: make(chan struct{}, 1)} // no writer takes them
	for i := range maxAside {
		if !c.Say([]byte("x")) {
			t.Fatalf("frame %d was refused", i)
		}
	}
	if c.Say([]byte("x")) {
		t.Error("one too many was taken")
	}
}

func TestSilenceIsToldToTheReader(t *testing.T) {
	heard := make(chan error, 1)
	_, _, why := open(t, Config{Heartbeat: 10 * time.Millisecond, Timeout: 50 * time.Millisecond}, func(c *Conn, _ string) {
		_, err := c.Read() // the client never reads, so it answers no ping
		heard <- err
		c.Finish(protocol.CloseSilent, "")
	})
	if err := <-heard; !errors.Is(err, ErrTimeout) {
		t.Errorf("read %v", err)
	}
	if got := <-why; got != "4008" {
		t.Errorf("noted as %s", got)
	}
}

func TestAPingIsAnsweredAndCountsAsHeard(t *testing.T) {
	_, c, why := open(t, Config{Heartbeat: 20 * time.Millisecond, Timeout: time.Second}, echo)
	pongs := make(chan string, 100)
	c.SetPingHandler(func(string) error { return nil }) // the server's own pings are not answered
	c.SetPongHandler(func(data string) error {
		pongs <- data
		return nil
	})
	go func() { _, _, _ = c.ReadMessage() }() // ends with the connection
	for range 30 {                            // for longer than the timeout
		if err := c.WriteControl(websocket.PingMessage, []byte("x"), time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if got := <-pongs; got != "x" {
			t.Errorf("pong %q", got)
		}
		select {
		case s := <-why:
			t.Fatalf("it ended: %s", s)
		case <-time.After(50 * time.Millisecond): // between pings
		}
	}
}

func TestALostConnectionIsNoted(t *testing.T) {
	_, c, why := open(t, Config{}, echo)
	_ = c.NetConn().Close()
	if got := <-why; got != "lost" {
		t.Errorf("noted as %s", got)
	}
	_, c, why = open(t, Config{}, echo)
	_ = c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Now().Add(time.Second))
	if got := <-why; got != "peer" {
		t.Errorf("noted as %s", got)
	}
}

func TestAFullDoorSaysWhenToComeBack(t *testing.T) {
	d, _, _ := open(t, Config{}, echo)
	h := httptest.NewServer(d)
	defer h.Close()
	dial(t, h.URL)
	_, response, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(h.URL, "http"), nil)
	if err == nil || response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
		t.Fatalf("%v, %+v", err, response)
	}
	_ = response.Body.Close()
}

func TestACloseFrameIsShortAndValid(t *testing.T) {
	for _, text := range []string{"", "short", strings.Repeat("é", 100), strings.Repeat("日本", 50), "\xff"} {
		if got := shorten(text); len(got) > 123 || !utf8.ValidString(got) || len(text) > 123 && len(got) < 119 {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestOriginsAreComparedExactly(t *testing.T) {
	for _, c := range []struct {
		origin, host string
		allowed      []string
		want         bool
	}{
		{"", "a.example", nil, true},
		{"https://a.example", "a.example", nil, true},
		{"https://A.example", "a.example", nil, true},
		{"http://a.example:7880", "a.example:7880", nil, true},
		{"http://a.example:7881", "a.example:7880", nil, false},
		{"https://b.example", "a.example", []string{"https://b.example/"}, true},
		{"https://b.example.evil", "a.example", []string{"https://b.example"}, false},
		{"https://b.example", "a.example", []string{"*"}, true},
		{"null", "a.example", nil, false},
		{"://", "a.example", nil, false},
		{"file://", "", nil, false},
	} {
		r := httptest.NewRequest(http.MethodGet, "/ws", http.NoBody)
		r.Host = c.host
		r.Header.Set("Origin", c.origin)
		if got := originAllowed(r, c.allowed); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// FuzzToken: whatever the headers and the query hold, a token is one of the pieces that were given.
func FuzzToken(f *testing.F) {
	f.Add("Bearer a", "turnout.v1, access_token_b", "turnout_session=c", "access_token=d")
	f.Add("bearer", ",,access_token_", "turnout_session", "access_token=%zz")
	f.Fuzz(func(t *testing.T, authorization, protocols, cookie, query string) {
		r := httptest.NewRequest(http.MethodGet, "/ws", http.NoBody)
		r.Header["Authorization"] = []string{authorization}
		r.Header["Sec-Websocket-Protocol"] = []string{protocols}
		r.Header["Cookie"] = []string{cookie}
		r.URL.RawQuery = query
		got := Token(r)
		for _, given := range []string{authorization, protocols, cookie, r.URL.Query().Get("access_token")} {
			if strings.Contains(given, got) {
				return
			}
		}
		t.Errorf("%q was given by nobody", got)
	})
}
