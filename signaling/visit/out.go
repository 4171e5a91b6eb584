package visit

import (
	"sync"
	"time"

	"github.com/turnout-rtc/turnout/datachannel"
	"github.com/turnout-rtc/turnout/signaling/protocol"
	"github.com/turnout-rtc/turnout/signaling/ws"
)

// Out is what is sent to one connection. Its methods return at once.
type Out struct {
	Conn  *ws.Conn
	Bytes int // that may wait
}

// Send queues a frame. Who is slower than that is closed: a client that connects again is brought up to date by its state vector,
// so that nothing is skipped in silence.
func (o Out) Send(f ws.Frame) { o.limit(o.Conn.Send(f)) }

// Put queues a frame for the next Flush. Else it is as Send.
func (o Out) Put(f ws.Frame) { o.limit(o.Conn.Put(f)) }

// Flush has what was put written.
func (o Out) Flush() { o.Conn.Flush() }

func (o Out) limit(waiting int) {
	if waiting > o.Bytes {
		o.Conn.Forget()
		o.End(Ending{protocol.CloseSlowReader, "messages were not taken as fast as they came"})
	}
}

// End closes the connection.
func (o Out) End(e Ending) { o.Conn.Finish(e.Code, e.Text) }

// Silent closes a connection from which nothing was heard in time. begun says whether it had said what it is here for.
func (o Out) Silent(begun bool) {
	e := Ending{protocol.CloseSilent, "nothing was heard from you"}
	if !begun {
		e = Ending{protocol.CloseProtocol, "you did not say in time which document you want"}
	}
	o.End(e)
	o.Conn.Interrupt() // nothing will be heard
}

// healAfter is how long after a refusal a client is asked for what the server lacks.
const healAfter = time.Second

// Healer asks for what was refused for a while: a stock client sends an update once, and only a state vector of the server's makes
// it send what is missing again. The zero value is ready.
type Healer struct {
	mu     sync.Mutex
	timer  *time.Timer // Guarded by mu. Nil: nothing is to be healed
	closed bool        // Guarded by mu.
}

// Later asks r, in a while, unless that is under way.
func (h *Healer) Later(r *datachannel.DocReader) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.timer == nil && !h.closed {
		h.timer = time.AfterFunc(healAfter, func() {
			h.mu.Lock()
			h.timer = nil
			closed := h.closed
			h.mu.Unlock()
			if !closed {
				r.Ask()
			}
		})
	}
}

// Close ends it.
func (h *Healer) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	if h.timer != nil {
		h.timer.Stop()
	}
}

// MaxRefusals is how many messages above the rate in a row are a flood.
const MaxRefusals = 100

// Strikes counts what was refused by the rate in a row.
type Strikes int

// Count says whether it is a flood.
func (s *Strikes) Count(code datachannel.Code) (flood bool) {
	if code != datachannel.CodeRateLimited {
		return false
	}
	*s++
	return *s >= MaxRefusals
}

// Clear says that something was taken.
func (s *Strikes) Clear() { *s = 0 }

// Flood is the ending for who goes on.
func Flood() Ending {
	return Ending{protocol.CloseFlood, "too many messages, although they were refused"}
}
