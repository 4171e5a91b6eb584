package datachannel

import (
	"maps"
	"sync"
)

// Reason says why something was dropped.
type Reason string

// The reasons.
const (
	DroppedLossy   Reason = "lossy"            // frames: the queue of a slow reader was full, the oldest went
	DroppedGap     Reason = "gap"              // frames: the queue of a slow reader was full; it was told by a gap
	DroppedUnknown Reason = "unknown"          // frames that arrived, of a type that this version does not know
	DroppedStale   Reason = "stale"            // wire messages that arrived on a wire which another has replaced
	DroppedEcho    Reason = "awarenessEcho"    // awareness states that repeat what is known, as stock clients do all the time
	DroppedForeign Reason = "awarenessForeign" // awareness states of others' Yjs clients
	DroppedDamaged Reason = "damaged"          // stored records that could not be read; they are put aside
	DroppedBehind  Reason = "behind"           // changes and awareness that a slow reader at a door was not told; it was sent what it lacked later
	DroppedSend    Reason = "send"             // wire messages that a wire did not take; it is detached, the next one goes on
)

// Stats are counters since the hub began, and gauges of now.
type Stats struct {
	Members, Wires, Documents int64 // now

	Received, ReceivedBytes uint64 // wire messages
	Sent, SentBytes         uint64 // wire messages
	SentFrames              uint64 // frames in them; SentFrames/Sent shows what gathering brings
	Messages                uint64 // messages of members that were taken
	Stored                  uint64 // updates of documents
	CaughtUp                uint64 // times a reader at a door that had been too slow was sent what it lacked
	Refused                 map[Code]uint64
	Dropped                 map[Reason]uint64
}

// Add adds the counters and gauges of another hub.
func (s *Stats) Add(o Stats) {
	s.Members += o.Members
	s.Wires += o.Wires
	s.Documents += o.Documents
	s.Received += o.Received
	s.ReceivedBytes += o.ReceivedBytes
	s.Sent += o.Sent
	s.SentBytes += o.SentBytes
	s.SentFrames += o.SentFrames
	s.Messages += o.Messages
	s.Stored += o.Stored
	s.CaughtUp += o.CaughtUp
	s.Refused = addTo(s.Refused, o.Refused)
	s.Dropped = addTo(s.Dropped, o.Dropped)
}

func addTo[K comparable](sum, part map[K]uint64) map[K]uint64 {
	if sum == nil {
		sum = map[K]uint64{}
	}
	for k, n := range part {
		sum[k] += n
	}
	return sum
}

// meter lets the loop count while others read.
type meter struct {
	mu    sync.Mutex
	stats Stats // Guarded by mu.
}

func newMeter() *meter {
	return &meter{stats: Stats{Refused: map[Code]uint64{}, Dropped: map[Reason]uint64{}}}
}

func (m *meter) read() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.stats
	s.Refused = maps.Clone(s.Refused)
	s.Dropped = maps.Clone(s.Dropped)
	return s
}

func (m *meter) refused(c Code) {
	m.mu.Lock()
	m.stats.Refused[c]++
	m.mu.Unlock()
}

func (m *meter) dropped(r Reason, n uint64) {
	if n == 0 {
		return
	}
	m.mu.Lock()
	m.stats.Dropped[r] += n
	m.mu.Unlock()
}

func (m *meter) received(bytes int) {
	m.mu.Lock()
	m.stats.Received++
	m.stats.ReceivedBytes += uint64(bytes)
	m.mu.Unlock()
}

func (m *meter) sent(bytes, frames int) {
	m.mu.Lock()
	m.stats.Sent++
	m.stats.SentBytes += uint64(bytes)
	m.stats.SentFrames += uint64(frames)
	m.mu.Unlock()
}

func (m *meter) message() {
	m.mu.Lock()
	m.stats.Messages++
	m.mu.Unlock()
}

func (m *meter) gauges(members, wires int) {
	m.mu.Lock()
	m.stats.Members, m.stats.Wires = int64(members), int64(wires)
	m.mu.Unlock()
}

func (m *meter) stored() {
	m.mu.Lock()
	m.stats.Stored++
	m.mu.Unlock()
}

func (m *meter) caughtUp() {
	m.mu.Lock()
	m.stats.CaughtUp++
	m.mu.Unlock()
}

func (m *meter) documents(n int) {
	m.mu.Lock()
	m.stats.Documents = int64(n)
	m.mu.Unlock()
}
