package datachannel

import (
	"time"

	"github.com/turnout-rtc/turnout/datachannel/frame"
	"github.com/turnout-rtc/turnout/datachannel/outbox"
)

// flush sends what is due, and says when something will be due next.
func (h *Hub) flush(now time.Time) (next time.Time, ok bool) {
	h.tellPresence(now)
	next, ok = h.presence.Due()
	if at, due := h.tend(now); due && (!ok || at.Before(next)) {
		next, ok = at, true
	}
	h.agenda.ripe(now)
	h.agenda.looked(func(m *Member) (time.Time, bool) {
		h.countDropped(m)
		return h.flushMember(now, m)
	})
	if at, due := h.agenda.due(); due && (!ok || at.Before(next)) {
		next, ok = at, true
	}
	return next, ok
}

// tellPresence queues the changes of presence for everyone; the bytes are shared. A single change is not told to its owner.
func (h *Hub) tellPresence(now time.Time) {
	h.presence.Sweep(now)
	entries := h.presence.Flush(now)
	if len(entries) == 0 {
		return
	}
	frames := h.cut(frame.Append(nil, frame.Presence{Entries: entries}))
	for _, m := range h.members {
		if m.stream == 0 || !m.grants.Subscribe || len(entries) == 1 && entries[0].Identity == m.identity {
			continue
		}
		m.out.Reliable(now, frames...)
		h.agenda.mark(m)
	}
}

// bringUpToDate gives a member what it cannot have: at the beginning of a stream, and after a gap.
func (h *Hub) bringUpToDate(now time.Time, m *Member) {
	if m.grants.Subscribe {
		h.enqueue(now, m, frame.Presence{Full: true, Entries: h.presence.All(m.identity)})
	}
}

func (h *Hub) flushMember(now time.Time, m *Member) (next time.Time, ok bool) {
	reliable, lossy := m.wires[Reliable], m.wires[Lossy]
	if reliable != nil && !reliable.blocked {
		next, ok = h.flushWire(now, reliable, outbox.Wires{Counted: true, Lossy: lossy == nil})
	}
	if lossy != nil && !lossy.blocked {
		if at, due := h.flushWire(now, lossy, outbox.Wires{Lossy: true}); due && (!ok || at.Before(next)) {
			next, ok = at, true
		}
	}
	return next, ok
}

// flushWire sends the wire messages that are due, until the wire is full.
func (h *Hub) flushWire(now time.Time, w *Wire, what outbox.Wires) (next time.Time, ok bool) {
	m := w.member
	for w.current() {
		next, ok = m.out.Due(what)
		ackAt, ackDue := m.in.AckDue()
		ackDue = ackDue && w.lane == Reliable
		if ackDue && (!ok || ackAt.Before(next)) {
			next, ok = ackAt, true
		}
		if !ok || next.After(now) {
			return next, ok
		}
		if !w.takesMore() {
			return time.Time{}, false
		}
		b, frames := h.scratch[:0], 0
		if ackDue {
			b, frames = frame.Append(b, frame.Ack{Received: m.in.Received()}), 1
			m.in.Acked()
		}
		b, packed := m.out.Poll(now, what, b)
		h.transmit(w, b, frames+packed.Counted+packed.Lossy)
		if packed.Gap {
			h.bringUpToDate(now, m)
		}
	}
	return time.Time{}, false
}

// takesMore says whether the wire may be filled. It asks the Conn only when that could be full, for that takes a lock of others.
func (w *Wire) takesMore() bool {
	if w.room <= 0 {
		w.room = highWater - int(min(w.conn.BufferedAmount(), highWater))
		w.blocked = w.room == 0
	}
	return !w.blocked
}

// drained lets a wire be filled again.
func (h *Hub) drained(w *Wire) {
	w.draining.Store(false)
	w.blocked = false
	h.agenda.mark(w.member)
}

// transmit sends one wire message. A wire that does not take it is detached: what it should have carried goes with the next.
func (h *Hub) transmit(w *Wire, b []byte, frames int) {
	if err := w.conn.Send(b); err != nil {
		h.meter.dropped(DroppedSend, 1)
		h.log.Debug("sending on a wire", "participant", w.member.identity, "error", err)
		h.detach(w)
		return
	}
	w.room -= len(b)
	h.meter.sent(len(b), frames)
}

// countDropped brings what the outbox dropped into the stats.
func (h *Hub) countDropped(m *Member) {
	d := m.out.Dropped()
	h.meter.dropped(DroppedLossy, d.Lossy-m.told.Lossy)
	h.meter.dropped(DroppedGap, d.Counted-m.told.Counted)
	m.told = d
}
