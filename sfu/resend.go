package sfu

import (
	"time"

	"github.com/turnout-rtc/turnout/sfu/forward"
)

// PictureLost is the receiver's wish for a key frame, part of link.Feedback.
func (s *slot) PictureLost() {
	s.count.plis.Add(1)
	p := s.showing.Load()
	if p == nil || !s.open.Load() {
		return
	}
	var l *layer
	var spatial uint8
	s.lane.Do(func() {
		s.sent.PictureLost()
		l, spatial = s.target, s.highest.Spatial
	})
	switch {
	case l == nil:
		p.requestKeyFrame(spatial)
	case s.Kind == Video:
		l.requestKeyFrame()
	}
}

// Nacked sends packets again (RFC 4588), part of link.Feedback.
func (s *slot) Nacked(now time.Time, seqs []uint16) {
	s.count.nacks.Add(uint64(len(seqs)))
	s.lane.Do(func() {
		s.lane.now(now)
		s.sent.RoundTrip = time.Duration(s.downlink.roundTrip.Load())
		for _, seq := range seqs {
			s.nacked(now, seq)
		}
	})
}

func (s *slot) nacked(now time.Time, seq uint16) {
	sent, refusal := s.sent.Resend(now, seq)
	switch refusal {
	case forward.Granted:
		s.downlink.account(s)
		if s.downlink.budget.Spend(now, packetBytes) {
			s.downlink.repeat(now, s, sent)
		} else {
			s.count.drop(dropRTXBudget)
		}
	case forward.Unknown:
		s.count.drop(dropRTXUnknown)
	case forward.TooSoon:
		s.count.drop(dropRTXTooSoon)
	case forward.TooOften:
		s.count.drop(dropRTXTooOften)
	case forward.NoRTX:
		s.count.drop(dropRTXNone)
	case forward.NoUse:
		s.count.drop(dropRTXNoUse)
	}
}

// resend sends a packet again, if it is still there. It is called in the lane.
func (s *slot) resend(now time.Time, sent *forward.Sent) {
	w := s.lane
	raw, ok := sent.Packet(w.raw[:0])
	if !ok || w.in.Parse(raw) != nil {
		s.count.drop(dropRTXUnknown)
		return
	}
	s.downlink.bucket.Take(now, len(raw))
	s.rtx++
	w.run = append(w.run, sent.Retransmission(&w.in.Packet, s.rtx, w.scratch[0][:0]))
	err := s.sender.SendRTX(&w.run[0], w.via)
	if w.run = w.run[:0]; err != nil {
		s.count.drop(dropSend)
		return
	}
	s.count.retransmitted.Add(1)
}
