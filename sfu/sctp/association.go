package sctp

import "time"

// Association is one SCTP connection, the end that is connected to. Calls are not concurrent.
type Association struct {
	cfg Config // set at construction, never changed

	state    state
	local    header    // of packets we send: our port first, the peer's tag
	tag      uint32    // that packets of the peer have
	cookie   cookie    // that it was made with: a repeated COOKIE ECHO has it again
	greeting *greeting // an INIT that was answered and whose cookie has not come back
	replies  []byte    // chunks that answer something, for the next packet
	out      outbound
	in       inbound
	resets   resets
	shutdown goodbye

	events []Event
	told   int // of events
	drops  Drops
}

// Drops is what was not taken in, by reason.
type Drops struct {
	Packets int // of no association: a wrong checksum or tag, or nothing in it
	Data    int // chunks beyond the window or too far ahead; the peer sends them again
	Streams int // chunks on one stream too many
}

// Drops returns what was dropped since the last call.
func (a *Association) Drops() Drops {
	d := a.drops
	a.drops = Drops{}
	return d
}

// state after RFC 9260 §4, as far as it concerns the end that is connected to and does not begin the shutdown.
type state uint8

const (
	closed      state = iota
	established       //
	closing           // the peer shuts down: it sends nothing new, and gets what it has not got yet
	aborting          // ended, but the peer has to be told
	ended
)

// New returns an association that waits for INIT.
func New(cfg Config) *Association { return &Association{cfg: cfg.withDefaults()} }

func (a *Association) open() bool { return a.state == established || a.state == closing }

// Send queues a message. It keeps nothing of b. On an error nothing has changed. now is when a Lifetime begins.
func (a *Association) Send(now time.Time, stream uint16, ppid uint32, b []byte, r Reliability) error {
	piece := a.piece()
	switch {
	case a.state != established:
		return ErrNotOpen
	case len(b) == 0:
		return ErrEmpty
	case a.out.queue.used+a.size(len(b)) > a.cfg.Buffer:
		return ErrBuffer
	}
	s := a.out.queue.stream(stream, a.cfg.Streams)
	switch {
	case s == nil:
		return ErrStreams
	case s.phase != inUse:
		return ErrClosing
	}
	flags, limit, until := uint8(flagBegin), int32(-1), time.Time{}
	if r.Unordered {
		flags |= flagUnordered
	}
	if r.Limited {
		limit = int32(min(max(r.MaxRetransmits, 0), 1<<16-2)) // sends is counted in 16 bits
	}
	if r.Lifetime > 0 {
		until = now.Add(r.Lifetime)
	}
	for len(b) > 0 {
		n := min(len(b), piece)
		if n == len(b) {
			flags |= flagEnd
		}
		c := a.cfg.Memory.get(n)
		copy(c.data, b)
		c.stream, c.ppid, c.flags, c.limit, c.until = s, ppid, flags, limit, until
		a.out.queue.add(c)
		flags &^= flagBegin
		b = b[n:]
	}
	return nil
}

// piece is how many bytes of a message fit into a packet.
func (a *Association) piece() int { return (a.cfg.MaxPacket-packetHeader)&^3 - dataHeader }

// size is what a message of n bytes takes of the buffer.
func (a *Association) size(n int) int {
	size := n / a.piece() * cost(a.piece())
	if rest := n % a.piece(); rest > 0 {
		size += cost(rest)
	}
	return size
}

// Taken says that the application is done with a Message of n bytes: the window opens. To be called once for each.
func (a *Association) Taken(n int) {
	if a.open() {
		a.in.taken(n)
	}
}

// Buffered is how many bytes of a stream are neither acknowledged nor given up.
func (a *Association) Buffered(stream uint16) int {
	if s := a.out.queue.streams[stream]; s != nil {
		return s.buffered
	}
	return 0
}

// Abort ends the association. The peer is told by the next Poll. It may be called twice.
func (a *Association) Abort() {
	switch {
	case a.open():
		a.fail(nil)
	case a.state == closed:
		a.end(nil)
	}
}

// fail ends the association and has the peer told.
func (a *Association) fail(reason error) {
	a.end(reason)
	a.state = aborting
}

// end ends the association.
func (a *Association) end(reason error) {
	a.hand()
	a.state = ended
	a.greeting, a.replies = nil, nil
	a.out.release()
	a.in.assembly.release()
	a.resets, a.shutdown = resets{}, goodbye{}
	a.tell(Ended{reason})
}
