package datachannel

import (
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/turnout-rtc/turnout/datachannel/frame"
	"github.com/turnout-rtc/turnout/datachannel/inbox"
	"github.com/turnout-rtc/turnout/datachannel/outbox"
	"github.com/turnout-rtc/turnout/datachannel/presence"
	"github.com/turnout-rtc/turnout/datachannel/store"
)

// ServerMessage is a message that a member sent to the server.
type ServerMessage struct {
	From    string
	Topic   string
	Payload []byte // the receiver's to keep
}

// Services are what a hub may stand on. The zero value is allowed.
type Services struct {
	// Serve is called for each message to the server, from the hub's goroutine, and has to return at once. With nil, such
	// messages have no recipient.
	Serve func(ServerMessage)
	// Store keeps the documents. With nil, there are none.
	Store *store.Writer
}

// Hub is one room's data.
type Hub struct {
	// Set at construction, never changed.
	name  string
	cfg   Config
	log   *slog.Logger
	meter *meter
	box   *mailbox
	with  Services
	via   atomic.Uint64 // numbers the readers of documents

	quit sync.Once
	stop chan struct{} // closed by Close
	done chan struct{} // closed when run has returned

	// Owned by run.
	members  map[string]*Member
	agenda   agenda
	presence *presence.Map
	library  library
	attached uint64 // wires, ever
	fragment uint64 // id of the last frame that was cut into fragments
	scratch  []byte // one wire message
	single   [1][]byte
}

// NewHub starts a room's data, under the name of the room.
func NewHub(name string, cfg Config, log *slog.Logger, with Services) *Hub {
	h := newHub(name, cfg, log, with)
	go h.run()
	return h
}

// newHub makes a hub whose loop does not run.
func newHub(name string, cfg Config, log *slog.Logger, with Services) *Hub {
	cfg = cfg.WithDefaults()
	return &Hub{
		name: name, cfg: cfg, log: log.With("room", name), meter: newMeter(), box: newMailbox(), with: with,
		stop: make(chan struct{}), done: make(chan struct{}),
		members: map[string]*Member{}, library: library{docs: map[string]*document{}}, presence: presence.New(cfg.presence()), scratch: make([]byte, 0, frame.MaxMessage),
	}
}

// Join adds a member under an identity that is unique in the hub; a member of the same identity is replaced.
func (h *Hub) Join(identity string, g Grants) *Member {
	m := &Member{
		hub: h, identity: identity, grants: g, slots: make(chan struct{}, memberSlots),
		in: inbox.New(h.cfg.inbox()), out: outbox.New(early(h.cfg.outbox())), docs: map[uint64]*DocReader{},
	}
	h.box.put(opJoin{m})
	return m
}

// early limits what waits for a member that has not said hello yet: it may never do.
func early(l outbox.Limits) outbox.Limits {
	l.Messages = min(l.Messages, 256)
	l.Bytes = min(l.Bytes, 256<<10)
	return l
}

// Stats of the hub.
func (h *Hub) Stats() Stats { return h.meter.read() }

// Close ends the hub and waits for its goroutine. It may be called twice. Conns stay open; they are their owner's.
func (h *Hub) Close() {
	h.quit.Do(func() { close(h.stop) })
	<-h.done
}

// batch is the number of ops after which queues are flushed, however many wait: much smaller than any queue.
const batch = 256

func (h *Hub) run() {
	defer close(h.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var letters, visits []letter
	var rest time.Time // until when what visits send is gathered; zero: it is not
	for {
		select {
		case <-h.stop:
			return
		case <-h.box.filled:
		case <-timer.C:
		}
		letters = h.box.take(letters)
		h.doAll(letters)
		if now := time.Now(); !now.Before(rest) {
			visits = h.box.takeVisits(visits)
			h.doAll(visits)
			if rest = now.Add(h.cfg.Gather); len(visits) == 0 {
				rest = time.Time{}
			}
		}
		next, ok := h.flush(time.Now())
		h.pause()
		if !rest.IsZero() && (!ok || rest.Before(next)) {
			next, ok = rest, true
		}
		if ok {
			timer.Reset(time.Until(next))
		} else {
			timer.Stop()
		}
	}
}

func (h *Hub) doAll(letters []letter) {
	for i, l := range letters {
		l.do(h, time.Now())
		letters[i] = letter{}
		if i%batch == batch-1 {
			h.flush(time.Now())
		}
	}
}

func (h *Hub) join(now time.Time, m *Member) {
	if old := h.members[m.identity]; old != nil {
		h.leave(now, old)
	}
	h.members[m.identity] = m
	h.gauges()
}

func (h *Hub) leave(now time.Time, m *Member) {
	if m.left {
		return
	}
	m.left = true
	for _, r := range m.docs {
		h.closeDoc(now, r)
	}
	m.wires = [lanes]*Wire{}
	h.agenda.remove(m)
	delete(h.members, m.identity)
	h.presence.Leave(now, m.identity)
	h.gauges()
}

// attach takes note of a wire. A lossy one takes the place of the one before at once, a reliable one when it says hello: until then its
// other end may not know that it is there.
func (h *Hub) attach(w *Wire) {
	h.attached++
	w.number = h.attached
	if w.lane == Lossy && !w.member.left {
		h.replace(w)
	}
}

// replace puts a wire into the place of the one before, which is closed.
func (h *Hub) replace(w *Wire) {
	m := w.member
	old := m.wires[w.lane]
	m.wires[w.lane] = w
	h.agenda.mark(m)
	h.gauges()
	if old != nil {
		old.gone = true
		h.hangUp(old)
	}
}

// detach takes a wire away.
func (h *Hub) detach(w *Wire) {
	if w.current() {
		w.member.wires[w.lane] = nil
		h.gauges()
	}
	w.gone = true
}

// hangUp closes a wire that is the member's no more: another has taken its place, or its other end does not follow the protocol.
func (h *Hub) hangUp(w *Wire) {
	if err := w.conn.Close(); err != nil {
		h.log.Debug("closing a wire", "participant", w.member.identity, "error", err)
	}
}

func (h *Hub) gauges() {
	wires := 0
	for _, m := range h.members {
		for _, w := range m.wires {
			if w != nil {
				wires++
			}
		}
	}
	h.meter.gauges(len(h.members), wires)
}

// newStream is a random number, so that a client which comes back to another server or another membership is noticed.
func newStream() uint64 { return 1 + rand.Uint64N(1<<48-1) }
