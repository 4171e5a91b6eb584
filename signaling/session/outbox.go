package session

import "github.com/turnout-rtc/turnout/signaling/protocol"

// overhead is roughly what an entry costs beside its message.
const overhead = 64

// Outbox numbers messages from 1 and keeps them until they are acknowledged or pushed out by newer ones. What was never sent is
// never pushed out: an Outbox that is full of it overflows.
type Outbox struct {
	maxMessages, maxBytes int

	entries []entry // entries[gone+i] has the number first+i
	gone    int     // entries at the front that are forgotten
	first   uint64  // number of the oldest that is kept
	sent    uint64  // number of the last one that was handed out
	bytes   int
}

type entry struct {
	body protocol.Body
	re   uint64
}

// Push adds a message; re is the request it replies to, or 0. It says false, and takes nothing, if there is no room.
// A single message always finds room in an outbox that has nothing to send, so that no message is too big to be said.
func (o *Outbox) Push(body protocol.Body, re uint64) bool {
	size := body.Len() + overhead
	for o.kept() > 0 && (o.kept() >= o.maxMessages || o.bytes+size > o.maxBytes) {
		if o.first > o.sent {
			return false
		}
		o.forget(1)
	}
	o.entries = append(o.entries, entry{body: body, re: re})
	o.bytes += size
	return true
}

// Next appends the next frame to dst. It says false when there is none.
func (o *Outbox) Next(dst []byte) ([]byte, bool) {
	if o.Waiting() == 0 {
		return dst, false
	}
	o.sent++
	e := o.entries[o.gone+int(o.sent-o.first)]
	return e.body.AppendFrame(dst, o.sent, e.re), true
}

// Waiting is the number of messages that were not handed out yet.
func (o *Outbox) Waiting() int { return int(o.last() - o.sent) }

// Ack forgets everything up to n. What was not sent cannot have been received: a client that says so is not believed.
func (o *Outbox) Ack(n uint64) {
	if n = min(n, o.sent); n >= o.first {
		o.forget(int(n - o.first + 1))
	}
}

// Reaches says whether everything after n is still kept. What was never sent cannot have been received.
func (o *Outbox) Reaches(n uint64) bool { return n+1 >= o.first && n <= o.sent }

// Rewind goes back to where everything after n is sent again. It says false if the Outbox does not reach back to n.
func (o *Outbox) Rewind(n uint64) bool {
	if !o.Reaches(n) {
		return false
	}
	o.sent = n
	o.Ack(n)
	return true
}

// Skip forgets all that was not handed out, for a last word.
func (o *Outbox) Skip() {
	keep := len(o.entries) - o.Waiting()
	for i := keep; i < len(o.entries); i++ {
		o.drop(i)
	}
	o.entries = o.entries[:keep]
}

func (o *Outbox) kept() int    { return len(o.entries) - o.gone }
func (o *Outbox) last() uint64 { return o.first + uint64(o.kept()) - 1 }

func (o *Outbox) drop(i int) {
	o.bytes -= o.entries[i].body.Len() + overhead
	o.entries[i] = entry{}
}

// forget drops the oldest. The array is shifted down when half of it is gone, so that it neither grows nor is copied often.
func (o *Outbox) forget(count int) {
	for range count {
		o.drop(o.gone)
		o.gone++
	}
	o.first += uint64(count)
	if o.gone > len(o.entries)/2 {
		kept := copy(o.entries, o.entries[o.gone:])
		clear(o.entries[kept:])
		o.entries, o.gone = o.entries[:kept], 0
	}
}
