package native

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/turnout-rtc/turnout/sfu/delivery"
	"github.com/turnout-rtc/turnout/sfu/link"
	"github.com/turnout-rtc/turnout/sfu/report"
	"github.com/turnout-rtc/turnout/sfu/rtcp"
)

// maxRoundTrip is the longest that is believed. A report that says more refers to a time that was never told.
const maxRoundTrip = 10 * time.Second

// hearing is what a peer's RTCP tells about the way to it.
type hearing struct {
	roundTrip atomic.Int64 // time.Duration to the peer and back, 0 for unknown

	// mu is held while feedback is given to listeners, so that one goroutine does it at a time.
	mu sync.Mutex
	// Guarded by mu.
	quality delivery.Quality
	tally   delivery.Tally // of the present compound packet
	trip    time.Duration  // the shortest of it, 0 for none
	news    bool           // it told something
	times   []told         // used again
}

// told is what a sender report of a publisher's tells one of its tracks.
type told struct {
	track *Track
	at    times
}

// reference is a receiver's time, which is to be answered (RFC 3611 §4.5).
type reference struct {
	ssrc   uint32
	middle uint32
	at     time.Time
}

// rtcp takes a compound packet.
func (p *Peer) rtcp(now time.Time, b []byte, w *porter) {
	p.mu.Lock()
	var plain []byte
	err := link.ErrNotSending
	if p.readyControl() {
		plain, err = p.control(b)
	}
	p.mu.Unlock()
	if err != nil {
		p.host.count.undecrypted.Add(1)
		return
	}
	p.heard.mu.Lock()
	defer p.heard.mu.Unlock()
	for rest := plain; len(rest) > 0; {
		var k rtcp.Packet
		if k, rest, err = rtcp.Next(rest); err != nil {
			p.host.count.malformed.Add(1)
			break
		}
		p.hear(now, k, w)
	}
	p.tell(now, w)
}

// hear takes one packet of a compound.
func (p *Peer) hear(now time.Time, k rtcp.Packet, w *porter) {
	switch k.Type {
	case rtcp.TypeSenderReport:
		p.senderReport(now, k)
		p.receptionReports(now, k)
	case rtcp.TypeReceiverReport:
		p.receptionReports(now, k)
	case rtcp.TypeTransport:
		p.transportFeedback(now, k, w)
	case rtcp.TypePayload:
		p.payloadFeedback(k)
	case rtcp.TypeExtended:
		p.extendedReport(now, k)
	case rtcp.TypeDescription: // the name is in the offer already
	}
}

func (p *Peer) senderReport(now time.Time, k rtcp.Packet) {
	r, ok := k.SenderReport()
	if !ok || r.NTP == 0 { // the publisher has no clock, RFC 3550 §6.4.1
		return
	}
	p.mu.Lock()
	changed := p.clock.Observe(now, r.NTP)
	tell := p.heard.times[:0]
	for _, t := range p.streams.tracks {
		its := t.ssrc == k.Sender()
		if its {
			t.told = times{r.NTP, r.RTP}
			t.received.SenderReport(now, r.NTP)
		}
		if t.told.ntp != 0 && (changed || its) { // all by the same clock, always
			tell = append(tell, told{t, times{p.clock.Ours(t.told.ntp), t.told.rtp}})
		}
	}
	p.mu.Unlock()
	for _, one := range tell {
		one.track.senderReport(one.at)
	}
	clear(tell)
	p.heard.times = tell
}

// receptionReports are about what is sent to the peer.
func (p *Peer) receptionReports(now time.Time, k rtcp.Packet) {
	listeners := *p.listeners.Load()
	for i := 0; ; i++ {
		b, ok := k.Block(i)
		if !ok {
			return
		}
		s := listeners[b.SSRC]
		if s == nil {
			continue
		}
		p.heard.tally.Add(&s.reception, b.Reception, s.rate)
		p.measured(report.RoundTrip(now, b.LSR, b.DLSR))
	}
}

// measured keeps the shortest round trip of a compound packet: what is longer was held up.
func (p *Peer) measured(d time.Duration, ok bool) {
	if ok && d <= maxRoundTrip && (p.heard.trip == 0 || d < p.heard.trip) {
		p.heard.trip = max(d, 1)
	}
}

func (p *Peer) transportFeedback(now time.Time, k rtcp.Packet, w *porter) {
	if f, ok := k.TransportFeedback(); ok {
		p.out.mu.Lock()
		w.results, ok = p.out.history.Feedback(now, f, w.results)
		p.out.mu.Unlock()
		if !ok {
			p.host.count.malformed.Add(1)
		}
		return
	}
	s := (*p.listeners.Load())[k.Media()]
	if s == nil || !k.Is(rtcp.TypeTransport, rtcp.FormatNACK) {
		return
	}
	w.seqs = w.seqs[:0]
	for i := 0; ; i++ {
		pair, ok := k.NACK(i)
		if !ok {
			break
		}
		w.seqs = append(w.seqs, pair.ID)
		for bit := range uint16(16) {
			if pair.Mask&(1<<bit) != 0 {
				w.seqs = append(w.seqs, pair.ID+1+bit)
			}
		}
	}
	s.feedback.Nacked(now, w.seqs)
}

func (p *Peer) payloadFeedback(k rtcp.Packet) {
	switch {
	case k.Is(rtcp.TypePayload, rtcp.FormatPLI):
		p.pictureLost(k.Media())
	case k.Is(rtcp.TypePayload, rtcp.FormatFIR):
		for i := 0; ; i++ {
			ssrc, _, ok := k.FIR(i) // repeats are merged with whatever else asks for a key frame
			if !ok {
				return
			}
			p.pictureLost(ssrc)
		}
	default:
		if rate, ok := k.REMB(); ok {
			p.heard.quality.Estimate, p.heard.news = rate, true
		}
	}
}

func (p *Peer) pictureLost(ssrc uint32) {
	if s := (*p.listeners.Load())[ssrc]; s != nil {
		s.feedback.PictureLost()
	}
}

func (p *Peer) extendedReport(now time.Time, k rtcp.Packet) {
	if t, ok := k.ReferenceTime(); ok {
		p.out.mu.Lock()
		p.out.reference = reference{k.Sender(), t.Middle(), now}
		p.out.mu.Unlock()
	}
	for i := 0; ; i++ {
		d, ok := k.Delay(i)
		if !ok {
			return
		}
		if d.SSRC == feedbackSSRC {
			p.measured(report.RoundTrip(now, d.LRR, d.DLRR))
		}
	}
}

// tell has the owner know what a compound packet told about the way to the peer. heard.mu is held.
func (p *Peer) tell(now time.Time, w *porter) {
	h := &p.heard
	if h.trip > 0 {
		h.quality.Measured(h.trip)
		p.heard.roundTrip.Store(int64(h.quality.RoundTrip))
	}
	reported := h.tally.Into(&h.quality)
	if (reported || h.trip > 0 || h.news || len(w.results) > 0) && p.on.Delivery != nil {
		p.on.Delivery(delivery.Report{At: now, Quality: h.quality, Results: w.results})
	}
	h.tally, h.trip, h.news = delivery.Tally{}, 0, false
	w.results = w.results[:0]
}
