package visit

import (
	"sync"
	"time"

	"github.com/turnout-rtc/turnout/datachannel"
	"github.com/turnout-rtc/turnout/signaling/protocol"
	"github.com/turnout-rtc/turnout/signaling/ws"
)

// Out is what is sent to one connection. Its methods return at once.
//
// For a connection that takes less than it is sent, the queue is bounded: when it is over its limit, what of it the hub can make up for is
// dropped, and the hub says what the connection lacks when the rest has left. If that takes too long, the connection is closed.
type Out struct {
	// Set at construction, never changed.
	conn    *ws.Conn
	limit   int           // bytes that may wait
	catchUp time.Duration // that what was on its way may take to leave
	keep    func(ws.Frame) bool

	// Guarded by mu.
	mu      sync.Mutex
	drained func()      // says so to the hub
	late    *time.Timer // not nil: the hub is to be told when the queue has drained
	closed  bool

	// Owned by the hub's goroutine.
	dropped bool // something, since it was last asked
}

func newOut(c *ws.Conn, limit int, catchUp time.Duration, keep func(ws.Frame) bool) *Out {
	o := &Out{conn: c, limit: limit, catchUp: catchUp, keep: keep}
	c.OnDrain(0, o.onDrain)
	return o
}

// Drained sets what tells the hub that a queue has drained. To be called before the first document is opened.
func (o *Out) Drained(f func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.drained = f
}

// Reply queues a small frame from the connection's reader.
func (o *Out) Reply(f ws.Frame) {
	if o.conn.Send(f) > 2*o.limit {
		o.slow()
	}
}

// Send queues a frame. Like Put, it is called by the hub.
func (o *Out) Send(f ws.Frame) datachannel.Reception { return o.queued(o.conn.Send(f), len(f)) }

// Put queues a frame for the next Flush.
func (o *Out) Put(f ws.Frame) datachannel.Reception { return o.queued(o.conn.Put(f), len(f)) }

// Flush has what was put written.
func (o *Out) Flush() { o.conn.Flush() }

func (o *Out) queued(waiting, size int) datachannel.Reception {
	switch {
	case waiting > 2*o.limit: // of what is kept
		o.slow()
	case waiting > o.limit:
		o.conn.Forget(o.keep)
		o.dropped = true
		o.Await()
		return datachannel.Full
	case waiting <= size:
		return datachannel.Taken
	}
	return datachannel.Waits
}

// Await has the hub told when the queue has drained, if that is soon enough.
func (o *Out) Await() {
	o.mu.Lock()
	if o.late == nil && !o.closed {
		o.late = time.AfterFunc(o.catchUp, o.slow)
	}
	o.mu.Unlock()
	if o.conn.Buffered() == 0 {
		o.onDrain()
	}
}

func (o *Out) onDrain() {
	o.mu.Lock()
	waited := o.late != nil && !o.closed
	if waited {
		o.late.Stop()
		o.late = nil
	}
	drained := o.drained
	o.mu.Unlock()
	if waited && drained != nil {
		drained()
	}
}

func (o *Out) slow() {
	o.conn.Forget(func(ws.Frame) bool { return false })
	o.End(Ending{protocol.CloseSlowReader, "messages were not taken as fast as they came"})
}

// End closes the connection.
func (o *Out) End(e Ending) { o.conn.Finish(e.Code, e.Text) }

// Begun says that the connection has said what it is here for.
func (o *Out) Begun() { o.conn.Expect(time.Time{}) }

// silent closes a connection from which nothing was heard in time. begun says whether it had said what it is here for.
func (o *Out) silent(begun bool) {
	e := Ending{protocol.CloseSilent, "nothing was heard from you"}
	if !begun {
		e = Ending{protocol.CloseProtocol, "you did not say in time which document you want"}
	}
	o.End(e)
	o.conn.Interrupt() // nothing will be heard
}

func (o *Out) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	if o.late != nil {
		o.late.Stop()
	}
}
