package native

import (
	"encoding/binary"
	"maps"
	"time"

	"github.com/turnout-rtc/turnout/sfu/delivery"
	"github.com/turnout-rtc/turnout/sfu/forward"
	"github.com/turnout-rtc/turnout/sfu/link"
	"github.com/turnout-rtc/turnout/sfu/lite/answer"
	"github.com/turnout-rtc/turnout/sfu/report"
	"github.com/turnout-rtc/turnout/sfu/rtcp"
	"github.com/turnout-rtc/turnout/sfu/seal"
)

const (
	headerSize = 12 // RFC 3550 §5.1

	senderReportEvery = time.Second
	// senderReportSoon is the pause before a report that cannot wait: the receiver would play the stream out of sync until then.
	// It bounds what a slot costs whose source changes all the time.
	senderReportSoon = 200 * time.Millisecond
)

// Sender is one slot's outgoing stream.
//
// What every packet needs stands together: between two frames it has left the processor's cache.
type Sender struct {
	// Set at construction, never changed.
	codecs     []answer.Codec
	video      bool
	rate       uint32
	peer       *Peer
	ssrc, rtx  uint32
	extensions sentExtensions

	// Guarded by peer.out.mu.
	media, again seal.Stream // of ssrc and rtx, as far as they have come
	reportedAt   time.Time
	soon         bool // the times of the stream have changed since the last report
	captured     bool // it is known when the newest packet was captured
	sent         report.Sender

	feedback  link.Feedback   // set by Listen, before the sender is found by its SSRC
	reception delivery.Stream // guarded by peer.heard.mu
}

func newSender(p *Peer, m *answer.Media) *Sender {
	s := &Sender{
		peer: p, codecs: m.Codecs, video: m.Kind == answer.Video, ssrc: m.Out.SSRC, rtx: m.Out.RTX,
		extensions: newSentExtensions(m.Extensions, m.MID),
	}
	for _, c := range m.Codecs {
		s.rate = max(s.rate, uint32(c.Clock)) // the same for all that are forwarded
	}
	return s
}

// Listen has feedback about the stream told to f.
func (s *Sender) Listen(f link.Feedback) {
	s.feedback = f
	all := maps.Clone(*s.peer.listeners.Load())
	all[s.ssrc] = s
	s.peer.listeners.Store(&all)
}

// PayloadTypes returns the receiver's payload types for a codec and its retransmissions.
func (s *Sender) PayloadTypes(c link.Codec) (media, rtx uint8, ok bool) {
	best := -1
	for i, have := range s.codecs {
		mine := codecOf(s.codecs[i:i+1], s.video, have.PT)
		if !link.SameStream(mine, c) {
			continue
		}
		if best < 0 || link.SameParameters(mine.Fmtp, c.Fmtp) {
			best = i
		}
	}
	if best < 0 {
		return 0, 0, false
	}
	if s.rtx != 0 {
		rtx = s.codecs[best].RTX
	}
	return s.codecs[best].PT, rtx, true
}

// Send sends packets on the slot's stream, in a row.
func (s *Sender) Send(run []forward.Out, via *link.Outlet) (sent int) {
	out := &s.peer.out
	out.mu.Lock()
	defer out.mu.Unlock()
	w, ok := out.way(s.peer.wire, via)
	if !ok {
		return 0
	}
	for i := range run {
		o := &run[i]
		if s.write(&w, &s.media, s.ssrc, o) != nil {
			continue
		}
		sent++
		s.sent.Sent(via.Now, o.Captured, o.Timestamp, len(o.Payload))
		known := o.Captured != 0
		s.soon = s.soon || o.Begins || known && !s.captured
		s.captured = known
	}
	if sent > 0 {
		s.reportIfDue(&w)
	}
	return sent
}

// reportIfDue sends a report behind what was sent: in between it would keep the kernel from taking that as one.
func (s *Sender) reportIfDue(w *way) {
	pause := senderReportEvery
	if s.soon {
		pause = senderReportSoon
	}
	if w.via.Now.Sub(s.reportedAt) >= pause {
		s.reportedAt = w.via.Now
		_ = s.senderReport(w) // the next one says it all again
	}
}

// SendRTX sends a packet on the slot's stream of retransmissions.
func (s *Sender) SendRTX(o *forward.Out, via *link.Outlet) error {
	if s.rtx == 0 {
		return link.ErrNotSending
	}
	out := &s.peer.out
	out.mu.Lock()
	defer out.mu.Unlock()
	w, ok := out.way(s.peer.wire, via)
	if !ok {
		return link.ErrNotSending
	}
	return s.write(&w, &s.again, s.rtx, o)
}

// write encrypts the packet into where it is sent from. peer.out.mu is held.
func (s *Sender) write(w *way, stream *seal.Stream, ssrc uint32, o *forward.Out) error {
	out := &s.peer.out
	b := w.place(headerSize + roomForExtensions + len(o.Descriptor) + len(o.Payload))
	if b == nil {
		return link.ErrNotSending
	}
	st := stamp{at: w.via.Now}
	if s.extensions.transport != 0 {
		st.number = out.history.Sent(w.via.Now, headerSize+len(o.Payload))
	}
	sealed, err := out.sealer.RTP(stream, b, s.header(b, ssrc, o, st), o.Payload)
	if err != nil {
		return err
	}
	w.send(sealed)
	return nil
}

// header writes the header of an RTP packet to b and returns its size.
func (s *Sender) header(b []byte, ssrc uint32, o *forward.Out, st stamp) int {
	b[0], b[1] = 0x80, o.PayloadType
	if o.Marker {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], o.Seq)
	binary.BigEndian.PutUint32(b[4:], o.Timestamp)
	binary.BigEndian.PutUint32(b[8:], ssrc)
	n := headerSize + s.extensions.write(b[headerSize:], o, st)
	if n > headerSize {
		b[0] |= 0x10
	}
	return n
}

// senderReport relates the stream's timestamps to the time, says whose stream it is, and answers the receiver's time if it has
// told one. peer.out.mu is held.
func (s *Sender) senderReport(w *way) error {
	now, out := w.via.Now, &s.peer.out
	r, ok := s.sent.Report(now, s.rate)
	if !ok {
		return nil
	}
	s.soon = false
	b := rtcp.AppendSenderReport(w.via.Scratch[:0:link.MTU], s.ssrc, r)
	b = rtcp.AppendCNAME(b, s.ssrc, s.peer.cname)
	if q := out.reference; !q.at.IsZero() {
		b = rtcp.AppendDelay(b, s.ssrc, rtcp.Delay{SSRC: q.ssrc, LRR: q.middle, DLRR: report.Delay(now.Sub(q.at))})
		out.reference = reference{}
	}
	return out.rtcpLocked(w, b)
}
