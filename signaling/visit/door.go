package visit

import (
	"errors"
	"net/http"
	"time"

	"github.com/turnout-rtc/turnout/datachannel/yjs"
	"github.com/turnout-rtc/turnout/signaling/protocol"
	"github.com/turnout-rtc/turnout/signaling/ws"
)

// Door lets connections in. All of it must be set. Sockets is its own, and its owner's to close.
type Door struct {
	Sockets *ws.Door
	House   House

	QueueBytes   int           // that may wait for one connection
	FirstMessage time.Duration // until a connection says which document it wants
	CatchUp      time.Duration // see Config
}

// Caller is one connection, as one door understands it. Its methods are called by its reader.
type Caller interface {
	// Hear takes one message. The error, a *protocol.Error, ends the connection.
	Hear(b []byte) error
	// Begun says whether the connection has said which document it wants.
	Begun() bool
	// Close ends what the connection has begun.
	Close()
}

// Answer upgrades a request and reads the connection until its end. call makes the Caller; its error refuses the connection. kind reads
// what kind of message a frame of the caller's wire is.
func (d Door) Answer(w http.ResponseWriter, r *http.Request, kind func(message []byte) (yjs.Kind, error), call func(*Out) (Caller, error)) {
	d.Sockets.Upgrade(w, r, func(c *ws.Conn) {
		out := newOut(c, d.QueueBytes, d.CatchUp, func(f ws.Frame) bool {
			k, err := kind(f.Payload())
			return err != nil || lasting(k)
		})
		defer out.close()
		if err := d.serve(c, out, call); err != nil {
			d.Refuse(err)
			out.End(Refused(err))
		}
		for { // until the other side has closed, too
			if _, err := c.Read(); err != nil {
				return
			}
		}
	})
}

// Refuse counts an error that was told to a client.
func (d Door) Refuse(err error) {
	var fault *protocol.Error
	if errors.As(err, &fault) {
		d.House.Refused(string(fault.Code))
	}
}

// serve returns when the connection has nothing more to say, or may not say it.
func (d Door) serve(c *ws.Conn, out *Out, call func(*Out) (Caller, error)) error {
	caller, err := call(out)
	if err != nil {
		return err
	}
	defer caller.Close()
	c.Expect(time.Now().Add(d.FirstMessage))
	for {
		m, err := c.Read()
		if errors.Is(err, ws.ErrTimeout) {
			out.silent(caller.Begun())
		}
		if err != nil {
			return nil //nolint:nilerr // it is lost, and there is nobody to tell
		}
		if err := caller.Hear(m.Data); err != nil {
			return err
		}
	}
}
