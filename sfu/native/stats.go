package native

import "sync/atomic"

// counters of what was received and not handed on.
type counters struct {
	early       atomic.Uint64 // before there were keys
	undecrypted atomic.Uint64 // replayed, forged, or no RTP
	unknown     atomic.Uint64 // of no stream that was agreed on
	probes      atomic.Uint64 // retransmissions that carry nothing
	malformed   atomic.Uint64 // RTCP that cannot be read
}

// Batching is what the UDP sockets can do at a time.
func (h *Host) Batching() (what string, gso int) { return h.server.Batching() }

// Dropped adds what was dropped, by reason, to all.
func (h *Host) Dropped(all map[string]uint64) {
	all["beforeKeys"] += h.count.early.Load()
	all["notDecrypted"] += h.count.undecrypted.Load()
	all["unknownStream"] += h.count.unknown.Load()
	all["probe"] += h.count.probes.Load()
	all["malformedRTCP"] += h.count.malformed.Load()
	for reason, n := range h.server.Stats().Dropped {
		all[reason] += n
	}
}
