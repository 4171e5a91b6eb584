package sfu

import "sync/atomic"

// Stats of an engine.
type Stats struct {
	Transports   int64 // now
	Publications int64 // now
	Subscribed   int64 // slots that show something, now
	GSOSockets   int64 // UDP sockets that send many packets as one, now; the kernel or a network card may not do that

	PacketsIn, PacketsOut uint64
	BytesIn, BytesOut     uint64            // RTP payload and header, without SRTP tag
	Retransmitted         uint64            // RTX packets sent
	NACKs, PLIs           uint64            // received from subscribers
	KeyFrameRequests      uint64            // sent to publishers
	AskedAgain            uint64            // packets asked of publishers again
	Replays, Replayed     uint64            // times a slot began with a key frame of before, and the packets of that
	GaveUp                uint64            // times that lost packets of a video were not asked for any more, but a key frame where it is shown
	Reports               uint64            // RTCP of subscribers that told how packets arrived
	Delivered, Lost       uint64            // packets that subscribers reported, where they report each (transport-wide feedback)
	Dropped               map[string]uint64 // by reason, a fixed small set
}

// reason why something was dropped.
type reason uint8

const (
	dropMalformed   reason = iota // no RTP packet
	dropDuplicate                 // seen before
	dropTooOld                    // too far behind to know whether it was seen before
	dropPayloadType               // of a payload type that was not negotiated
	dropUnannounced               // of an m-line that carries no publication
	dropPaused                    // of a paused publication
	dropCodec                     // the subscriber does not have the codec
	dropNoKey                     // the subscriber waits for a key frame
	dropLate                      // from before a switch
	dropPadding                   // nothing but padding, or nothing that can be read
	dropLayer                     // of a layer above the one that is shown
	dropSend                      // the transport did not take it
	dropRTXUnknown                // asked for again, but gone
	dropRTXTooSoon                // asked for again a moment after it was sent
	dropRTXTooOften               // asked for again too often
	dropRTXNoUse                  // asked for again by who waits for a key frame
	dropRTXNone                   // asked for again without having negotiated RTX
	dropCandidate                 // an ICE candidate that cannot be used, or one too many
	dropRTXBudget                 // asked for again beyond the share that retransmissions may have
	dropRTXQueue                  // asked for again while too many wait to be sent again
	dropLane                      // received faster than it could be sent
	dropCall                      // a call into a transport whose queue was full
	reasons
)

func (r reason) String() string {
	return [reasons]string{
		"malformed", "duplicate", "tooOld", "payloadType", "unannounced", "paused", "codec", "noKeyFrame", "late", "padding", "layer", "send",
		"rtxUnknown", "rtxTooSoon", "rtxTooOften", "rtxKeyFrame", "rtxNotNegotiated", "candidate", "rtxBudget", "rtxQueue", "laneFull", "call",
	}[r]
}

// counters are what Stats is made of. All are counted from any goroutine.
type counters struct {
	transports, publications, subscribed atomic.Int64

	packetsIn, packetsOut, bytesIn, bytesOut                 atomic.Uint64
	retransmitted, nacks, plis, keyFrameRequests, askedAgain atomic.Uint64
	replays, replayed                                        atomic.Uint64
	gaveUp, reports, delivered, lost                         atomic.Uint64
	dropped                                                  [reasons]atomic.Uint64
}

func (c *counters) drop(r reason) { c.dropped[r].Add(1) }

func (c *counters) stats() Stats {
	s := Stats{
		Transports:       c.transports.Load(),
		Publications:     c.publications.Load(),
		Subscribed:       c.subscribed.Load(),
		PacketsIn:        c.packetsIn.Load(),
		PacketsOut:       c.packetsOut.Load(),
		BytesIn:          c.bytesIn.Load(),
		BytesOut:         c.bytesOut.Load(),
		Retransmitted:    c.retransmitted.Load(),
		NACKs:            c.nacks.Load(),
		PLIs:             c.plis.Load(),
		KeyFrameRequests: c.keyFrameRequests.Load(),
		AskedAgain:       c.askedAgain.Load(),
		Replays:          c.replays.Load(),
		Replayed:         c.replayed.Load(),
		GaveUp:           c.gaveUp.Load(),
		Reports:          c.reports.Load(),
		Delivered:        c.delivered.Load(),
		Lost:             c.lost.Load(),
		Dropped:          make(map[string]uint64, reasons),
	}
	for r := range reasons {
		s.Dropped[r.String()] = c.dropped[r].Load()
	}
	return s
}
