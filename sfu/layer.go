package sfu

import (
	"sync/atomic"
	"time"

	"github.com/turnout-rtc/turnout/sfu/codec"
	"github.com/turnout-rtc/turnout/sfu/forward"
	"github.com/turnout-rtc/turnout/sfu/keyframe"
	"github.com/turnout-rtc/turnout/sfu/link"
	"github.com/turnout-rtc/turnout/sfu/packet"
	"github.com/turnout-rtc/turnout/sfu/receive"
	"github.com/turnout-rtc/turnout/sfu/report"
)

const (
	// ringSize is how many packets of a video layer are kept at most, to be sent again: 2 s at 500 packets a second. A power of two.
	ringSize = 1024
	// ringTime is how long they are kept, and beyond Config.GOPAge: a replay from a key frame of that age takes as long.
	ringTime = 2 * time.Second
	ringMore = catchUpIn
)

// layer is one incoming RTP stream: all of a publication, or one of its simulcast layers. Every packet is taken to the slots
// that show it by a batch.
type layer struct {
	// Set at construction, never changed.
	id        forward.SourceID
	group     forward.SourceID // the same for all layers of an m-line, 0 without simulcast
	track     link.Track
	stream    link.Stream
	publisher *Transport
	ring      *packet.Ring // nil for audio: its losses are not repaired
	gop       gop

	publication atomic.Pointer[Publication] // nil: packets are dropped
	keyWanted   atomic.Bool
	clock       atomic.Pointer[report.Clock] // nil before the first sender report; replaced, never changed

	// Owned by the publisher's loop.
	requests keyframe.Requester

	// Owned by Packets.
	arrived arrived
	reading
}

// reading is the packet that is read, and those before it that are not handed on yet.
type reading struct {
	source  *source // of the packet read last
	reader  forward.Reader
	filling *batch // nil for none
	in      forward.In
}

// arrived is what is known of the packets of a stream so far.
type arrived struct {
	unwrap  packet.Unwrapper
	window  packet.Window
	highest uint64
	losses  receive.Losses
	capture report.Capture
	broken  bool           // see batch
	asked   []uint16       // used again for every request
	pairs   []receive.Pair // likewise
}

// source is how the packets of a layer look. It is replaced, never changed.
type source struct {
	negotiated  link.Codec
	codec       codec.Codec
	payloadType uint8
	primary     link.Codec // of the blocks, when codec is RED
}

func newLayer(id forward.SourceID, track link.Track, publisher *Transport) *layer {
	l := &layer{id: id, track: track, stream: track.Stream(), publisher: publisher}
	if l.stream.Video {
		l.ring = packet.NewRing(ringSize, max(ringTime, publisher.router.engine.config.GOPAge+ringMore))
	}
	return l
}

// Packets takes packets of the stream on their way, part of link.Sink. All of them go to one receiver before any goes to the
// next: then they leave together.
func (l *layer) Packets(now time.Time, packets []link.Packet, via *link.Outlet) {
	bytes := 0
	for _, p := range packets {
		bytes += len(p.Data)
		l.admit(now, p, via)
	}
	count := &l.publisher.router.engine.counters
	count.packetsIn.Add(uint64(len(packets)))
	count.bytesIn.Add(uint64(bytes))
	l.carry(now)
}

// SenderReport takes the times of a sender report, part of link.Sink.
func (l *layer) SenderReport(ntp report.NTP, rtp uint32) {
	rate := uint32(videoRate)
	if !l.stream.Video {
		rate = audioRate
	}
	c := &report.Clock{Rate: rate}
	c.Report(ntp, rtp)
	l.clock.Store(c)
}

// Clock rates of what is forwarded, in Hz: RFC 7587 §4.1 for Opus, and that of every video codec.
const (
	audioRate = 48000
	videoRate = 90000
)

// Ended is the end of the stream, part of link.Sink.
func (l *layer) Ended() { l.publisher.call(func() { l.publisher.forgetLayer(l) }) }

// admit checks one packet and puts it behind the others of its batch.
func (l *layer) admit(now time.Time, b link.Packet, via *link.Outlet) {
	count, in := &l.publisher.router.engine.counters, &l.in
	*in = forward.In{}
	if err := in.Parse(b.Data); err != nil {
		count.drop(dropMalformed)
		return
	}
	if !l.known(now, in.PayloadType) {
		// Not numbered: a repeat by RTX that came before the first packet has no payload type yet, and the original follows.
		count.drop(dropPayloadType)
		return
	}
	if !l.fresh(in, count) {
		return
	}
	l.askAgain(now, in.N, via)
	p := l.publication.Load()
	switch {
	case p == nil:
		count.drop(dropUnannounced)
		return
	case p.paused.Load():
		count.drop(dropPaused)
		return
	}
	if clock := l.clock.Load(); clock != nil {
		in.Clock, in.Captured = *clock, l.arrived.capture.Time(now, clock, in.Timestamp, in.Newer)
	}
	l.reader.Read(in)
	if l.ring != nil {
		l.ring.Put(now, in.N, b.Data, b.Memory)
		l.gop.packet(now, p, l.source, in, len(b.Data))
		l.arrived.broken = l.arrived.broken && !(in.Key && in.Newer)
		if in.Key && l.keyWanted.CompareAndSwap(true, false) {
			l.publisher.box.ring()
		}
	}
	if l.filling == nil {
		l.filling = l.publisher.router.engine.newBatch()
	}
	l.filling.bytes += len(b.Data)
	l.filling.add(in, b.Memory)
}

