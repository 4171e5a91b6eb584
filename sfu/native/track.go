package native

import (
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/turnout-rtc/turnout/sfu/link"
	"github.com/turnout-rtc/turnout/sfu/lite/answer"
	"github.com/turnout-rtc/turnout/sfu/netio"
	"github.com/turnout-rtc/turnout/sfu/packet"
	"github.com/turnout-rtc/turnout/sfu/receive"
	"github.com/turnout-rtc/turnout/sfu/report"
	"github.com/turnout-rtc/turnout/sfu/rtcp"
)

// maxEarly is how many packets wait for Start, which follows within milliseconds: a key frame of 4K.
const maxEarly = 256

// Track is one incoming stream.
type Track struct {
	// Set at construction, never changed.
	stream link.Stream
	ssrc   uint32
	peer   *Peer

	// Guarded by peer.mu.
	codecs   []answer.Codec
	unwrap   packet.Unwrapper
	window   packet.Window
	received report.Receiver
	pack     *netio.Packer // of video, nil before the first packet
	told     times         // of the last sender report
	firs     uint8         // full intra requests so far

	// handing is held while packets are handed to the sink, so that one goroutine does it at a time: a client that changes its
	// address may for a moment arrive on two sockets.
	handing sync.Mutex
	sink    link.Sink     // guarded by handing
	early   []link.Packet // likewise; before there is a sink
}

// Stream says what the track is.
func (t *Track) Stream() link.Stream { return t.stream }

// Codec of a payload type.
func (t *Track) Codec(payloadType uint8) link.Codec {
	t.peer.mu.Lock()
	defer t.peer.mu.Unlock()
	return codecOf(t.codecs, t.stream.Video, payloadType)
}

// Start hands over what has come, and from now on what comes.
func (t *Track) Start(s link.Sink) {
	defer t.tellAgain()
	t.handing.Lock()
	defer t.handing.Unlock()
	t.sink = s
	early := t.early
	t.early = nil
	if len(early) > 0 {
		w := t.peer.host.take(time.Now())
		s.Packets(w.Now, early, &w.Outlet)
		t.peer.host.give(w)
		for _, p := range early {
			p.Memory.Release()
		}
	}
}

func (t *Track) handOver(now time.Time, packets []link.Packet, via *link.Outlet) {
	t.handing.Lock()
	defer t.handing.Unlock()
	if t.sink != nil {
		t.sink.Packets(now, packets, via)
		return
	}
	for _, p := range packets {
		if len(t.early) < maxEarly {
			p.Memory.Retain()
			t.early = append(t.early, p)
		}
	}
}

// tellAgain has the sink know a report that came before it.
func (t *Track) tellAgain() {
	t.peer.mu.Lock()
	at := times{t.peer.clock.Ours(t.told.ntp), t.told.rtp}
	known := t.told.ntp != 0
	t.peer.mu.Unlock()
	if known {
		t.senderReport(at)
	}
}

// times of a sender report, the first by the publisher's clock; 0 for none.
type times struct {
	ntp report.NTP
	rtp uint32
}

func (t *Track) senderReport(at times) {
	t.handing.Lock()
	s := t.sink
	t.handing.Unlock()
	if s != nil {
		s.SenderReport(at.ntp, at.rtp)
	}
}

// end tells the sink that nothing more comes.
func (t *Track) end() {
	t.handing.Lock()
	s := t.sink
	t.handing.Unlock()
	if s != nil {
		s.Ended()
	}
}

// original turns a retransmission (RFC 4588 §4) into the packet that was lost, in place. ok is false for what carries none: a
// browser probes for bandwidth with those.
func original(b []byte, p *packet.Packet, ssrc uint32, payloadType uint8) ([]byte, bool) {
	if len(p.Payload) < 2 {
		return nil, false
	}
	header := len(b) - bodySize(b, p)
	seq := [2]byte{p.Payload[0], p.Payload[1]}
	copy(b[2:], b[:header])
	b = b[2:]
	b[1] = b[1]&0x80 | payloadType
	b[2], b[3] = seq[0], seq[1]
	binary.BigEndian.PutUint32(b[8:], ssrc)
	return b, true
}

// bodySize is how many bytes of b follow its header: payload and padding.
func bodySize(b []byte, p *packet.Packet) int {
	padding := 0
	if b[0]&0x20 != 0 {
		padding = int(b[len(b)-1])
	}
	return len(p.Payload) + padding
}

// RequestKeyFrame sends a picture loss indication (RFC 4585 §6.3.1), or a full intra request (RFC 5104 §4.3.1) where only that
// was agreed on.
func (t *Track) RequestKeyFrame() error {
	w := t.peer.host.take(time.Now())
	defer t.peer.host.give(w)
	t.peer.mu.Lock()
	fir := !agreed(t.codecs, "nack pli") && agreed(t.codecs, "ccm fir")
	if fir {
		t.firs++
	}
	number := t.firs
	t.peer.mu.Unlock()
	b := w.Scratch[:0:link.MTU]
	if fir {
		b = rtcp.AppendFIR(b, feedbackSSRC, t.ssrc, number)
	} else {
		b = rtcp.AppendPLI(b, feedbackSSRC, t.ssrc)
	}
	return t.peer.out.rtcp(t.peer.wire, b, &w.Outlet)
}

// maxPairs of a generic NACK fit into one datagram.
const maxPairs = 256

var errNoNACK = errors.New("the publisher has not agreed to send packets again")

// RequestAgain sends a generic NACK (RFC 4585 §6.2.1).
func (t *Track) RequestAgain(lost []receive.Pair, via *link.Outlet) (roundTrip time.Duration, err error) {
	t.peer.mu.Lock()
	can := agreed(t.codecs, "nack")
	t.peer.mu.Unlock()
	if !can {
		return 0, errNoNACK
	}
	for part := range slices.Chunk(lost, maxPairs) {
		b := rtcp.AppendNACK(via.Scratch[:0:link.MTU], feedbackSSRC, t.ssrc, part)
		if err := t.peer.out.rtcp(t.peer.wire, b, via); err != nil {
			return 0, err
		}
	}
	return time.Duration(t.peer.heard.roundTrip.Load()), nil
}

// agreed says whether one of the codecs has a kind of feedback (a=rtcp-fb).
func agreed(codecs []answer.Codec, feedback string) bool {
	return slices.ContainsFunc(codecs, func(c answer.Codec) bool { return slices.Contains(c.Feedback, feedback) })
}
