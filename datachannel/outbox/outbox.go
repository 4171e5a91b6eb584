// Package outbox holds what is on its way to one member.
//
// An Outbox numbers counted frames, keeps them until they are acknowledged, and packs frames into wire messages: at once
// when the member's wire is idle, gathered for a moment when it is busy. It is bounded: lossy frames push out the oldest;
// reliable frames that do not fit are dropped with a gap in their place, which the member is told.
//
// It does no I/O and never reads the clock. Encoded frames are shared between the outboxes of many members, so nobody may
// change them after they have been given to one.
package outbox

import (
	"errors"
	"time"

	"github.com/turnout-rtc/turnout/datachannel/frame"
)

// Limits of one Outbox.
type Limits struct {
	Messages      int           // counted frames, sent and not acknowledged ones included
	Bytes         int           // of them, gaps apart
	LossyMessages int           // lossy frames that wait
	LossyBytes    int           // of them
	Gather        time.Duration // frames wait so long for company while the wire is busy
}

// ErrAck is an acknowledgement of something that was never sent, or a stream that cannot be gone on with.
var ErrAck = errors.New("acknowledges frames that were not sent")

// gapFrames is kept free for the gap that says what was dropped.
const gapFrames = 1

// Outbox is what is on its way to one member. The zero value is of no use; see New.
type Outbox struct {
	limits Limits

	counted   queue  // unacknowledged and waiting frames, in the order of their numbers
	acked     uint64 // number of the last frame that left counted
	sent      int    // frames of counted that have been put into a wire message
	sentBytes int    // of them
	gap       uint64 // frames dropped and not told yet; if above 0, counted[sent] is nil and stands for the gap
	lossy     queue
	dropped   Dropped

	last    time.Time // of the last wire message
	waiting time.Time // since when something waits; zero: nothing does
}

// Dropped counts frames that will never arrive.
type Dropped struct {
	Lossy   uint64 // pushed out by newer ones
	Counted uint64 // told by a gap
}

// New makes an empty outbox.
func New(l Limits) *Outbox { return &Outbox{limits: l} }

// Reliable queues the counted frames of one message (several if it is cut into fragments), all of them or none. It says
// whether there was room; if not, everything that has not been sent is dropped and a gap stands in its place.
func (o *Outbox) Reliable(now time.Time, frames ...[]byte) bool {
	size := 0
	for _, f := range frames {
		size += len(f)
	}
	if o.counted.len()+len(frames) > o.limits.Messages-gapFrames || o.counted.bytes+size > o.limits.Bytes {
		o.overflow(len(frames))
		o.wake(now)
		return false
	}
	for _, f := range frames {
		o.counted.push(f)
	}
	o.wake(now)
	return true
}

// overflow drops what waits, and incoming frames more, and puts a gap there.
func (o *Outbox) overflow(incoming int) {
	dropped := uint64(incoming)
	for i := o.sent; i < o.counted.len(); i++ {
		dropped += lostWith(o.counted.at(i))
	}
	o.counted.truncate(o.sent)
	o.dropped.Counted += dropped
	o.gap += dropped
	o.counted.push(nil)
}

// lostWith is the number of frames that are lost when f is dropped. A gap stands for those it tells of; one without bytes
// is counted in Outbox.gap already.
func lostWith(f []byte) uint64 {
	if f == nil {
		return 0
	}
	if !isGap(f) {
		return 1
	}
	raw, _, _ := frame.Next(f)
	decoded, _ := frame.Decode(raw)
	gap, _ := decoded.(frame.Gap)
	return gap.Dropped
}

// isGap looks at the type of a frame that is short enough to be a gap: one byte of length before it.
func isGap(f []byte) bool { return len(f) > 1 && f[0] < 0x80 && f[1] == byte(frame.TypeGap) }

// Lossy queues a lossy frame. The oldest are dropped to make room.
func (o *Outbox) Lossy(now time.Time, f []byte) {
	if len(f) > o.limits.LossyBytes || len(f) > frame.MaxMessage {
		o.dropped.Lossy++
		return
	}
	o.lossy.push(f)
	for o.lossy.len() > o.limits.LossyMessages || o.lossy.bytes > o.limits.LossyBytes {
		o.lossy.pop()
		o.dropped.Lossy++
	}
	o.wake(now)
}

// Ack forgets the frames up to number received.
func (o *Outbox) Ack(received uint64) error {
	if received > o.acked+uint64(o.sent) {
		return ErrAck
	}
	for o.acked < received {
		o.forget()
	}
	return nil
}

// forget lets go of the oldest frame, which has been sent.
func (o *Outbox) forget() {
	o.sentBytes -= len(o.counted.at(0))
	o.counted.pop()
	o.acked++
	o.sent--
}

// Resume prepares for a new wire of the same stream, on whose other end the frames up to received have arrived. All
// others are sent again. On ErrAck nothing has changed, and only Restart remains.
func (o *Outbox) Resume(now time.Time, received uint64) error {
	if received < o.acked {
		return ErrAck
	}
	if err := o.Ack(received); err != nil {
		return err
	}
	if o.gap > 0 {
		o.placeGap()
	}
	o.sent, o.sentBytes = 0, 0
	o.wake(now)
	return nil
}

// placeGap gives the gap its bytes, because its place will no longer be counted[sent]. If the queue has no room for it next
// to that of a later gap, the frame before it, which did not arrive, becomes part of it.
func (o *Outbox) placeGap() {
	if o.counted.len() == o.limits.Messages {
		o.sent--
		lost := lostWith(o.counted.at(o.sent))
		o.counted.truncate(o.sent)
		o.counted.push(nil)
		o.gap += lost
		o.dropped.Counted += lost
	}
	o.counted.set(o.sent, o.encodeGap())
}

// Restart begins a new stream: numbers start at 1, what had been sent and not acknowledged becomes a gap.
func (o *Outbox) Restart(now time.Time) {
	lost := uint64(0)
	for o.sent > 0 {
		lost += lostWith(o.counted.at(0))
		o.forget()
	}
	o.acked = 0
	if lost > 0 {
		o.dropped.Counted += lost
		if o.gap == 0 {
			o.counted.pushFront(nil)
		}
		o.gap += lost
	}
	o.wake(now)
}

func (o *Outbox) encodeGap() []byte {
	b := frame.Append(nil, frame.Gap{Dropped: o.gap})
	o.gap = 0
	return b
}

// Dropped counts since New.
func (o *Outbox) Dropped() Dropped { return o.dropped }

// Backlog is the number of counted frames that are kept, and their bytes.
func (o *Outbox) Backlog() (frames, bytes int) { return o.counted.len(), o.counted.bytes }

func (o *Outbox) wake(now time.Time) {
	if o.waiting.IsZero() {
		o.waiting = now
	}
}

// Limit changes the limits.
func (o *Outbox) Limit(l Limits) { o.limits = l }
