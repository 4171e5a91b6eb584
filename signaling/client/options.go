package client

import (
	"context"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// Options of a participant. The zero value is a participant that subscribes to everything.
type Options struct {
	// OnEvent is called for each Event, in order, from one goroutine. It may call the Room. While it blocks, events wait, up
	// to QueueEvents; more of them end the Room with ErrSlow.
	OnEvent     func(Event)
	QueueEvents int // 0 means 4096

	Program     protocol.Client // what joins, for the server's log
	NoSubscribe bool            // receive nothing until Subscribe
	RelayOnly   bool            // reach the server over TURN only
	SocketData  bool            // data goes over the WebSocket, and there are no data channels
	Log         *slog.Logger    // nil: nothing is logged

	// Dial opens TCP connections for the WebSocket; nil means the usual way.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Engine changes pion's settings before the PeerConnection is made; nil changes nothing.
	Engine func(*webrtc.SettingEngine)
	// Backoff is the wait before attempt 0, 1, 2, … to resume; nil means at once, then doubling from 250 ms to 5 s.
	Backoff func(attempt int) time.Duration
}

func (o Options) withDefaults() Options {
	if o.OnEvent == nil {
		o.OnEvent = func(Event) {}
	}
	if o.QueueEvents <= 0 {
		o.QueueEvents = 4096
	}
	if o.Program.Name == "" {
		o.Program.Name = "turnout-go"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Backoff == nil {
		o.Backoff = backoff
	}
	return o
}

func backoff(attempt int) time.Duration {
	if attempt == 0 {
		return 0
	}
	return min(5*time.Second, 125*time.Millisecond<<min(attempt, 10))
}

// socketURL turns the address of a server into that of its WebSocket.
func socketURL(server string) (string, error) {
	u, err := url.Parse(server)
	if err != nil {
		return "", err
	}
	switch u.Scheme {
	case "http":
		u.Scheme = "ws"
	case "https":
		u.Scheme = "wss"
	}
	if u.Path = strings.TrimSuffix(u.Path, "/"); !strings.HasSuffix(u.Path, "/ws") {
		u.Path += "/ws"
	}
	return u.String(), nil
}
