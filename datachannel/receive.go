package datachannel

import (
	"errors"
	"fmt"
	"time"

	"github.com/turnout-rtc/turnout/datachannel/frame"
	"github.com/turnout-rtc/turnout/datachannel/inbox"
	"github.com/turnout-rtc/turnout/datachannel/presence"
)

// tellLimited is how often rate.limited is told: a flood must not be answered with a flood.
const tellLimited = 100 * time.Millisecond

// receive takes one wire message.
func (h *Hub) receive(now time.Time, w *Wire, b []byte) {
	if !w.current() && !w.begins() {
		h.meter.dropped(DroppedStale, 1)
		return
	}
	m := w.member
	h.agenda.mark(m)
	h.meter.received(len(b))
	h.presence.Heard(now, m.identity)
	m.heard = now
	if len(b) == 0 || len(b) > frame.MaxMessage {
		h.refuseWire(now, w, refuse(CodeMalformed, fmt.Sprintf("A wire message has 1 to %d bytes.", frame.MaxMessage)))
		return
	}
	for len(b) > 0 && (w.current() || w.begins()) {
		raw, rest, err := frame.Next(b)
		if err != nil {
			h.refuseWire(now, w, refuse(CodeMalformed, "A wire message cannot be divided into frames."))
			return
		}
		size := len(b) - len(rest)
		b = rest
		h.receiveFrame(now, w, raw, size)
	}
}

// refuseWire answers what makes it impossible to go on counting frames.
func (h *Hub) refuseWire(now time.Time, w *Wire, r *refusal) {
	h.meter.refused(r.code)
	_ = w.member.in.Malformed(now)
	if err := w.conn.Send(frame.Append(nil, r.frame(0))); err != nil {
		h.log.Debug("refusing a wire", "participant", w.member.identity, "error", err)
	}
	h.detach(w)
	h.hangUp(w)
}

func (h *Hub) receiveFrame(now time.Time, w *Wire, raw frame.Raw, size int) {
	m := w.member
	switch {
	case w.lane == Reliable && !w.open && raw.Type != frame.TypeHello:
		h.refuseWire(now, w, refuse(CodeMalformed, "The first frame on a reliable wire is hello."))
		return
	case w.lane == Lossy && raw.Type.Counted():
		h.malformed(now, m, "This type of frame travels on the reliable lane only.")
		return
	case raw.Type.Counted():
		m.in.Count(now, size)
	}
	if raw.Type == frame.TypeAck {
		h.ack(now, m, raw, size)
		return
	}
	f, err := frame.Decode(raw)
	switch {
	case errors.Is(err, frame.ErrUnknown):
		h.meter.dropped(DroppedUnknown, 1)
		if m.in.Message(now, size) != nil {
			h.limited(now, m, 0)
		}
	case err != nil:
		h.malformed(now, m, notTheProtocol(raw.Type))
	default:
		h.receiveLink(now, w, f, size)
	}
}

func notTheProtocol(t frame.Type) string {
	return fmt.Sprintf("A frame of type 0x%02x does not follow the protocol.", uint64(t))
}

func (h *Hub) ack(now time.Time, m *Member, raw frame.Raw, size int) {
	a, err := frame.DecodeAck(raw)
	if err != nil {
		h.malformed(now, m, notTheProtocol(raw.Type))
		return
	}
	if m.in.Bytes(now, size) != nil {
		h.limited(now, m, 0)
	}
	if m.out.Ack(a.Received) != nil {
		h.malformed(now, m, "An ack is above the number of frames sent.")
	}
}

// receiveLink handles what belongs to wire and stream, and lets the rest through if it is not too much.
func (h *Hub) receiveLink(now time.Time, w *Wire, f frame.Frame, size int) {
	m := w.member
	switch f := f.(type) {
	case frame.Hello:
		h.hello(now, w, f)
	case frame.Fragment:
		h.fragmentFrom(now, m, f)
	default:
		if err := m.in.Message(now, size); err != nil {
			h.limited(now, m, idOf(f))
			return
		}
		h.handle(now, m, f)
	}
}