// known makes source that of a payload type, and says whether it was negotiated.
func (l *layer) known(now time.Time, payloadType uint8) bool {
	if l.source != nil && l.source.payloadType == payloadType {
		return true
	}
	negotiated := l.track.Codec(payloadType)
	if negotiated.Mime == "" {
		return false
	}
	s := &source{negotiated: negotiated, codec: codec.FromMime(negotiated.Mime), payloadType: payloadType}
	if s.codec == codec.RED {
		if s.primary = l.track.Codec(link.PrimaryOf(negotiated)); s.primary.Mime == "" {
			return false
		}
	}
	l.carry(now) // what came before looks otherwise
	l.source = s
	f := l.format(s)
	l.reader = forward.NewReader(&f)
	return true
}

// carry takes the batch that was filled to the slots that show it.
func (l *layer) carry(now time.Time) {
	b := l.filling
	if b == nil {
		return
	}
	l.filling = nil
	p := l.publication.Load()
	b.left.Store(1)
	if p == nil || len(b.run) == 0 {
		b.end()
		return
	}
	b.now, b.layer, b.shown, b.source = now, l, p, l.source
	b.broken, l.arrived.broken = l.arrived.broken, false
	b.ranking = p.observe(now, l, b.bytes)
	b.hand(p.rows)
}

// fresh numbers the packet, and drops what was there before. Browsers probe for bandwidth by sending old packets again:
// forwarded, they would use a sequence number twice, which breaks the encryption.
func (l *layer) fresh(in *forward.In, count *counters) bool {
	n := l.arrived.unwrap.Unwrap(in.Seq)
	switch l.arrived.window.Check(n) {
	case packet.Duplicate:
		count.drop(dropDuplicate)
		return false
	case packet.TooOld:
		count.drop(dropTooOld)
		return false
	case packet.Fresh:
	}
	in.N, in.Newer = n, n > l.arrived.highest
	l.arrived.highest = max(l.arrived.highest, n)
	return true
}

// askAgain asks the publisher for packets that are missing. Audio is not repaired: it would come too late.
func (l *layer) askAgain(now time.Time, n uint64, via *link.Outlet) {
	if l.ring == nil {
		return
	}
	l.arrived.losses.Packet(now, n)
	if l.arrived.losses.GaveUp() && l.publication.Load() != nil {
		l.publisher.router.engine.counters.gaveUp.Add(1)
		l.arrived.broken = true
	}
	if !l.arrived.losses.Pending() {
		return
	}
	if l.arrived.asked = l.arrived.losses.Ask(now, l.arrived.asked[:0]); len(l.arrived.asked) == 0 {
		return
	}
	l.arrived.pairs = receive.Pairs(l.arrived.asked, l.arrived.pairs[:0])
	if roundTrip, err := l.track.RequestAgain(l.arrived.pairs, via); err == nil {
		l.arrived.losses.RoundTrip = roundTrip
		l.publisher.router.engine.counters.askedAgain.Add(uint64(len(l.arrived.asked)))
	}
}

// format is what a slot must know about the packets, but for the payload types of its receiver.
func (l *layer) format(source *source) forward.Format {
	return forward.Format{
		Source:       l.id,
		Group:        l.group,
		Codec:        source.codec,
		ClockRate:    source.negotiated.ClockRate,
		Extensions:   l.stream.Extensions,
		DescriptorID: l.stream.DescriptorID,
		Ring:         l.ring,
	}
}

// requestKeyFrame has the publisher's loop ask for a key frame until it comes.
func (l *layer) requestKeyFrame() {
	if l.keyWanted.CompareAndSwap(false, true) {
		l.publisher.box.ring()
	}
}

// poll says when the publisher's loop must look again, after sending what is due. It runs in that loop.
func (l *layer) poll(now time.Time) time.Time {
	if l.keyWanted.Load() {
		l.requests.Want()
	} else {
		l.requests.Arrived()
	}
	due, next := l.requests.Poll(now)
	if due && l.track.RequestKeyFrame() == nil {
		l.publisher.router.engine.counters.keyFrameRequests.Add(1)
	}
	return next
}
