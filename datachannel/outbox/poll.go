package outbox

import (
	"time"

	"github.com/turnout-rtc/turnout/datachannel/frame"
)

// Wires says what Poll may fill a wire message with.
type Wires struct {
	Counted bool
	Lossy   bool
}

// Packed says what Poll has put into a wire message.
type Packed struct {
	Counted int
	Lossy   int
	Gap     bool // a gap is among it: the member has to be brought up to date
}

// Due says when Poll will give something for w: now or earlier, later, or (false) not before more is queued.
func (o *Outbox) Due(w Wires) (time.Time, bool) {
	if !o.has(w) {
		return time.Time{}, false
	}
	// Idle: nothing was sent for two periods, so company is not to be expected.
	if o.waiting.Sub(o.last) >= 2*o.limits.Gather || o.full(w) {
		return o.waiting, true
	}
	return o.waiting.Add(o.limits.Gather), true
}

func (o *Outbox) has(w Wires) bool {
	return w.Counted && o.counted.len() > o.sent && !o.held() || w.Lossy && o.lossy.len() > 0
}

// held says whether the next frame is a gap that must wait for an acknowledgement, because the room for it is taken by
// frames that are on their way. Else a member that never acknowledges would collect gaps.
func (o *Outbox) held() bool { return o.gap > 0 && o.sent >= o.limits.Messages-gapFrames }

// full says whether a wire message is full before the time is up.
func (o *Outbox) full(w Wires) bool {
	size := 0
	if w.Counted {
		size = o.counted.bytes - o.sentBytes
	}
	if w.Lossy {
		size += o.lossy.bytes
	}
	return size >= frame.MaxMessage
}

// Poll appends to b the frames of one wire message, as many as fit into frame.MaxMessage together with what b holds
// already. It does so whether or not they are due; see Due.
func (o *Outbox) Poll(now time.Time, w Wires, b []byte) ([]byte, Packed) {
	var p Packed
	if w.Counted {
		b = o.packCounted(b, &p)
	}
	if w.Lossy {
		b = o.packLossy(b, &p)
	}
	if p.Counted+p.Lossy > 0 {
		o.last = now
		o.waiting = time.Time{}
	}
	if o.has(Wires{Counted: true, Lossy: true}) {
		o.waiting = now
	}
	return b, p
}

func (o *Outbox) packCounted(b []byte, p *Packed) []byte {
	for o.sent < o.counted.len() && !o.held() {
		f := o.counted.at(o.sent)
		if f == nil {
			f = o.encodeGap()
			o.counted.set(o.sent, f)
		}
		if len(b)+len(f) > frame.MaxMessage {
			break
		}
		b = append(b, f...)
		o.sent++
		o.sentBytes += len(f)
		p.Counted++
		p.Gap = p.Gap || isGap(f)
	}
	return b
}

func (o *Outbox) packLossy(b []byte, p *Packed) []byte {
	for o.lossy.len() > 0 && len(b)+len(o.lossy.at(0)) <= frame.MaxMessage {
		b = append(b, o.lossy.at(0)...)
		o.lossy.pop()
		p.Lossy++
	}
	return b
}
