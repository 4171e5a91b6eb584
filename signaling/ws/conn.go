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
	gather  *gather       // the door's
	wake    chan struct{} // there may be something to write
	reading chan struct{} // closed when nobody reads any more
	written chan struct{} // closed when nobody writes any more

	sending sending

	// Guarded by mu.
	mu       sync.Mutex
	aside    []Frame                         // go before the texts of the source
	source   func(dst []byte) ([]byte, bool) // nil: none yet
	pending  queue                           // what was sent
	last     time.Time                       // when pending was last written
	buffered int                             // bytes sent and not written
	wire     *Wire                           // nil: none yet
	drain    drain
	finish   *goodbye  // nil: not yet
	why      string    // how it ended
	expect   time.Time // see Expect

	// Owned by the reader.
	binary int // size of the largest binary message; 0: none are allowed
}

// Message is what Read returns.
type Message struct {
	Binary bool
	Data   []byte // the reader's to keep
}

type goodbye struct {
	code protocol.CloseCode
	text string
}

func newConn(socket *websocket.Conn, cfg Config, g *gather) *Conn {
	c := &Conn{socket: socket, cfg: cfg, gather: g, wake: make(chan struct{}, 1), reading: make(chan struct{}), written: make(chan struct{}), binary: cfg.BinaryBytes}
	c.sending.raw = rawConn(socket.NetConn())
	socket.SetPongHandler(func(string) error {
		c.heard()
		return nil
	})
	socket.SetPingHandler(func(data string) error {
		c.heard()
		c.say(appendFrame(nil, opPong, []byte(data))) // one that finds no room is left out: those before it say the same
		return nil
	})
	socket.SetCloseHandler(c.answerClose)
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

// answerClose is called when the other side has closed: the writer says goodbye, too, behind the frame that it is in.
func (c *Conn) answerClose(code int, _ string) error {
	c.mu.Lock()
	if c.why == "" {
		c.why = "peer"
	}
	if c.finish == nil {
		c.finish = &goodbye{code: protocol.CloseCode(code)}
	}
	c.mu.Unlock()
	c.Wake()
	return nil
}

// AllowBinary lets binary messages of at most limit bytes through. To be called by the reader.
func (c *Conn) AllowBinary(limit int) { c.binary = limit }

// Read returns the next message. After an error there is nothing more to read. Once Finish was called, messages are thrown away
// until the other side closes, too.
func (c *Conn) Read() (Message, error) {
	for {
		kind, r, err := c.socket.NextReader() // passes over what is left of the message before
		if err != nil {
			return Message{}, c.readError(err)
		}
		if c.ending() {
			continue
		}
		limit := c.cfg.MessageBytes
		switch {
		case kind == websocket.BinaryMessage && c.binary == 0:
			c.Finish(protocol.CloseBinary, "binary messages are not understood here")
			continue
		case kind == websocket.BinaryMessage:
			limit = c.binary
		case limit == 0:
			c.Finish(protocol.CloseBinary, "only binary messages are understood")
			continue
		}
		b, err := c.readAll(r, limit)
		if err != nil {
			return Message{}, c.readError(err)
		}
		if len(b) <= limit {
			return Message{Binary: kind == websocket.BinaryMessage, Data: b}, nil
		}
		code := c.cfg.TooBig
		if code == 0 {
			code = protocol.CloseTooBig
		}
		c.Finish(code, "the message is larger than "+strconv.Itoa(limit)+" bytes")
	}
}

// readPart is how much of a message is a sign of life.
const readPart = 64 << 10

// readAll reads a message of at most limit bytes, or one byte more.
func (c *Conn) readAll(r io.Reader, limit int) ([]byte, error) {
	var b []byte
	for {
		part, err := io.ReadAll(io.LimitReader(r, int64(min(readPart, limit+1-len(b)))))
		if err != nil {
			return nil, err
		}
		c.heard()
		if b == nil {
			b = part
		} else {
			b = append(b, part...)
		}
		if len(part) < readPart || len(b) > limit {
			return b, nil
		}
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
