package native

import (
	"encoding/binary"
	"maps"
	"time"

	"github.com/pion/rtcp"

	"github.com/turnout-rtc/turnout/sfu/forward"
	"github.com/turnout-rtc/turnout/sfu/link"
	"github.com/turnout-rtc/turnout/sfu/lite/answer"
	"github.com/turnout-rtc/turnout/sfu/report"
)

const (
	headerSize        = 12  // RFC 3550 §5.1
	maxExtensions     = 3   // MID, audio level, dependency descriptor
	maxOneByte        = 16  // bytes of data in one-byte form, RFC 8285 §4.2
	maxDescriptor     = 255 // in two-byte form
	senderReportEvery = time.Second
)

// Sender is one slot's outgoing stream.
type Sender struct {
	// Set at construction, never changed.
	peer         *Peer
	codecs       []answer.Codec
	video        bool
	ssrc, rtx    uint32
	mid          []byte
	midID        uint8
	audioLevelID uint8
	descriptorID uint8
	rate         uint32

	feedback link.Feedback // set by Listen, before the sender is found by its SSRC

	// Guarded by peer.out.mu.
	sent       report.Sender
	reportedAt time.Time
}

func newSender(p *Peer, m *answer.Media) *Sender {
	s := &Sender{
		peer: p, codecs: m.Codecs, video: m.Kind == answer.Video, ssrc: m.Out.SSRC, rtx: m.Out.RTX, mid: []byte(m.MID),
	}
	for _, c := range m.Codecs {
		s.rate = max(s.rate, uint32(c.Clock)) // the same for all that are forwarded
	}
	for _, e := range m.Extensions {
		switch e.URI {
		case answer.ExtMID:
			s.midID = e.ID
		case answer.ExtAudioLevel:
			s.audioLevelID = e.ID
		case answer.ExtDependency:
			s.descriptorID = e.ID
		}
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

// Send sends a packet on the slot's stream.
func (s *Sender) Send(o *forward.Out, via *link.Outlet) error {
	out := &s.peer.out
	out.mu.Lock()
	defer out.mu.Unlock()
	if err := s.write(s.ssrc, o, via); err != nil {
		return err
	}
	s.sent.Sent(via.Now, o.Captured, o.Timestamp, len(o.Payload))
	if via.Now.Sub(s.reportedAt) >= senderReportEvery {
		s.reportedAt = via.Now
		return s.senderReport(via)
	}
	return nil
}

// SendRTX sends a packet on the slot's stream of retransmissions.
func (s *Sender) SendRTX(o *forward.Out, via *link.Outlet) error {
	if s.rtx == 0 {
		return link.ErrNotSending
	}
	s.peer.out.mu.Lock()
	defer s.peer.out.mu.Unlock()
	return s.write(s.rtx, o, via)
}

// write puts the packet where it is sent from, and encrypts it there. peer.out.mu is held.
func (s *Sender) write(ssrc uint32, o *forward.Out, via *link.Outlet) error {
	out := &s.peer.out
	if !out.ready(s.peer.wire) {
		return link.ErrNotSending
	}
	most := headerSize + 4 + maxExtensions*(2+maxOneByte) + len(o.Descriptor) + 4 + len(o.Payload)
	p, err := out.place(s.peer.wire, most, via)
	if err != nil {
		return err
	}
	n := s.marshal(p.buf, ssrc, o)
	encrypted, err := out.ctx.EncryptRTP(p.buf, p.buf[:n], &out.header)
	if err != nil {
		return err
	}
	p.send(encrypted)
	return nil
}

// marshal writes an RTP packet to b and returns its size.
func (s *Sender) marshal(b []byte, ssrc uint32, o *forward.Out) int {
	b[0], b[1] = 0x80, o.PayloadType
	if o.Marker {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], o.Seq)
	binary.BigEndian.PutUint32(b[4:], o.Timestamp)
	binary.BigEndian.PutUint32(b[8:], ssrc)
	n := headerSize + s.extensions(b[headerSize:], o)
	if n > headerSize {
		b[0] |= 0x10
	}
	return n + copy(b[n:], o.Payload)
}

// extensions writes the header extensions that the receiver has, and returns their size.
func (s *Sender) extensions(b []byte, o *forward.Out) int {
	all := [maxExtensions]struct {
		id   uint8
		data []byte
	}{{s.midID, s.mid}, {s.audioLevelID, o.Extensions.AudioLevel()}, {s.descriptorID, o.Descriptor}}
	wide := false // one element that does not fit into the short form makes all of them long
	for _, e := range all {
		wide = wide || e.id > 14 || len(e.data) > maxOneByte
	}
	n := 4
	for _, e := range all {
		switch {
		case e.id == 0 || len(e.data) == 0 || len(e.data) > maxDescriptor:
			continue
		case wide:
			b[n], b[n+1] = e.id, byte(len(e.data))
			n += 2
		default:
			b[n] = e.id<<4 | byte(len(e.data)-1)
			n++
		}
		n += copy(b[n:], e.data)
	}
	if n == 4 {
		return 0
	}
	for n%4 != 0 {
		b[n] = 0
		n++
	}
	profile := uint16(0xBEDE)
	if wide {
		profile = 0x1000
	}
	binary.BigEndian.PutUint16(b, profile)
	binary.BigEndian.PutUint16(b[2:], uint16(n/4-1))
	return n
}

// senderReport relates the stream's timestamps to the time. peer.out.mu is held.
func (s *Sender) senderReport(via *link.Outlet) error {
	r, ok := s.sent.Report(via.Now, s.rate)
	if !ok {
		return nil
	}
	b, err := (&rtcp.SenderReport{
		SSRC: s.ssrc, NTPTime: uint64(r.NTP), RTPTime: r.RTP, PacketCount: r.Packets, OctetCount: r.Bytes,
	}).Marshal()
	if err != nil {
		return err
	}
	return s.peer.out.rtcpLocked(s.peer.wire, b, via)
}
