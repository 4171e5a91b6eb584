package native

import (
	"time"

	"github.com/turnout-rtc/turnout/sfu/link"
	"github.com/turnout-rtc/turnout/sfu/packet"
	"github.com/turnout-rtc/turnout/sfu/receive"
	"github.com/turnout-rtc/turnout/sfu/report"
	"github.com/turnout-rtc/turnout/sfu/rtcp"
)

// feedbackSSRC is who our feedback comes from. It needs no stream of its own (RFC 3550 §6.4.2: a receiver's SSRC).
const feedbackSSRC = 1

// Pauses between reports to a publisher. They are sent with what arrives, and by tick when nothing does.
const (
	arrivalsEvery = 50 * time.Millisecond // often enough for an estimator, seldom enough to cost little
	reportsEvery  = time.Second
	tickEvery     = 100 * time.Millisecond
)

// due is what a publisher is told in time.
type due struct {
	numbers    packet.Unwrapper // transport-wide
	arrivals   receive.Arrivals
	bandwidth  receive.Bandwidth
	toldAt     time.Time // arrivals
	reportedAt time.Time
}

// arrived notes a packet of b bytes. n is its transport-wide number, nil for none. mu is held.
func (d *due) arrived(now time.Time, n []byte, bytes int) {
	if len(n) == 2 {
		d.arrivals.Packet(now, d.numbers.Unwrap(uint16(n[0])<<8|uint16(n[1])))
	}
	d.bandwidth.Packet(bytes)
}

// feedback tells the publisher when its packets arrived, and how many did not, when it is time.
func (p *Peer) feedback(now time.Time, w *porter) {
	p.mu.Lock()
	b := p.arrivals(now, w.Scratch[:0:link.MTU])
	p.mu.Unlock()
	if len(b) > 0 {
		_ = p.out.rtcp(p.wire, b, &w.Outlet) // a report that is lost is lost
	}
	for more := true; more; {
		p.mu.Lock()
		b, more = p.receiverReport(now, w.Scratch[:0:link.MTU])
		p.mu.Unlock()
		if len(b) > 0 {
			_ = p.out.rtcp(p.wire, b, &w.Outlet) // the next report says it all again
		}
	}
}

// arrivals appends transport-wide feedback if it is due. mu is held.
func (p *Peer) arrivals(now time.Time, dst []byte) []byte {
	if p.due.arrivals.Due() == 0 || now.Sub(p.due.toldAt) < arrivalsEvery {
		return dst
	}
	p.due.toldAt = now
	return rtcp.FinishTransportFeedback(p.due.arrivals.Report(rtcp.BeginTransportFeedback(dst, feedbackSSRC, p.streams.anySSRC())), 0)
}

// receiverReport appends reports about the streams of which something came since the last one, if they are due, the time, so
// that the publisher's answer tells the round trip, and the bandwidth. more says that another packet is needed. mu is held.
func (p *Peer) receiverReport(now time.Time, dst []byte) (b []byte, more bool) {
	if now.Sub(p.due.reportedAt) < reportsEvery {
		return dst, false
	}
	var blocks [rtcp.MaxBlocks]rtcp.Block
	n, lately := 0, report.Interval{}
	for _, t := range p.streams.tracks {
		r, ok := t.received.Report(now)
		if !ok {
			continue
		}
		blocks[n] = rtcp.Block{SSRC: t.ssrc, Reception: r}
		lately.Expected += t.received.Lately().Expected
		lately.Lost += t.received.Lately().Lost
		if n++; n == len(blocks) {
			break
		}
	}
	if n == 0 {
		return dst, false
	}
	dst = rtcp.AppendReceiverReport(dst, feedbackSSRC, blocks[:n])
	if n == len(blocks) {
		return dst, true // those of the others follow
	}
	p.due.reportedAt = now
	dst = rtcp.AppendReferenceTime(dst, feedbackSSRC, report.ToNTP(now))
	if p.streams.estimates {
		rate := p.due.bandwidth.Update(now, float64(lately.Lost)/float64(max(lately.Expected, 1)))
		dst = rtcp.AppendREMB(dst, feedbackSSRC, rate, p.streams.ssrcs())
	}
	return dst, false
}

func (s *streams) anySSRC() uint32 {
	if len(s.tracks) == 0 {
		return 0
	}
	return s.tracks[0].ssrc
}

// ssrcs are those of all tracks. It is asked for once a second by those who need it.
func (s *streams) ssrcs() []uint32 {
	all := make([]uint32, 0, len(s.tracks))
	for _, t := range s.tracks {
		all = append(all, t.ssrc)
	}
	return all
}

// tick tells publishers that have gone silent what is due, until Close.
func (h *Host) tick() {
	defer close(h.ticked)
	every := time.NewTicker(tickEvery)
	defer every.Stop()
	var peers []*Peer
	for {
		select {
		case <-h.closing:
			return
		case <-every.C:
		}
		h.mu.RLock()
		for _, p := range h.peers {
			peers = append(peers, p)
		}
		h.mu.RUnlock()
		now := time.Now()
		w := h.take(now)
		for _, p := range peers {
			p.feedback(now, w)
		}
		h.give(w)
		clear(peers)
		peers = peers[:0]
	}
}
