package ws

import (
	"errors"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// Conn is one WebSocket. Read is called by one goroutine; all else may be called by any.
type Conn struct {
	// Set at construction, never changed.
	socket  *websocket.Conn
	cfg     Config
	wake    chan struct{} // there may be something to write
	reading chan struct{} // closed when nobody reads any more
	written chan struct{} // closed when nobody writes any more

	// Guarded by mu.
	mu     sync.Mutex
	aside  [][]byte                        // frames that go before those of the source
	source func(dst []byte) ([]byte, bool) // nil: none yet
	finish *goodbye                        // nil: not yet
	why    string                          // how it ended
	expect time.Time                       // see Expect
}

type goodbye struct {
	code protocol.CloseCode
	text string
}

func newConn(socket *websocket.Conn, cfg Config) *Conn {
	c := &Conn{socket: socket, cfg: cfg, wake: make(chan struct{}, 1), reading: make(chan struct{}), written: make(chan struct{})}
	socket.SetPongHandler(func(string) error {
		c.heard()
		return nil
	})
	socket.SetPingHandler(func(data string) error {
		c.heard()
		_ = socket.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(closeWait)) // a socket that fails tells the reader
		return nil
	})
	c.heard()
	return c
}

// heard gives the other side another Timeout, unless the end has begun or Expect has set another time.
func (c *Conn) heard() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over() && c.expect.IsZero() {
		_ = c.socket.SetReadDeadline(time.Now().Add(c.cfg.Timeout)) // a closed socket fails at the next read
	}
}

// Expect gives the other side until then, whether it answers pings or not; zero ends that.
func (c *Conn) Expect(until time.Time) {
	c.mu.Lock()
	c.expect = until
	if !until.IsZero() && !c.over() {
		_ = c.socket.SetReadDeadline(until)
	}
	c.mu.Unlock()
	c.heard()
}

// over says whether the end has begun. mu is held.
func (c *Conn) over() bool { return c.finish != nil || c.why != "" }

// ErrTimeout is what Read returns when nothing was heard in time. The caller chooses how to Finish.
var ErrTimeout = errors.New("ws: nothing was heard in time")

// Read returns the next text message. After an error there is nothing more to read. Once Finish was called, messages are
// thrown away until the other side closes, too.
func (c *Conn) Read() ([]byte, error) {
	for {
		kind, r, err := c.socket.NextReader() // passes over what is left of the message before
		if err != nil {
			return nil, c.readError(err)
		}
		if c.ending() {
			continue
		}
		if kind != websocket.TextMessage {
			c.Finish(protocol.CloseBinary, "only text frames are understood")
			continue
		}
		b, err := io.ReadAll(io.LimitReader(r, int64(c.cfg.MessageBytes)+1))
		if err != nil {
			return nil, c.readError(err)
		}
		c.heard()
		if len(b) <= c.cfg.MessageBytes {
			return b, nil
		}
		c.Finish(protocol.CloseTooBig, "the message is larger than "+strconv.Itoa(c.cfg.MessageBytes)+" bytes")
	}
}

func (c *Conn) readError(err error) error {
	var timeout net.Error
	var closed *websocket.CloseError
	switch {
	case errors.As(err, &timeout) && timeout.Timeout() && !c.ending():
		return ErrTimeout
	case errors.As(err, &closed) && closed.Code != websocket.CloseAbnormalClosure:
		c.ended("peer")
	default:
		c.ended("lost")
	}
	return io.EOF
}

func (c *Conn) ending() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.over()
}

// ended notes how it ended. The first note counts.
func (c *Conn) ended(why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.why == "" {
		c.why = why
	}
}

// Finish ends the WebSocket with a close code, after what the source still holds. The first call counts.
func (c *Conn) Finish(code protocol.CloseCode, text string) {
	c.mu.Lock()
	if c.finish == nil {
		c.finish = &goodbye{code: code, text: text}
		if c.why == "" {
			c.why = strconv.Itoa(int(code))
		}
	}
	c.mu.Unlock()
	c.Wake()
}

// Interrupt makes Read return at once. To be called after Finish.
func (c *Conn) Interrupt() {
	_ = c.socket.SetReadDeadline(time.Unix(1, 0)) // a closed socket needs no interruption
}

// close waits for the writer, ends the connection and says how it ended. Its caller was the reader.
func (c *Conn) close() string {
	close(c.reading)
	<-c.written
	_ = c.socket.Close() // there is nobody left to tell
	c.ended("lost")
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.why
}
