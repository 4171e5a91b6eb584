package sfu

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/turnout-rtc/turnout/sfu/codec"
	"github.com/turnout-rtc/turnout/sfu/forward"
	"github.com/turnout-rtc/turnout/sfu/link"
)

// slot is an m-line on which a subscriber receives one publication after another, as one RTP stream that never breaks.
//
// What every packet needs stands together: between two frames it has left the processor's cache.
type slot struct {
	Slot // set at construction, never changed, like the next four

	rev      int // the answer that made it
	count    *counters
	downlink *downlink
	lane     *lane // of downlink
	sender   link.Sender

	// Owned by who is in the downlink's lane.
	view
	stream forward.Rewriter // the outgoing stream
	replay *replay          // nil for none
	caught caughtUp         // by the last replay
	sent   forward.History  // of video
	rtx    uint16           // sequence number of the last retransmission
	lately int              // bytes sent that the downlink's budget does not know of yet

	showing atomic.Pointer[Publication] // changed by the transport's loop only
	open    atomic.Bool                 // the client has applied the answer and is connected; likewise
}

// firstNumber is a random sequence number in the lower half: who gets the first packet of a stream takes it for one before the first
// rollover (RFC 3711 §3.3.1), and would decrypt nothing for ever if the numbers had rolled over while the first ones were lost.
func firstNumber() uint16 { return uint16(rand.Uint32N(1 << 15)) } //nolint:gosec // likewise

// view is what a slot shows, as the lane knows it.
type view struct {
	target  *layer      // what the stream was told to send, nil for nothing yet
	source  *source     // of target
	highest codec.Layer // that is shown, of those that arrive
	on      bool        // the slot is open
	unknown bool        // the subscriber does not have the source's codec
}

func newSlot(s Slot, sender link.Sender, rev int, d *downlink) *slot {
	return &slot{
		Slot: s, sender: sender, rev: rev, count: &d.engine.counters, downlink: d, lane: d.lane,
		view:   view{highest: codec.Layer{Spatial: forward.Top, Temporal: forward.Top}},
		stream: *forward.NewRewriter(firstNumber(), rand.Uint32()), //nolint:gosec // RFC 3550 §5.1 asks for random, SRTP hides it
		rtx:    firstNumber(),
	}
}

// show makes the slot show p, nil for nothing. It is called by the transport's loop only.
func (s *slot) show(p *Publication) {
	was, served, lane := s.showing.Swap(p), false, s.lane
	var spatial uint8
	lane.Do(func() {
		spatial = s.highest.Spatial
		if was != nil {
			was.rows[lane.number].remove(s)
		}
		s.lose()
		if p == nil {
			s.sent = forward.History{} // who watches nothing takes no memory for it
			return
		}
		p.rows[lane.number].add(s)
		served = s.catchUp(time.Now(), p)
	})
	if was != nil {
		s.count.subscribed.Add(-1)
	}
	if p != nil {
		s.count.subscribed.Add(1)
		if !served {
			p.requestKeyFrame(spatial)
		}
	}
}

// setOpen starts or stops sending. It is called by the transport's loop only.
func (s *slot) setOpen(open bool) {
	if s.open.Swap(open) == open {
		return
	}
	p, served := s.showing.Load(), false
	var spatial uint8
	s.lane.Do(func() {
		s.on, spatial = open, s.highest.Spatial
		s.lose()
		if open && p != nil {
			served = s.catchUp(time.Now(), p)
		}
	})
	if open && p != nil && !served {
		p.requestKeyFrame(spatial)
	}
}

// lose has the stream wait for a key frame: the next packet is not the one that follows. It is called in the lane.
func (s *slot) lose() {
	s.target, s.source, s.unknown = nil, nil, false
	s.replay, s.caught = nil, caughtUp{}
	s.stream.Stop()
}

