package sfu

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/turnout-rtc/turnout/sfu/forward"
	"github.com/turnout-rtc/turnout/sfu/link"
	"github.com/turnout-rtc/turnout/sfu/packet"
)

// slot is an m-line on which a subscriber receives one publication after another, as one RTP stream that never breaks.
type slot struct {
	Slot // set at construction, never changed, like the next three

	sender link.Sender
	rev    int // the answer that made it
	count  *counters

	open  atomic.Bool // the client has applied the answer and is connected
	again *resender   // owned by the goroutine that reads feedback; made when first needed

	mu      sync.Mutex
	shows   *Publication      // guarded by mu, like all below
	target  *layer            // what rewriter was told to send, nil for nothing yet
	source  *source           // of target
	unknown bool              // the subscriber does not have the source's codec
	stream  *forward.Rewriter // the outgoing stream
	sent    forward.History   // of video
}

// scratchExtra is what rewriting adds to a payload: a byte of picture id, two of RTX.
const scratchExtra = 3

// resender is what is needed to send a packet again.
type resender struct {
	seq     uint16
	raw     [link.MTU]byte
	packet  packet.Packet
	out     forward.Out
	scratch [link.MTU + scratchExtra]byte
}

func newSlot(s Slot, sender link.Sender, rev int, count *counters) *slot {
	return &slot{
		Slot: s, sender: sender, rev: rev, count: count,
		stream: forward.NewRewriter(uint16(rand.Uint32()), rand.Uint32()), //nolint:gosec // RFC 3550 §5.1 asks for random, SRTP hides it
	}
}

// show makes the slot show p, nil for nothing. It is called by the transport's loop only.
func (s *slot) show(p *Publication) {
	s.mu.Lock()
	was := s.shows
	s.shows, s.target, s.source, s.unknown = p, nil, nil, false
	s.stream.Stop()
	s.mu.Unlock()
	if was != nil {
		was.hide(s)
		s.count.subscribed.Add(-1)
	}
	if p != nil {
		s.count.subscribed.Add(1)
		p.show(s)
	}
}

// shown returns what the slot shows.
func (s *slot) shown() *Publication {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shows
}

// restart goes on with a key frame, after a pause in which packets were dropped.
func (s *slot) restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.target = nil
	s.stream.Stop()
}

// setOpen starts or stops sending.
func (s *slot) setOpen(open bool) {
	if s.open.Swap(open) == open || !open {
		return
	}
	s.restart()
	if p := s.shown(); p != nil {
		p.requestKeyFrame()
	}
}

// forward sends the run of l, if l is what the slot shows. It runs in the goroutine that received the packets.
func (s *slot) forward(now time.Time, p *Publication, l *layer, via *link.Outlet) {
	if !s.open.Load() {
		return
	}
	packets, bytes := 0, 0
	for i := range l.run {
		verdict, shown := s.rewrite(now, p, l, &l.run[i])
		if !shown {
			break
		}
		if verdict != forward.Send {
			s.refuse(l, verdict)
			continue
		}
		if err := s.sender.Send(&l.out, via); err != nil {
			s.count.drop(dropSend)
			continue
		}
		packets++
		bytes += len(l.out.Payload) + headerBytes
	}
	s.count.packetsOut.Add(uint64(packets))
	s.count.bytesOut.Add(uint64(bytes))
}

// rewrite makes l.out of a packet. shown is false when the slot shows something else, or nothing it can send.
func (s *slot) rewrite(now time.Time, p *Publication, l *layer, in *forward.In) (v forward.Verdict, shown bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shows != p {
		return 0, false
	}
	if l.current && (s.target != l || s.source != l.source) {
		s.retarget(l)
	}
	if s.unknown {
		s.count.drop(dropCodec)
		return 0, false
	}
	var sent forward.Sent
	sent, l.out, v = s.stream.Forward(now, l.id, in, l.scratch[:0])
	if v == forward.Send && s.Kind == Video {
		s.sent.Add(now, sent)
	}
	return v, true
}

// refuse counts why a packet is not sent.
func (s *slot) refuse(l *layer, v forward.Verdict) {
	switch v {
	case forward.NoKey:
		s.count.drop(dropNoKey)
		l.requestKeyFrame()
	case forward.Late:
		s.count.drop(dropLate)
	case forward.Padding:
		s.count.drop(dropPadding)
	case forward.Send, forward.NotShown: // NotShown: another layer of the same publication
	}
}

// headerBytes is the size of an RTP header, for statistics.
const headerBytes = 12

// retarget has the stream go on with l from its next key frame. mu is held.
func (s *slot) retarget(l *layer) {
	s.target, s.source = l, l.source
	media, rtx, ok := s.sender.PayloadTypes(l.source.negotiated)
	if s.unknown = !ok; s.unknown {
		s.stream.Stop()
		return
	}
	f := l.format()
	f.PayloadType, f.RTXPayloadType = media, rtx
	s.stream.Switch(f)
}

// PictureLost is the receiver's wish for a key frame, part of link.Feedback.
func (s *slot) PictureLost() {
	s.count.plis.Add(1)
	if p := s.shown(); p != nil && s.open.Load() {
		p.requestKeyFrame()
	}
}

// Nacked sends packet seq again (RFC 4588), part of link.Feedback.
func (s *slot) Nacked(seq uint16, via *link.Outlet) {
	s.count.nacks.Add(1)
	s.mu.Lock()
	sent, refusal := s.sent.Resend(time.Now(), seq)
	s.mu.Unlock()
	switch refusal {
	case forward.Granted:
	case forward.Unknown:
		s.count.drop(dropRTXUnknown)
		return
	case forward.TooSoon:
		s.count.drop(dropRTXTooSoon)
		return
	case forward.TooOften:
		s.count.drop(dropRTXTooOften)
		return
	case forward.NoRTX:
		s.count.drop(dropRTXNone)
		return
	}
	if s.again == nil {
		s.again = &resender{seq: uint16(rand.Uint32())}
	}
	a := s.again
	raw, ok := sent.Packet(a.raw[:0])
	if !ok || a.packet.Parse(raw) != nil {
		s.count.drop(dropRTXUnknown)
		return
	}
	a.seq++
	a.out = sent.Retransmission(&a.packet, a.seq, a.scratch[:0])
	if err := s.sender.SendRTX(&a.out, via); err != nil {
		s.count.drop(dropSend)
		return
	}
	s.count.retransmitted.Add(1)
}
