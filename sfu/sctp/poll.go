package sctp

import (
	"encoding/binary"
	"time"
)

// Poll writes the next packet into buf, which has room for Config.MaxPacket, and returns its length; 0: there is none now. It also
// does what timers ask for.
func (a *Association) Poll(now time.Time, buf []byte) int {
	if n := a.pollGreeting(buf); n > 0 {
		return n
	}
	if a.open() {
		a.timers(now)
	}
	if a.state == aborting {
		return a.pollAbort(buf)
	}
	if !a.open() {
		return 0
	}
	w := begin(buf, a.cfg.MaxPacket, a.local)
	if len(a.replies) > 0 {
		w.b = append(w.b, a.replies...)
		a.replies = nil
	}
	a.pollReport(&w)
	a.out.tooLate(now) // it may be half sent, and then the peer is told
	a.out.forward.write(&w, &a.out)
	a.out.write(now, &w)
	a.askResets(now, &w)
	a.pollShutdown(now, &w)
	return w.finish()
}

// pollReport writes the report that is due. One that may wait goes along with data if it leaves room for the first piece of it.
func (a *Association) pollReport(w *writer) {
	if !a.in.ack.now {
		if !a.in.owed() || !a.out.ready() || a.out.pieceSize()+a.in.size() > w.room() {
			return
		}
	}
	a.in.write(w)
}

func (a *Association) pollAbort(buf []byte) int {
	w := begin(buf, a.cfg.MaxPacket, a.local)
	cause := w.chunk(typeAbort, 0, paramHeader)
	binary.BigEndian.PutUint16(cause, causeUser)
	binary.BigEndian.PutUint16(cause[2:], paramHeader)
	a.state = ended
	return w.finish()
}

// timers does what is due.
func (a *Association) timers(now time.Time) {
	if !a.in.ack.at.IsZero() && !now.Before(a.in.ack.at) {
		a.in.ack.now = true
	}
	if !a.out.due(now) {
		a.fail(ErrTimeout)
	}
}

// Due returns when Poll is to be called though nothing else happened; the zero time means at once. Without true, only after the
// next Receive, Send, Taken, Reset or Abort.
func (a *Association) Due() (time.Time, bool) {
	switch {
	case a.state == aborting, a.greeting != nil && a.greeting.answer != nil:
		return time.Time{}, true
	case !a.open():
		return time.Time{}, false
	case len(a.replies) > 0, a.in.ack.now, a.out.ready(), a.out.forward.due, a.resets.ready(&a.out), a.leaves():
		return time.Time{}, true
	}
	var due time.Time
	for _, at := range [...]time.Time{a.out.expiry, a.in.ack.at, a.resets.expiry, a.shutdown.expiry} {
		if !at.IsZero() && (due.IsZero() || at.Before(due)) {
			due = at
		}
	}
	return due, !due.IsZero()
}