// forward sends the packets of b, if its layer is what the slot shows. It is called in the lane.
func (s *slot) forward(b *batch) {
	if !s.on {
		return
	}
	if r := s.replay; r != nil && r.layer == b.layer && r.source != b.source {
		s.lose() // what is to be sent looks otherwise than what was
	}
	if b.ranking.For(s.highest.Spatial) == b.layer.id && s.changes(b) {
		s.retarget(b.layer, b.source)
	}
	if s.unknown {
		s.count.dropped[dropCodec].Add(uint64(len(b.run)))
		return
	}
	if r := s.replay; r != nil && r.layer == b.layer {
		for i := range b.run {
			r.newest = max(r.newest, b.run[i].N)
		}
		if _, more := s.replayOn(b.now); more {
			s.downlink.start()
		}
		return
	}
	for i := range b.run {
		in := &b.run[i]
		if s.caught.layer == b.layer && !s.follows(b, in) {
			continue
		}
		if v := s.add(b.now, b.layer, in); v != forward.Send {
			s.refuse(v)
		}
	}
	s.send()
	if s.Kind == Video && (s.stream.KeyNeeded() == b.layer.id || b.broken && s.target == b.layer) {
		b.layer.requestKeyFrame()
	}
}

// changes says whether the layer of b is another than the one that is shown, or comes in another codec. A replay goes on until it
// has caught up: what follows has use for all of it.
func (s *slot) changes(b *batch) bool {
	if s.target == b.layer {
		return s.source != b.source
	}
	return s.replay == nil
}

// follows says whether in comes after what a replay has sent: it is not sent twice.
func (s *slot) follows(b *batch, in *forward.In) bool {
	if in.N < s.caught.floor {
		s.count.drop(dropLate)
		return false
	}
	if s.caught.restamp && in.Timestamp != s.caught.stamp {
		s.caught.restamp = false
		s.stream.Restamp(b.now, b.layer.id, in.Timestamp)
	}
	return true
}

// add makes of a packet what is to be sent, and puts it behind the others of lane.run. send must follow, while the packet is there.
func (s *slot) add(now time.Time, l *layer, in *forward.In) forward.Verdict {
	w := s.lane
	if len(w.run) == maxRun {
		s.send()
	}
	sent, out, v := s.stream.Forward(now, l.id, in, w.scratch[len(w.run)][:0])
	if v != forward.Send {
		return v
	}
	if s.Kind == Video {
		s.sent.Add(now, sent)
	}
	w.run = append(w.run, out)
	return v
}

// send sends lane.run.
func (s *slot) send() {
	w := s.lane
	n, bytes := len(w.run), 0
	if n == 0 {
		return
	}
	for i := range w.run {
		bytes += len(w.run[i].Payload) + headerBytes
	}
	if sent := s.sender.Send(w.run, w.via); sent < n {
		s.count.dropped[dropSend].Add(uint64(n - sent)) //nolint:gosec // not negative
	}
	w.run = w.run[:0]
	s.lately += bytes
	s.count.packetsOut.Add(uint64(n))
	s.count.bytesOut.Add(uint64(bytes)) //nolint:gosec // likewise
}

// refuse counts why a packet is not sent.
func (s *slot) refuse(v forward.Verdict) {
	switch v {
	case forward.NoKey:
		s.count.drop(dropNoKey)
	case forward.AboveLayer:
		s.count.drop(dropLayer)
	case forward.Late:
		s.count.drop(dropLate)
	case forward.Padding:
		s.count.drop(dropPadding)
	case forward.Send, forward.NotShown: // NotShown: another layer of the same publication
	}
}

// headerBytes is the size of an RTP header, for statistics.
const headerBytes = 12

// retarget has the stream go on with l from its next key frame.
func (s *slot) retarget(l *layer, source *source) {
	if s.target, s.source = l, source; s.replay != nil {
		s.replay, s.caught = nil, caughtUp{}
	}
	f := l.format(source)
	media, rtx, ok := s.sender.PayloadTypes(source.negotiated)
	if source.codec == codec.RED { // who does not have it gets the codec of its blocks
		f.REDPayloadType = media
		media, rtx, ok = s.sender.PayloadTypes(source.primary)
	}
	if s.unknown = !ok; s.unknown {
		s.stream.Stop()
		return
	}
	f.PayloadType, f.RTXPayloadType = media, rtx
	s.stream.Switch(f)
}

// setTarget sets the highest layer that is shown. It is called by the transport's loop only.
func (s *slot) setTarget(highest codec.Layer) {
	s.lane.Do(func() {
		s.highest = highest
		s.stream.SetTarget(highest)
	})
}
