package ws

import (
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// keptBuffer is the largest write buffer that is kept for the next frame.
const keptBuffer = 8 << 10

// writeBytes is about how much is written at once: enough to share the cost of a system call, little enough that what is more
// urgent does not wait long.
const writeBytes = 16 << 10

// writePart is how much of a large frame is written before the other side gets another Timeout for the rest.
const writePart = 64 << 10

// Say sends a text message ahead of those of the source. It says false if too many wait already; only pongs ever come to that.
func (c *Conn) Say(text []byte) bool { return c.say(appendFrame(nil, opText, text)) }

func (c *Conn) say(f Frame) bool {
	c.mu.Lock()
	full := len(c.aside) >= maxAside
	if !full {
		c.aside = append(c.aside, f)
	}
	c.mu.Unlock()
	c.Wake()
	return !full
}

// From sets where text messages come from: next appends the next one to dst, or says false. It is called from the writer's
// goroutine.
func (c *Conn) From(next func(dst []byte) ([]byte, bool)) {
	c.mu.Lock()
	c.source = next
	c.mu.Unlock()
	c.Wake()
}

// Send queues a frame behind all others, text messages included, and returns how many bytes wait now: the queue has no end of its
// own. While the Conn is busy, frames are gathered for Config.Gather and written together.
func (c *Conn) Send(f Frame) (buffered int) {
	c.mu.Lock()
	wake := false
	if !c.over() {
		c.pending.push(f)
		wake = c.queued(len(f))
	}
	buffered = c.buffered
	c.mu.Unlock()
	if wake {
		c.Wake()
	}
	return buffered
}

// Put queues a frame as Send does, for the next Flush, and returns how many bytes wait now.
func (c *Conn) Put(f Frame) (buffered int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over() {
		c.pending.push(f)
		c.buffered += len(f)
	}
	return c.buffered
}

// Flush has what was put written now, together with that of other Conns.
func (c *Conn) Flush() {
	c.mu.Lock()
	some := c.pending.bytes > 0
	c.mu.Unlock()
	if some {
		c.gather.soon(c)
	}
}

// queued notes that so many bytes were put into pending, and says whether the writer has to be woken. mu is held.
func (c *Conn) queued(bytes int) (wake bool) {
	c.buffered += bytes
	before := c.pending.bytes - bytes
	if before > 0 {
		return before < writeBytes && c.pending.bytes >= writeBytes
	}
	// Idle: nothing was written for two periods, so company is not to be expected.
	if gather := c.cfg.Gather; gather == 0 || c.pending.bytes >= writeBytes || time.Since(c.last) >= 2*gather {
		return true
	}
	c.gather.add(c)
	return false
}

// Buffered is the number of bytes given to Send and not yet written.
func (c *Conn) Buffered() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.buffered
}

// OnDrain calls f, from the goroutine that writes, each time Buffered falls to threshold or below it. It is not for a Conn with wires.
func (c *Conn) OnDrain(threshold int, f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drain = drain{threshold, f}
}

// Forget drops the frames that were sent and that the writer has not begun with, except those for which keep says true.
func (c *Conn) Forget(keep func(Frame) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.pending.bytes
	c.pending.sift(keep)
	c.buffered -= before - c.pending.bytes
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
	w := writer{conn: c}
	for {
		if !w.turn(w.flush) {
			return
		}
		select {
		case <-c.wake:
		case <-ping.C:
			if !w.turn(w.beat) {
				return
			}
		case <-c.reading:
			w.turn(w.flush)
			return
		}
	}
}

// writer is what the writing goroutine owns.
type writer struct {
	conn *Conn
	text []byte // one message
	buf  []byte // frames to be written at once
}

// turn does f while nobody else writes. f says whether more may be written.
func (w *writer) turn(f func() bool) bool {
	w.conn.sending.mu.Lock()
	defer w.conn.sending.mu.Unlock()
	if !f() {
		w.conn.sending.over = true
		return false
	}
	return true
}

func (w *writer) beat() bool {
	w.buf = append(append(w.buf[:0], opPing, 0), w.conn.cfg.Beat...)
	return w.rest() && w.put(w.buf)
}

// rest ends a frame that was begun.
func (w *writer) rest() bool {
	b := w.conn.sending.rest
	if len(b) == 0 {
		return true
	}
	w.conn.sending.rest = nil
	if !w.put(b) {
		return false
	}
	w.conn.left(len(b))
	return true
}

// flush writes what there is, and the close frame if it is time for it. It says whether more may be written.
func (w *writer) flush() bool {
	if !w.rest() {
		return false
	}
	for {
		end, more, ok := w.texts()
		switch {
		case !ok:
			return false
		case more:
			continue
		}
		b := w.conn.next()
		switch {
		case b != nil:
			if !w.put(b) {
				return false
			}
			w.conn.left(len(b))
		case end != nil:
			w.conn.writeClose(*end)
			return false
		default:
			return true
		}
	}
}

// texts writes what goes first, some at a time; more says that there may be more of it.
func (w *writer) texts() (end *goodbye, more, ok bool) {
	aside, source, end := w.conn.state()
	w.buf = w.buf[:0]
	for _, frame := range aside {
		w.buf = append(w.buf, frame...)
	}
	for more = source != nil; more && len(w.buf) < writeBytes; {
		if w.text, more = source(w.text[:0]); more {
			w.buf = appendFrame(w.buf, opText, w.text)
		}
	}
	ok = len(w.buf) == 0 || w.put(w.buf)
	if cap(w.buf) > keptBuffer {
		w.buf = nil
	}
	if cap(w.text) > keptBuffer {
		w.text = nil
	}
	return end, more, ok
}

// left notes that so much of what was sent has left.
func (c *Conn) left(bytes int) {
	c.mu.Lock()
	before := c.buffered
	c.buffered -= bytes
	var drained func()
	if before > c.drain.threshold && c.buffered <= c.drain.threshold {
		drained = c.drain.tell
	}
	c.mu.Unlock()
	if drained != nil {
		drained()
	}
}

func (c *Conn) deadline() time.Time { return time.Now().Add(c.cfg.Timeout) }

func (c *Conn) state() ([]Frame, func([]byte) ([]byte, bool), *goodbye) {
	c.mu.Lock()
	defer c.mu.Unlock()
	aside := c.aside
	c.aside = nil
	return aside, c.source, c.finish
}

// put writes frames, past gorilla, which would make a system call of each. A close frame of gorilla's comes between two calls
// of Write, and so between two frames or before the end.
func (w *writer) put(b []byte) bool {
	socket := w.conn.socket.NetConn()
	for len(b) > 0 {
		part := b[:min(len(b), writePart)]
		b = b[len(part):]
		_ = socket.SetWriteDeadline(w.conn.deadline()) // one that is closed fails at the write
		if _, err := socket.Write(part); err != nil {
			w.conn.ended("lost")
			w.conn.Interrupt() // the reader ends it
			return false
		}
	}
	_ = socket.SetWriteDeadline(time.Time{}) // for sendNow
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
