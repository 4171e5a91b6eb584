package signaling_test

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/turnout-rtc/turnout/signaling"
	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// silent joins over a connection that reads nothing, not even pings, until told to. Its receive buffer is small.
func (h *house) silent(signed string) *websocket.Conn {
	h.t.Helper()
	dialer := websocket.Dialer{NetDial: func(network, addr string) (net.Conn, error) {
		conn, err := net.Dial(network, addr)
		if err == nil {
			err = conn.(*net.TCPConn).SetReadBuffer(64 << 10)
		}
		return conn, err
	}}
	ws, response, err := dialer.Dial(h.url(), http.Header{"Authorization": {"Bearer " + signed}})
	if err != nil {
		h.t.Fatal(err)
	}
	_ = response.Body.Close()
	h.t.Cleanup(func() { _ = ws.Close() })
	ws.SetPingHandler(func(string) error { return nil })
	frame, err := protocol.EncodeRequest(1, protocol.Join{Protocol: 1})
	if err != nil {
		h.t.Fatal(err)
	}
	if err := ws.WriteMessage(websocket.TextMessage, frame); err != nil {
		h.t.Fatal(err)
	}
	return ws
}

// rest reads until the end and returns the last message and the close code.
func rest(t *testing.T, ws *websocket.Conn) (protocol.ServerMessage, int) {
	t.Helper()
	_ = ws.SetReadDeadline(time.Now().Add(patience))
	var last protocol.ServerMessage
	for {
		_, frame, err := ws.ReadMessage()
		if end, ok := err.(*websocket.CloseError); ok { //nolint:errorlint // gorilla returns it as it is
			return last, end.Code
		}
		if err != nil {
			t.Fatalf("ended without a close frame: %v", err)
		}
		r, err := protocol.DecodeResponse(frame)
		if err != nil {
			t.Fatal(err)
		}
		last = r.Message
	}
}

func TestASlowReaderIsClosedWith4005(t *testing.T) {
	h := open(t, fastTalk, func(c *signaling.Config) { c.QueueMessages, c.Timeout = 64, time.Minute }) // it is silent, too
	h.undisturbed(func() {
		ada := h.join(token(t, "ada"))
		slow := h.silent(token(t, "slow"))
		await[protocol.ParticipantJoined](ada)
		metadata := strings.Repeat("m", protocol.MaxMetadata)
		for i := 0; h.server.Stats().Participants > 3; i++ {
			if i > 5000 {
				t.Fatal("5000 messages of 16 KiB waited and nothing happened")
			}
			ada.ask(protocol.Update{Metadata: &metadata})
			await[protocol.OK](ada)
		}
		ada.again()
		if l, _ := await[protocol.ParticipantLeft](ada); l.Identity != "slow" || l.Reason != protocol.ConnectionLost {
			t.Errorf("ada was told %+v", l)
		}
		last, code := rest(t, slow)
		if d, ok := last.(protocol.Disconnect); !ok || d.Reason != protocol.SlowReader || !d.Retryable || code != int(protocol.CloseSlowReader) {
			t.Errorf("the last word was %+v, closed with %d", last, code)
		}
	})
}

func TestASlowReaderThatNeverReadsAgainIsHungUpOn(t *testing.T) {
	t.Parallel()
	h := open(t, fastTalk, func(c *signaling.Config) {
		c.QueueMessages, c.Heartbeat, c.Timeout = 64, 100*time.Millisecond, 500*time.Millisecond
	})
	ada := h.join(token(t, "ada"))
	h.silent(token(t, "slow"))
	await[protocol.ParticipantJoined](ada)
	metadata := strings.Repeat("m", protocol.MaxMetadata)
	for h.server.Stats().WebSockets > 1 {
		ada.ask(protocol.Update{Metadata: &metadata})
		await[protocol.OK](ada)
	}
}

func TestAHalfOpenConnectionIsNoticedAndClosedWith4008(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *signaling.Config) {
		c.Heartbeat, c.Timeout, c.Grace = 50*time.Millisecond, 300*time.Millisecond, 300*time.Millisecond
	})
	h.undisturbed(func() {
		ada := h.join(token(t, "ada"))
		dead := h.silent(token(t, "dead"))
		await[protocol.ParticipantJoined](ada)
		eventually(t, "the WebSocket is dropped", func() bool { return h.server.Stats().Closed["4008"] == 1 })
		if l, _ := await[protocol.ParticipantLeft](ada); l.Identity != "dead" || l.Reason != protocol.ConnectionLost {
			t.Errorf("ada was told %+v", l)
		}
		if _, code := rest(t, dead); code != int(protocol.CloseSilent) {
			t.Errorf("closed with %d", code)
		}
	})
}
