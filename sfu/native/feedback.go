package native

import (
	"encoding/binary"
	"time"

	"github.com/pion/rtcp"

	"github.com/turnout-rtc/turnout/sfu/link"
	"github.com/turnout-rtc/turnout/sfu/packet"
	"github.com/turnout-rtc/turnout/sfu/receive"
	"github.com/turnout-rtc/turnout/sfu/report"
)

// feedbackSSRC is who our feedback comes from. It needs no stream of its own (RFC 3550 §6.4.2: a receiver's SSRC).
const feedbackSSRC = 1

// Pauses between reports to a publisher. They are sent with what arrives, so one that is silent gets none.
const (
	arrivalsEvery = 50 * time.Millisecond // often enough for an estimator, seldom enough to cost little
	reportsEvery  = time.Second
)

// due is what a publisher is told in time.
type due struct {
	numbers    packet.Unwrapper // transport-wide
	arrivals   receive.Arrivals
	toldAt     time.Time // arrivals
	reportedAt time.Time
}

// rtcp takes a compound packet.
func (p *Peer) rtcp(now time.Time, b []byte, w *porter) {
	p.mu.Lock()
	var plain []byte
	err := link.ErrNotSending
	if p.ready() {
		plain, err = p.in.DecryptRTCP(b, b, nil)
	}
	p.mu.Unlock()
	if err != nil {
		p.host.count.undecrypted.Add(1)
		return
	}
	packets, err := rtcp.Unmarshal(plain)
	if err != nil {
		p.host.count.malformed.Add(1)
		return
	}
	p.feeding.Lock()
	defer p.feeding.Unlock()
	for _, r := range packets {
		switch r := r.(type) {
		case *rtcp.SenderReport:
			p.senderReport(now, r)
		case *rtcp.TransportLayerNack:
			p.nacked(r, w)
		case *rtcp.PictureLossIndication:
			p.pictureLost(r.MediaSSRC)
		case *rtcp.FullIntraRequest:
			for _, entry := range r.FIR {
				p.pictureLost(entry.SSRC)
			}
		}
	}
}

func (p *Peer) senderReport(now time.Time, r *rtcp.SenderReport) {
	ntp := report.NTP(r.NTPTime)
	if ntp == 0 { // the publisher has no clock, RFC 3550 §6.4.1
		return
	}
	p.mu.Lock()
	changed := p.clock.Observe(now, ntp)
	tell := make(map[*Track]times)
	for _, t := range p.streams.tracks {
		if t.ssrc == r.SSRC {
			t.told = times{ntp, r.RTPTime}
			t.received.SenderReport(now, ntp)
		}
		if t.told.ntp != 0 && (changed || t.ssrc == r.SSRC) { // all by the same clock, always
			tell[t] = times{p.clock.Ours(t.told.ntp), t.told.rtp}
		}
	}
	p.mu.Unlock()
	for t, at := range tell {
		t.senderReport(at)
	}
}

func (p *Peer) nacked(r *rtcp.TransportLayerNack, w *porter) {
	s := (*p.listeners.Load())[r.MediaSSRC]
	if s == nil {
		return
	}
	w.seqs = w.seqs[:0]
	for _, pair := range r.Nacks {
		pair.Range(func(seq uint16) bool { w.seqs = append(w.seqs, seq); return true })
	}
	s.feedback.Nacked(w.Now, w.seqs)
}

func (p *Peer) pictureLost(ssrc uint32) {
	if s := (*p.listeners.Load())[ssrc]; s != nil {
		s.feedback.PictureLost()
	}
}

// feedback tells the publisher when its packets arrived, and how many did not, when it is time.
func (p *Peer) feedback(now time.Time, w *porter) {
	p.mu.Lock()
	var packets []rtcp.Packet
	var arrivals []byte
	if p.due.arrivals.Due() > 0 && now.Sub(p.due.toldAt) >= arrivalsEvery {
		p.due.toldAt = now
		arrivals = p.due.arrivals.Report(transportFeedbackHeader(w.Scratch[:0], p.streams.anySSRC()))
	}
	if len(p.streams.tracks) > 0 && now.Sub(p.due.reportedAt) >= reportsEvery {
		p.due.reportedAt = now
		packets = append(packets, p.receiverReport(now))
	}
	p.mu.Unlock()
	if len(packets) > 0 {
		_ = p.sendRTCP(&w.Outlet, packets...) // the next report says it all again
	}
	if arrivals != nil {
		_ = p.out.rtcp(p.wire, finishTransportFeedback(arrivals), &w.Outlet)
	}
}

// maxBlocks is what a receiver report holds: 5 bits.
const maxBlocks = 31

// receiverReport is about all streams. mu is held.
func (p *Peer) receiverReport(now time.Time) *rtcp.ReceiverReport {
	r := &rtcp.ReceiverReport{SSRC: feedbackSSRC}
	for _, t := range p.streams.tracks {
		b, ok := t.received.Report(now)
		if !ok || len(r.Reports) == maxBlocks {
			continue
		}
		r.Reports = append(r.Reports, rtcp.ReceptionReport{
			SSRC: t.ssrc, FractionLost: b.Fraction, TotalLost: uint32(b.Lost) & 0xffffff, LastSequenceNumber: b.Highest,
			Jitter: b.Jitter, LastSenderReport: b.LSR, Delay: b.DLSR,
		})
	}
	return r
}

func (s *streams) anySSRC() uint32 {
	if len(s.tracks) == 0 {
		return 0
	}
	return s.tracks[0].ssrc
}

// transportFeedbackHeader begins a transport-wide feedback message (RFC 4585 §6.1, FMT 15).
func transportFeedbackHeader(dst []byte, media uint32) []byte {
	dst = append(dst, 0x80|15, 205, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, feedbackSSRC)
	return binary.BigEndian.AppendUint32(dst, media)
}

// finishTransportFeedback pads the message to whole words and fills in its length.
func finishTransportFeedback(b []byte) []byte {
	if pad := (4 - len(b)%4) % 4; pad > 0 {
		for range pad - 1 {
			b = append(b, 0)
		}
		b = append(b, byte(pad))
		b[0] |= 0x20
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)/4-1))
	return b
}

func (p *Peer) sendRTCP(via *link.Outlet, packets ...rtcp.Packet) error {
	b, err := rtcp.Marshal(packets)
	if err != nil {
		return err
	}
	return p.out.rtcp(p.wire, b, via)
}
