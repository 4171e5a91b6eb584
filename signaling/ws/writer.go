package ws

import (
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// keptBuffer is the largest write buffer that is kept for the next frame.
const keptBuffer = 8 << 10

// Say sends a frame ahead of those of the source. It says false if too many wait already; only pongs ever come to that.
func (c *Conn) Say(frame []byte) bool {
	c.mu.Lock()
	full := len(c.aside) >= maxAside
	if !full {
		c.aside = append(c.aside, frame)
	}
	c.mu.Unlock()
	c.Wake()
	return !full
}

// From sets where frames come from: next appends the next one to dst, or says false. It is called from the writer's goroutine.
func (c *Conn) From(next func(dst []byte) ([]byte, bool)) {
	c.mu.Lock()
	c.source = next
	c.mu.Unlock()
	c.Wake()
}

// Wake says that the source may have something.
func (c *Conn) Wake() {
	select {
	case c.wake <- struct{}{}:
	default: // it is awake already
	}
}

func (c *Conn) write() {
	defer close(c.written)
	ping := time.NewTicker(c.cfg.Heartbeat)
	defer ping.Stop()
	for {
		if !c.flush() {
			return
		}
		select {
		case <-c.wake:
		case <-ping.C:
			if c.socket.WriteControl(websocket.PingMessage, nil, c.deadline()) != nil {
				c.Interrupt()
				return
			}
		case <-c.reading:
			c.flush()
			return
		}
	}
}

func (c *Conn) deadline() time.Time { return time.Now().Add(c.cfg.Timeout) }

// flush writes what there is, and the close frame if it is time for it. It says whether more may be written.
func (c *Conn) flush() bool {
	var buf []byte
	for {
		aside, source, end := c.state()
		for _, frame := range aside {
			if !c.writeText(frame) {
				return false
			}
		}
		var ok bool
		if source != nil {
			buf, ok = source(buf[:0])
		}
		if ok && !c.writeText(buf) {
			return false
		}
		if cap(buf) > keptBuffer {
			buf = nil
		}
		if ok {
			continue
		}
		if end != nil {
			c.writeClose(*end)
			return false
		}
		return true
	}
}

func (c *Conn) state() ([][]byte, func([]byte) ([]byte, bool), *goodbye) {
	c.mu.Lock()
	defer c.mu.Unlock()
	aside := c.aside
	c.aside = nil
	return aside, c.source, c.finish
}

func (c *Conn) writeText(frame []byte) bool {
	_ = c.socket.SetWriteDeadline(c.deadline()) // gorilla's never fails
	if err := c.socket.WriteMessage(websocket.TextMessage, frame); err != nil {
		c.ended("lost")
		c.Interrupt() // the reader ends it
		return false
	}
	return true
}

func (c *Conn) writeClose(end goodbye) {
	message := websocket.FormatCloseMessage(int(end.code), shorten(end.text))
	_ = c.socket.WriteControl(websocket.CloseMessage, message, time.Now().Add(closeWait)) // one that is lost needs no goodbye
	_ = c.socket.SetReadDeadline(time.Now().Add(closeWait))
}

// shorten makes a text fit into a close frame: 125 bytes (RFC 6455 §5.5), of which two are the code. It stays valid UTF-8, as
// clients insist on (§5.5.1).
func shorten(text string) string {
	const most = 123
	if len(text) > most {
		text = text[:most]
	}
	return strings.ToValidUTF8(text, "")
}
