package visit

import (
	"sync"
	"time"

	"github.com/turnout-rtc/turnout/datachannel"
	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// healAfter is how long after a refusal a client is asked for what the server lacks.
const healAfter = time.Second

// healer asks for what was refused for a while: a stock client sends an update once, and only a state vector of the server's makes
// it send what is missing again. The zero value is ready.
type healer struct {
	mu     sync.Mutex
	timer  *time.Timer // Guarded by mu. Nil: nothing is to be healed
	closed bool        // Guarded by mu.
}

// later asks r, in a while, unless that is under way.
func (h *healer) later(r *datachannel.DocReader) {
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

func (h *healer) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	if h.timer != nil {
		h.timer.Stop()
	}
}

// maxRefusals is how many messages above the rate in a row are a flood.
const maxRefusals = 100

// strikes counts what was refused by the rate in a row.
type strikes int

// count says whether it is a flood.
func (s *strikes) count(code datachannel.Code) (flood bool) {
	if code != datachannel.CodeRateLimited {
		return false
	}
	*s++
	return *s >= maxRefusals
}

// Flood is the ending for who goes on.
func Flood() Ending {
	return Ending{protocol.CloseFlood, "too many messages, although they were refused"}
}
