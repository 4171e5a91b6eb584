package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/turnout-rtc/turnout/signaling/protocol"
)

const (
	dialTimeout  = 10 * time.Second
	writeTimeout = 5 * time.Second
	readLimit    = 16 << 20 // bytes; what the server says to a room of hundreds stays far below
)

// socket is one WebSocket. One goroutine writes, one reads.
type socket struct {
	conn    *websocket.Conn
	silence atomic.Int64 // nanoseconds without a message after which it is dead
}

func dial(ctx context.Context, address string, how func(context.Context, string, string) (net.Conn, error)) (*socket, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	d := websocket.Dialer{Proxy: http.ProxyFromEnvironment, NetDialContext: how, Subprotocols: []string{protocol.SubProtocol}}
	conn, res, err := d.DialContext(ctx, address, nil)
	if res != nil {
		defer res.Body.Close()
	}
	if err != nil && res != nil {
		return nil, fmt.Errorf("client: %s answered %s: %w", address, res.Status, err)
	}
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	conn.SetReadLimit(readLimit)
	s := &socket{conn: conn}
	s.silence.Store(int64(dialTimeout))
	answer := conn.PingHandler()
	conn.SetPingHandler(func(data string) error {
		s.heard()
		return answer(data)
	})
	return s, nil
}

// heard puts off the end of the WebSocket.
func (s *socket) heard() {
	_ = s.conn.SetReadDeadline(time.Now().Add(time.Duration(s.silence.Load()))) // reading fails, then
}

func (s *socket) write(frame []byte) {
	_ = s.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err := s.conn.WriteMessage(websocket.TextMessage, frame); err != nil {
		_ = s.conn.Close() // the reader tells run
	}
}

func (s *socket) writeBinary(wire []byte) {
	_ = s.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err := s.conn.WriteMessage(websocket.BinaryMessage, wire); err != nil {
		_ = s.conn.Close() // the reader tells run
	}
}

// read returns the next message that this version knows. binary takes messages of the other kind.
func (s *socket) read(binary func([]byte)) (protocol.Response, error) {
	for {
		s.heard()
		kind, frame, err := s.conn.ReadMessage()
		if err != nil {
			return protocol.Response{}, err
		}
		if kind == websocket.BinaryMessage {
			binary(frame)
			continue
		}
		m, err := protocol.DecodeResponse(frame)
		var unknown *protocol.Error
		if errors.As(err, &unknown) && unknown.Code == protocol.UnknownType {
			if m.N == 0 {
				continue
			}
			m.Message = protocol.OK{} // its number counts
			return m, nil
		}
		return m, err
	}
}

// greet says the first message and returns the reply; an error reply is an error.
func (s *socket) greet(ctx context.Context, id uint64, m protocol.ClientMessage) (protocol.Response, error) {
	encoded, err := protocol.EncodeRequest(id, m)
	if err != nil {
		return protocol.Response{}, err
	}
	stop := context.AfterFunc(ctx, s.close)
	defer stop()
	s.write(encoded)
	first, err := s.read(func([]byte) {}) // there is no wire yet
	if ctx.Err() != nil {
		return first, ctx.Err()
	}
	if err != nil {
		return first, err
	}
	if refused, ok := first.Message.(*protocol.Error); ok {
		return first, refused
	}
	return first, nil
}

func (s *socket) goodbye() {
	bye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	_ = s.conn.WriteControl(websocket.CloseMessage, bye, time.Now().Add(writeTimeout))
}

func (s *socket) close() { _ = s.conn.Close() }

// readFrom starts the reader of a WebSocket.
func (r *Room) readFrom(s *socket) {
	r.running.Go(func() {
		for {
			m, err := s.read(func(wire []byte) { r.post(func() { r.heardBinary(s, wire) }) })
			if err != nil {
				s.close()
				r.post(func() { r.lost(s, err) })
				return
			}
			r.post(func() { r.received(s, m) })
		}
	})
}

// lost goes after a new WebSocket, unless the server meant it.
func (r *Room) lost(s *socket, err error) {
	if s != r.link.socket || r.err != nil {
		return
	}
	r.link.socket = nil
	var closed *websocket.CloseError
	if errors.As(err, &closed) && final(protocol.CloseCode(closed.Code)) {
		r.end(fmt.Errorf("%w: %w", ErrLost, err))
		return
	}
	r.opts.Log.Info("connection lost", "err", err)
	r.emit(StateChanged{Reconnecting})
	resume := protocol.Resume{Protocol: protocol.Version, Session: r.link.grant.ID, Secret: r.link.grant.Secret, N: r.link.n}
	id := r.link.lastID + 1
	r.running.Go(func() { r.reconnect(id, resume) })
}

// final says whether a close code leaves nothing to resume.
func final(c protocol.CloseCode) bool {
	switch c {
	case protocol.CloseSilent, websocket.CloseAbnormalClosure, websocket.CloseNoStatusReceived, protocol.CloseInternal, websocket.CloseServiceRestart:
		return false
	default:
		return true
	}
}

// reconnect tries to resume until it works, the server refuses, or the grace period is over.
func (r *Room) reconnect(id uint64, resume protocol.Resume) {
	ctx, cancel := context.WithTimeout(r.ctx, time.Duration(r.link.grant.GraceMs)*time.Millisecond)
	defer cancel()
	for attempt := 0; ; attempt++ {
		select {
		case <-time.After(r.opts.Backoff(attempt)):
		case <-ctx.Done():
			r.post(func() { r.end(ErrLost) })
			return
		}
		s, err := dial(ctx, r.url, r.opts.Dial)
		if err != nil {
			continue
		}
		reply, err := s.greet(ctx, id, resume)
		var refused *protocol.Error
		if errors.As(err, &refused) && !refused.Retryable {
			s.close()
			r.post(func() { r.end(fmt.Errorf("%w: %w", ErrLost, refused)) })
			return
		}
		resumed, ok := reply.Message.(protocol.Resumed)
		if err != nil || !ok {
			s.close()
			continue
		}
		if !r.call(func() {
			r.link.resume(s, resumed.ID)
			r.readFrom(s)
			r.helloOverSocket()
			r.emit(StateChanged{Connected})
		}) {
			s.close()
		}
		return
	}
}
