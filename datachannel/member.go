package datachannel

import (
	"sync/atomic"
	"time"

	"github.com/turnout-rtc/turnout/datachannel/inbox"
	"github.com/turnout-rtc/turnout/datachannel/outbox"
)

// memberSlots is the number of wire messages of one member that wait for the loop. A member that sends more waits, and
// others do not.
const memberSlots = 64

// Member is one participant's data. Its methods may be called from any goroutine, return at once, and do nothing after Leave.
type Member struct {
	// Set at construction, never changed.
	hub      *Hub
	identity string
	grants   Grants
	slots    chan struct{} // one is taken by each wire message that waits for the loop

	// Owned by run.
	in      *inbox.Inbox
	out     *outbox.Outbox
	wires   [lanes]*Wire
	stream  uint64 // 0 before the first hello
	left    bool
	next    appointment
	told    outbox.Dropped // of out, in the stats already
	limited time.Time      // when rate.limited was last told
	heard   time.Time      // when anything last came
	docs    map[uint64]*DocReader
}

// Attach gives the member a way to be reached on a lane, in place of the one before, whose Conn the hub closes: at once on the lossy lane,
// with its hello on the reliable one. Close the Conn and Detach the Wire when it has ended; the hub closes it when the member does not
// follow the protocol.
func (m *Member) Attach(l Lane, c Conn) *Wire {
	w := &Wire{member: m, lane: l, conn: c}
	c.OnDrain(lowWater, w.drained)
	m.hub.box.put(opAttach{w})
	return w
}

// Leave ends the membership: its presence is gone for the others. What it sent before still arrives.
func (m *Member) Leave() { m.hub.box.put(opLeave{m}) }

// Wire is a Conn attached to a member. Its methods may be called from any goroutine.
type Wire struct {
	// Set at construction, never changed.
	member *Member
	lane   Lane
	conn   Conn

	draining atomic.Bool // opDrained is in the mailbox

	// Owned by run.
	number  uint64 // rises
	open    bool   // hello was answered; never on the lossy lane
	gone    bool   // detached, replaced or refused
	blocked bool   // waits for OnDrain
	room    int    // bytes it takes before it has to be asked how much it holds
}

// Receive takes one wire message that arrived; b is the member's to keep. It blocks while much of the member's waits for
// the hub, so that the sender's own connection holds it back.
func (w *Wire) Receive(b []byte) {
	select {
	case w.member.slots <- struct{}{}:
		w.member.hub.box.post(letter{wire: w, data: b})
	case <-w.member.hub.done:
	}
}

// Detach takes the wire away, if no other has taken its place. What is queued waits for the next one.
func (w *Wire) Detach() { w.member.hub.box.put(opDetach{w}) }

func (w *Wire) drained() {
	if w.draining.CompareAndSwap(false, true) {
		w.member.hub.box.put(opDrained{w})
	}
}

// current says whether the wire is still the member's.
func (w *Wire) current() bool { return !w.member.left && w.member.wires[w.lane] == w }

// begins says whether the wire may still say hello: none that is newer has.
func (w *Wire) begins() bool {
	now := w.member.wires[w.lane]
	return w.lane == Reliable && !w.open && !w.gone && !w.member.left && (now == nil || now.number < w.number)
}
