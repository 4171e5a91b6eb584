package ws

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// hijacked answers a request on a connection that is no socket.
type hijacked struct {
	http.ResponseWriter // nil: an upgrade writes to the connection
	conn                net.Conn
	rw                  *bufio.ReadWriter
}

func (h hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) { return h.conn, h.rw, nil }

// pipe opens a WebSocket in memory, within a bubble of synctest, and returns the client's end.
func pipe(t *testing.T, serve func(c *Conn, token string)) *websocket.Conn {
	t.Helper()
	ours, theirs := net.Pipe()
	cfg := Config{Heartbeat: 5 * time.Second, Timeout: 12 * time.Second, MessageBytes: 4096, MaxConns: 1}
	d := NewDoor(cfg, Owner{Serve: serve, Refused: func(string) {}, Closed: func(string) {}})
	go func() {
		rw := bufio.NewReadWriter(bufio.NewReader(ours), bufio.NewWriter(ours))
		r, err := http.ReadRequest(rw.Reader)
		if err != nil {
			t.Error(err)
			return
		}
		d.ServeHTTP(hijacked{conn: ours, rw: rw}, r)
	}()
	dialer := websocket.Dialer{NetDialContext: func(context.Context, string, string) (net.Conn, error) { return theirs, nil }}
	c, response, err := dialer.Dial("ws://in.memory/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	t.Cleanup(func() {
		_ = c.Close()
		d.Close()
	})
	return c
}

func TestADeadConnectionIsNoticedWithin15Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		noticed := make(chan time.Duration, 1)
		pipe(t, func(c *Conn, _ string) {
			if _, err := c.Read(); errors.Is(err, ErrTimeout) {
				noticed <- time.Since(begin)
			}
			c.Finish(protocol.CloseSilent, "")
		})
		if after := <-noticed; after < 12*time.Second || after > 15*time.Second {
			t.Errorf("noticed after %v", after)
		}
	})
}

func TestAConnectionThatOnlyAnswersPingsStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		c := pipe(t, func(c *Conn, _ string) {
			_, err := c.Read()
			ended <- err
		})
		pings := 0
		c.SetPingHandler(func(string) error {
			pings++
			return c.WriteControl(websocket.PongMessage, nil, time.Now().Add(time.Second))
		})
		go func() { _, _, _ = c.ReadMessage() }() // ends when the test closes c
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		select {
		case err := <-ended:
			t.Errorf("ended: %v", err)
		default:
		}
		if pings != 120 && pings != 119 {
			t.Errorf("%d pings in ten minutes", pings)
		}
	})
}
