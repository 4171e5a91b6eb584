package native

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"

	"github.com/turnout-rtc/turnout/sfu/demux"
	"github.com/turnout-rtc/turnout/sfu/link"
	"github.com/turnout-rtc/turnout/sfu/lite"
	"github.com/turnout-rtc/turnout/sfu/lite/answer"
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

// Peer is the server's end of one RTCPeerConnection.
type Peer struct {
	// Set at construction, never changed.
	host      *Host
	on        link.Handlers
	transport *lite.Transport
	wire      wire // transport, but in tests
	out       outbound

	mu sync.Mutex
	// Guarded by mu.
	in         *srtp.Context // nil until there are keys
	header     rtp.Header    // used again for every packet
	parsed     packet.Packet // likewise
	streams    streams
	numbers    packet.Unwrapper // transport-wide
	arrivals   receive.Arrivals
	toldAt     time.Time // arrivals
	reportedAt time.Time

	listeners atomic.Pointer[map[uint32]*Sender] // by SSRC; a new map for every change, made in Answer
	feeding   sync.Mutex                         // held while feedback is given to a listener, so that one goroutine does it at a time
}

func newPeer(h *Host, on link.Handlers) *Peer {
	p := &Peer{host: h, on: on}
	p.streams.peer = p
	p.listeners.Store(&map[uint32]*Sender{})
	return p
}

// event carries lite's events to the handlers.
func (p *Peer) event(e lite.Event) {
	switch e := e.(type) {
	case lite.StateChanged:
		p.on.State(string(p.transport.State()))
	case lite.ChannelOpened:
		p.on.Channel(e.Channel)
	case lite.ChannelClosed:
		p.on.ChannelClosed(e.Channel)
	}
}

// Answer applies an offer.
func (p *Peer) Answer(_ context.Context, offer string, slots []link.Slot) (string, []link.Sender, error) {
	sdp, d, err := p.transport.Answer(offer)
	if err != nil {
		var refused *answer.Error
		if errors.As(err, &refused) {
			return "", nil, fmt.Errorf("%w: %s", link.ErrOffer, refused.Message)
		}
		return "", nil, err
	}
	p.mu.Lock()
	gone := p.streams.describe(d)
	p.mu.Unlock()
	for _, t := range gone {
		t.end()
	}
	senders := make([]link.Sender, 0, len(slots))
	for _, slot := range slots {
		m, ok := d.Find(slot.MID)
		if !ok || m.Out == nil {
			return "", nil, fmt.Errorf("%w: the m-line %q has no codec that is forwarded", link.ErrOffer, slot.MID)
		}
		senders = append(senders, newSender(p, m))
	}
	return sdp, senders, nil
}

// AddCandidate needs nothing: the client's checks tell where it is.
func (p *Peer) AddCandidate(string, string, uint16, string) error { return nil }

// Close ends the connection. Its goroutines end with the host's at the latest.
func (p *Peer) Close() error {
	p.transport.Close()
	p.host.forget(p.transport)
	return nil
}

// receive takes one datagram. w keeps what is to be handed over.
func (p *Peer) receive(now time.Time, r *lite.Received, w *porter) {
	if r.Kind == demux.RTCP {
		w.handOver() // in the order of arrival
		p.rtcp(now, r.Packet.Data, w)
		return
	}
	p.mu.Lock()
	t, b, isNew := p.open(now, r.Packet.Data)
	replaced := p.streams.replaced
	p.streams.replaced = nil
	p.mu.Unlock()
	for _, old := range replaced {
		w.handOver()
		old.end()
	}
	if isNew {
		p.on.Track(t)
	}
	if t != nil {
		w.add(t, b)
	}
}

// ready makes the context that decrypts, as soon as there are keys. mu is held.
func (p *Peer) ready() bool {
	if p.in != nil {
		return true
	}
	keys, ok := p.transport.Keys()
	if !ok {
		return false
	}
	in, err := keys.Inbound()
	if err != nil {
		return false
	}
	p.in = in
	return true
}

// open decrypts a packet in place and finds its track, nil for none. What came as a retransmission is the original then. mu is
// held.
func (p *Peer) open(now time.Time, b []byte) (t *Track, plain []byte, isNew bool) {
	count := &p.host.count
	if !p.ready() {
		count.early.Add(1)
		return nil, nil, false
	}
	plain, err := p.in.DecryptRTP(b, b, &p.header)
	if err != nil || p.parsed.Parse(plain) != nil {
		count.undecrypted.Add(1)
		return nil, nil, false
	}
	if n := p.parsed.Extension(p.streams.transport); len(n) == 2 {
		p.arrivals.Packet(now, p.numbers.Unwrap(binary.BigEndian.Uint16(n)))
	}
	s, isNew := p.streams.of(&p.parsed)
	if s.track == nil {
		count.unknown.Add(1)
		return nil, nil, false
	}
	t = s.track
	if s.rtx {
		pt, known := mediaType(t.codecs, p.parsed.PayloadType)
		if plain, known = restore(plain, &p.parsed, t.ssrc, pt, known); !known {
			count.probes.Add(1)
			return nil, nil, false
		}
		_ = p.parsed.Parse(plain) // it was parsed before
	}
	t.count(now, &p.parsed, s.rtx)
	return t, plain, isNew
}

// restore is original for a known payload type.
func restore(b []byte, p *packet.Packet, ssrc uint32, pt uint8, known bool) ([]byte, bool) {
	if !known {
		return nil, false
	}
	return original(b, p, ssrc, pt)
}

// count has the packet in the reports about its stream. peer.mu is held.
func (t *Track) count(now time.Time, p *packet.Packet, late bool) {
	n := t.unwrap.Unwrap(p.Seq)
	if t.window.Check(n) != packet.Fresh {
		return
	}
	if t.received.Rate == 0 {
		t.received.Rate = max(codecOf(t.codecs, t.stream.Video, p.PayloadType).ClockRate, 1)
	}
	t.received.Packet(now, n, p.Timestamp, late)
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
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.streams.tracks {
		if t.ssrc == r.SSRC {
			t.received.SenderReport(now, report.NTP(r.NTPTime))
		}
	}
}

func (p *Peer) nacked(r *rtcp.TransportLayerNack, w *porter) {
	s := (*p.listeners.Load())[r.MediaSSRC]
	if s == nil {
		return
	}
	for _, pair := range r.Nacks {
		pair.Range(func(seq uint16) bool { s.feedback.Nacked(seq, &w.Outlet); return true })
	}
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
	if p.arrivals.Due() > 0 && now.Sub(p.toldAt) >= arrivalsEvery {
		p.toldAt = now
		arrivals = p.arrivals.Report(transportFeedbackHeader(w.Scratch[:0], p.streams.anySSRC()))
	}
	if len(p.streams.tracks) > 0 && now.Sub(p.reportedAt) >= reportsEvery {
		p.reportedAt = now
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
