// Package inbox watches over what arrives from one member: it counts the frames of the stream, puts fragments together,
// and says when the member sends too much.
//
// An Inbox does no I/O and never reads the clock. Its memory is bounded by its Limits, whatever arrives.
package inbox

import (
	"errors"
	"time"

	"golang.org/x/time/rate"

	"github.com/turnout-rtc/turnout/datachannel/frame"
)

// Limits of one Inbox.
type Limits struct {
	MessageBytes int     // largest payload of a message, after fragments are put together
	Rate         float64 // messages a second
	Burst        int
	RateBytes    float64 // bytes a second
	BurstBytes   int     // at least the largest frame, or that can never be sent
}

// The sizes of what may be under way in fragments.
const (
	MaxUnderWay = 8     // frames
	FrameSlack  = 65536 // a frame may be so much larger than its payload: topic, identities
)

// Acknowledgements are due after so much, or after AckDelay.
const (
	ackFrames = 64
	ackBytes  = 64 << 10
	AckDelay  = time.Second
)

// MalformedCost is what a malformed frame counts as, in messages.
const MalformedCost = 10

// The ways to refuse a fragment or a message.
var (
	ErrTooLarge = errors.New("the frame is larger than allowed")
	ErrFragment = errors.New("the fragment does not go on where the last one ended, or too many frames are under way")
	ErrRate     = errors.New("more is sent than allowed")
)

// Inbox is what arrives from one member. The zero value is of no use; see New.
type Inbox struct {
	limits   Limits // never changed
	messages *rate.Limiter
	bytes    *rate.Limiter

	received uint64 // counted frames of this stream
	told     uint64 // of them, acknowledged
	size     int    // bytes of those not acknowledged
	since    time.Time

	underWay map[uint64]*partial
	declared int // sum of the totals under way
}

type partial struct {
	data  []byte
	total int
}

// New makes an empty inbox.
func New(l Limits) *Inbox {
	return &Inbox{
		limits:   l,
		messages: rate.NewLimiter(rate.Limit(l.Rate), l.Burst),
		bytes:    rate.NewLimiter(rate.Limit(l.RateBytes), l.BurstBytes),
		underWay: map[uint64]*partial{},
	}
}

// Count counts a counted frame of so many bytes.
func (i *Inbox) Count(now time.Time, bytes int) {
	if i.received == i.told {
		i.since = now
	}
	i.received++
	i.size += bytes
}

// Received is the number of counted frames on this stream.
func (i *Inbox) Received() uint64 { return i.received }

// AckDue says when to acknowledge; false: there is nothing to acknowledge.
func (i *Inbox) AckDue() (time.Time, bool) {
	if i.received == i.told {
		return time.Time{}, false
	}
	if i.received-i.told >= ackFrames || i.size >= ackBytes {
		return i.since, true
	}
	return i.since.Add(AckDelay), true
}

// Acked says that Received has been told to the member.
func (i *Inbox) Acked() {
	i.told = i.received
	i.size = 0
}

// Restart begins a new stream.
func (i *Inbox) Restart() {
	i.received = 0
	i.Acked()
	clear(i.underWay)
	i.declared = 0
}

// Message asks for permission to let a message of so many bytes in. The error is ErrRate.
func (i *Inbox) Message(now time.Time, bytes int) error {
	return i.charge(now, 1, bytes)
}

// Bytes asks for permission to let in something that counts as no message. The error is ErrRate.
func (i *Inbox) Bytes(now time.Time, bytes int) error {
	return i.charge(now, 0, bytes)
}

// Exhausted says whether not one message would be let in now.
func (i *Inbox) Exhausted(now time.Time) bool { return i.messages.TokensAt(now) < 1 }

// Malformed charges for a frame that cannot be read.
func (i *Inbox) Malformed(now time.Time) error {
	return i.charge(now, MalformedCost, 0)
}

func (i *Inbox) charge(now time.Time, messages, bytes int) error {
	if !i.messages.AllowN(now, min(messages, i.messages.Burst())) || !i.bytes.AllowN(now, bytes) {
		return ErrRate
	}
	return nil
}

// Fragment takes a fragment. When it is the last one of its frame, whole is the frame's type and body. The rate is
// charged for the whole frame at the first. Further fragments of a frame that was refused are ignored.
func (i *Inbox) Fragment(now time.Time, f frame.Fragment) (whole []byte, err error) {
	p := i.underWay[f.ID]
	switch {
	case p == nil && f.Offset > 0:
		return nil, i.Bytes(now, len(f.Data))
	case p == nil:
		if p, err = i.begin(now, f); err != nil {
			return nil, err
		}
	case f.Offset != uint64(len(p.data)) || f.Total != uint64(p.total):
		i.drop(f.ID)
		return nil, ErrFragment
	}
	p.data = append(p.data, f.Data...)
	if len(p.data) < p.total {
		return nil, nil
	}
	i.drop(f.ID)
	return p.data, nil
}

func (i *Inbox) begin(now time.Time, f frame.Fragment) (*partial, error) {
	largest := i.limits.MessageBytes + FrameSlack
	switch {
	case f.Total > uint64(largest):
		return nil, ErrTooLarge
	case len(i.underWay) == MaxUnderWay || i.declared+int(f.Total) > 2*largest:
		return nil, ErrFragment
	}
	if err := i.Message(now, int(f.Total)); err != nil {
		return nil, err
	}
	p := &partial{total: int(f.Total)}
	i.underWay[f.ID] = p
	i.declared += p.total
	return p, nil
}

func (i *Inbox) drop(id uint64) {
	i.declared -= i.underWay[id].total
	delete(i.underWay, id)
}
