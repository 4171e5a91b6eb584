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
	"github.com/turnout-rtc/turnout/sfu/netio"
	"github.com/turnout-rtc/turnout/sfu/packet"
	"github.com/turnout-rtc/turnout/sfu/report"
	"github.com/turnout-rtc/turnout/sfu/seal"
)

// Peer is the server's end of one RTCPeerConnection.
type Peer struct {
	// Set at construction, never changed.
	wire      wire     // transport, but in tests
	out       outbound // with wire, which every packet needs
	host      *Host
	on        link.Handlers
	transport *lite.Transport
	cname     string

	mu sync.Mutex
	// Guarded by mu.
	control func(b []byte) ([]byte, error) // opens RTCP; nil until there are keys
	opener  seal.Opener                    // control, for most peers
	in      *srtp.Context                  // opens RTP; nil until some comes
	header  rtp.Header                     // used again for every packet
	parsed  packet.Packet                  // likewise
	streams streams
	due     due
	clock   report.Offset // of the publisher

	listeners atomic.Pointer[map[uint32]*Sender] // by SSRC; a new map for every change, made in Answer
	heard     hearing
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

// Again is the last answer once more.
func (p *Peer) Again() string { return p.transport.Again() }

// AddCandidate takes a candidate of the client's. All m-lines share one transport, so it does not matter whose it is.
func (p *Peer) AddCandidate(candidate, _ string, _ uint16, ufrag string) error {
	return p.transport.AddCandidate(candidate, ufrag)
}

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
	to := p.room(r.Packet)
	t, b, isNew := p.open(now, r.Packet.Data, to.Data)
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
	if t == nil {
		to.Release()
		return
	}
	w.add(t, link.Packet{Data: b, Memory: to.Memory()})
}

// room is where a packet is decrypted to: in place, but for video, which is kept to be sent again. That goes into memory of its
// own layer, so that a slow layer does not hold what others have sent. The SSRC is not proven yet, a false one wastes room of its
// own publisher. mu is held, the packet is the caller's to release.
func (p *Peer) room(sealed netio.Packet) netio.Packet {
	if b := sealed.Data; len(b) >= headerSize {
		if t := p.streams.known[binary.BigEndian.Uint32(b[8:])].track; t != nil && t.stream.Video {
			if t.pack == nil {
				t.pack = p.host.slabs.NewPacker()
			}
			return t.pack.Place(len(b))
		}
	}
	sealed.Retain()
	return sealed
}

// readyControl makes what opens RTCP, as soon as there are keys. mu is held.
func (p *Peer) readyControl() bool {
	if p.control != nil {
		return true
	}
	keys, ok := p.wire.Keys()
	if !ok {
		return false
	}
	switch o, err := keys.Opener(&p.opener); {
	case err != nil:
	case o != nil:
		p.control = o.RTCP
	case p.ready():
		header := new(rtcp.Header)
		p.control = func(b []byte) ([]byte, error) { return p.in.DecryptRTCP(b, b, header) }
	}
	return p.control != nil
}

// ready makes the context that decrypts RTP, as soon as there are keys. Who only watches needs none. mu is held.
func (p *Peer) ready() bool {
	if p.in != nil {
		return true
	}
	keys, ok := p.wire.Keys()
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

// open decrypts a packet into to and finds its track, nil for none. What came as a retransmission is the original then. mu is
// held.
func (p *Peer) open(now time.Time, b, to []byte) (t *Track, plain []byte, isNew bool) {
	count := &p.host.count
	if !p.ready() {
		count.early.Add(1)
		return nil, nil, false
	}
	plain, err := p.in.DecryptRTP(to, b, &p.header)
	if err != nil || p.parsed.Parse(plain) != nil {
		count.undecrypted.Add(1)
		return nil, nil, false
	}
	p.due.arrived(now, p.parsed.Extension(p.streams.transport), len(plain))
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
	captureTime(&p.parsed, t.stream.Extensions.CaptureTime, &p.clock)
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