// hello opens a wire: the stream goes on, or a new one begins.
func (h *Hub) hello(now time.Time, w *Wire, f frame.Hello) {
	m := w.member
	switch {
	case f.Version != frame.Version:
		h.refuseWire(now, w, refuse(CodeUnsupported, fmt.Sprintf("This server speaks version %d of the data protocol.", frame.Version)))
		return
	case w.lane == Lossy || w.open:
		h.malformed(now, m, "A hello comes once, at the beginning of a reliable wire.")
		return
	}
	fresh := m.stream == 0
	resumed := !fresh && f.Stream == m.stream && m.out.Resume(now, f.Received) == nil
	if !resumed {
		m.stream = newStream()
		m.in.Restart()
		m.out.Restart(now)
	}
	w.open = true
	h.replace(w)
	h.transmit(w, frame.Append(h.scratch[:0], frame.Welcome{
		Version: frame.Version, Stream: m.stream, Received: m.in.Received(),
		MessageBytes: uint64(h.cfg.MessageBytes), PresenceBytes: uint64(h.cfg.PresenceBytes),
		PresenceTTL: uint64(h.cfg.PresenceTTL.Milliseconds()),
	}), 1)
	m.in.Acked()
	if fresh {
		m.out.Limit(h.cfg.outbox())
	}
	if !resumed {
		h.bringUpToDate(now, m)
	}
}

func (h *Hub) fragmentFrom(now time.Time, m *Member, f frame.Fragment) {
	whole, err := m.in.Fragment(now, f)
	switch {
	case errors.Is(err, inbox.ErrRate):
		h.limited(now, m, f.ID)
	case errors.Is(err, inbox.ErrTooLarge):
		h.refuse(now, m, f.ID, refuse(CodeTooLarge, fmt.Sprintf("A message has at most %d bytes.", h.cfg.MessageBytes)))
	case err != nil:
		h.refuse(now, m, f.ID, refuse(CodeFragment, "The fragments do not fit together, or too many frames are under way."))
	case whole != nil:
		h.whole(now, m, f.ID, whole)
	}
}

// whole handles a frame that came in fragments. The rate has been charged.
func (h *Hub) whole(now time.Time, m *Member, id uint64, b []byte) {
	raw, err := frame.Parse(b)
	if err != nil || !raw.Type.Counted() || raw.Type == frame.TypeFragment {
		h.refuse(now, m, id, refuse(CodeMalformed, "Only counted frames travel in fragments, and not fragments."))
		return
	}
	f, err := frame.Decode(raw)
	switch {
	case errors.Is(err, frame.ErrUnknown):
		h.meter.dropped(DroppedUnknown, 1)
	case err != nil:
		h.refuse(now, m, id, refuse(CodeMalformed, notTheProtocol(raw.Type)))
	default:
		h.handle(now, m, f)
	}
}

// handle does what a frame of the application asks for.
func (h *Hub) handle(now time.Time, m *Member, f frame.Frame) {
	switch f := f.(type) {
	case frame.Send:
		if r := h.send(now, m, f); r != nil {
			h.refuse(now, m, f.ID, r)
		}
	case frame.PresenceSet:
		if r := h.setPresence(now, m, f); r != nil {
			h.refuse(now, m, 0, r)
		}
	case frame.DocOpen, frame.DocUpdate, frame.DocAwareness, frame.DocClose:
		if r := h.handleDoc(now, m, f); r != nil {
			h.refuse(now, m, idOf(f), r)
		}
	default:
		h.refuse(now, m, 0, refuse(CodeMalformed, "Only the server sends frames of this type."))
	}
}

func (h *Hub) setPresence(now time.Time, m *Member, f frame.PresenceSet) *refusal {
	if !m.grants.Publish {
		return refuse(CodeForbidden, "You may not set a presence.")
	}
	if err := h.presence.Set(now, m.identity, f); errors.Is(err, presence.ErrTooLarge) {
		return refuse(CodeTooLarge, fmt.Sprintf("A presence has at most %d bytes.", h.cfg.PresenceBytes))
	}
	return nil
}

func (h *Hub) refuse(now time.Time, m *Member, id uint64, r *refusal) {
	h.meter.refused(r.code)
	h.enqueue(now, m, r.frame(id))
}

// malformed refuses a frame that cannot be read; what comes on a wire that is not open yet cannot be answered.
func (h *Hub) malformed(now time.Time, m *Member, message string) {
	if m.in.Malformed(now) != nil {
		h.limited(now, m, 0)
		return
	}
	h.refuse(now, m, 0, refuse(CodeMalformed, message))
}

// limited refuses what is too much.
func (h *Hub) limited(now time.Time, m *Member, id uint64) {
	r := refuse(CodeRateLimited, fmt.Sprintf("You send more than %d messages or %d bytes a second.", h.cfg.Rate, h.cfg.RateBytes))
	h.meter.refused(r.code)
	if now.Sub(m.limited) < tellLimited {
		return
	}
	m.limited = now
	h.enqueue(now, m, r.frame(id))
}

func idOf(f frame.Frame) uint64 {
	switch f := f.(type) {
	case frame.Send:
		return f.ID
	case frame.DocOpen:
		return f.ID
	case frame.DocUpdate:
		return f.ID
	default:
		return 0
	}
}
