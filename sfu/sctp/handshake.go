package sctp

import (
	"encoding/binary"
	"time"
)

// Parameters of INIT and INIT ACK: RFC 9260 §3.3.2, RFC 3758 §3.1, RFC 5061 §4.2.7.
const (
	paramCookie       = 7
	paramUnrecognized = 8
	paramExtensions   = 0x8008
	paramForward      = 0xC000
)

// cookie is what the peer has to send back. Its use in general is that a server keeps nothing of a peer that may not exist
// (RFC 9260 §5.1.3); behind DTLS the peer has shown who and where it is, so the cookie is a number, and what it stands for is kept: once
// per association, replaced by the next INIT.
type cookie [8]byte

// initHeader is the fixed part of INIT and INIT ACK, without the chunk header.
const initHeader = 16

// allStreams is what we offer: 65535 each way, since a data channel's id may be any but that (RFC 8832 §6). What is not used costs
// nothing; Config.Streams bounds what is.
const allStreams = 65535

// mostUnrecognized bounds what is sent back of an INIT.
const mostUnrecognized = 256

// greeting is an INIT and our answer to it.
type greeting struct {
	local   header // of packets to this peer
	tag     uint32 // ours
	first   tsn    // the peer's
	ours    tsn    // our first
	window  uint32 // the peer's
	forward bool   // it knows FORWARD TSN
	resets  bool   // and RE-CONFIG
	cookie  cookie
	answer  []byte    // INIT ACK, a whole packet that is to be sent; nil: it was
	sent    bool      // the INIT came more than once
	at      time.Time // of the INIT: the cookie's way is the first round trip
}

// greet answers an INIT (RFC 9260 §5.1, §5.2.1), and says false if it is none to be answered.
func (a *Association) greet(now time.Time, h header, b []byte) bool {
	if len(b) < initHeader || a.state == closing {
		return false
	}
	g := &greeting{
		local:  header{from: h.to, to: h.from, tag: binary.BigEndian.Uint32(b)},
		window: binary.BigEndian.Uint32(b[4:]),
		first:  tsn(binary.BigEndian.Uint32(b[12:])),
		at:     now,
	}
	if g.local.tag == 0 || binary.BigEndian.Uint16(b[8:]) == 0 || binary.BigEndian.Uint16(b[10:]) == 0 {
		return false // RFC 9260 §3.3.2: no tag, no streams
	}
	if a.open() && g.local == a.local && g.first == a.resets.first {
		return false // a late repetition of the INIT that made this association
	}
	if old := a.greeting; old != nil && old.local == g.local && old.first == g.first {
		g.tag, g.ours, g.cookie, g.sent = old.tag, old.ours, old.cookie, true // it asks again: the same answer
	} else {
		for g.tag == 0 {
			g.tag = a.cfg.Random()
		}
		g.ours = tsn(a.cfg.Random())
		binary.BigEndian.PutUint32(g.cookie[:], a.cfg.Random())
		binary.BigEndian.PutUint32(g.cookie[4:], a.cfg.Random())
	}
	unrecognized := g.params(b[initHeader:])
	g.answer = a.initAck(g, unrecognized)
	a.greeting = g
	return true
}

// params reads the parameters of an INIT and returns those that are to be sent back as not recognized.
func (g *greeting) params(b []byte) []byte {
	var unrecognized []byte
	for len(b) > 0 {
		p, rest, ok := nextParam(b)
		if !ok {
			break
		}
		b = rest
		switch p.kind {
		case paramForward:
			g.forward = true
		case paramExtensions:
			for _, kind := range p.value {
				g.forward = g.forward || kind == typeForward
				g.resets = g.resets || kind == typeReconfig
			}
		default:
			if p.kind&0x4000 != 0 && len(unrecognized)+len(p.whole) <= mostUnrecognized {
				unrecognized = appendParam(unrecognized, paramUnrecognized, p.whole)
			}
			if p.kind >= 16 && p.kind&0x8000 == 0 { // below are those of RFC 9260, which say nothing here
				return unrecognized
			}
		}
	}
	return unrecognized
}

// initAck is the packet that answers an INIT.
func (a *Association) initAck(g *greeting, unrecognized []byte) []byte {
	v := binary.BigEndian.AppendUint32(nil, g.tag)
	v = binary.BigEndian.AppendUint32(v, uint32(a.cfg.Window))
	v = binary.BigEndian.AppendUint16(v, allStreams)
	v = binary.BigEndian.AppendUint16(v, allStreams)
	v = binary.BigEndian.AppendUint32(v, uint32(g.ours))
	v = appendParam(v, paramForward, nil)
	v = appendParam(v, paramExtensions, []byte{typeReconfig, typeForward})
	v = append(v, unrecognized...)
	v = appendParam(v, paramCookie, g.cookie[:]) // last, since it needs no padding: a chunk's length does not count that of its last one
	w := begin(make([]byte, packetHeader+chunkHeader+len(v)), packetHeader+chunkHeader+len(v), g.local)
	copy(w.chunk(typeInitAck, 0, len(v)), v)
	return w.b[:w.finish()]
}

func (a *Association) pollGreeting(buf []byte) int {
	if a.greeting == nil || a.greeting.answer == nil {
		return 0
	}
	n := copy(buf, a.greeting.answer)
	a.greeting.answer = nil
	return n
}

// accept makes the association of a cookie that has come back (RFC 9260 §5.1, D; §5.2.4), and says whether it is the one.
func (a *Association) accept(now time.Time, h header, echoed []byte) bool {
	g := a.greeting
	switch {
	case g != nil && h.tag == g.tag && string(echoed) == string(g.cookie[:]):
	case a.open() && h.tag == a.tag && string(echoed) == string(a.cookie[:]): // our COOKIE ACK was lost
		a.reply(&reading{}, typeCookieAck, nil)
		return true
	default:
		return false
	}
	a.greeting, a.replies = nil, nil
	a.hand()
	a.out.release()
	a.in.assembly.release()
	a.begin(g)
	if rtt := now.Sub(g.at); !g.sent && rtt < firstTimeout { // a longer one had a loss on its way
		a.out.clock.measured(rtt)
	}
	a.reply(&reading{}, typeCookieAck, nil)
	return true
}

// begin enters the association that two INITs have agreed on.
func (a *Association) begin(g *greeting) {
	a.state, a.local, a.tag, a.cookie = established, g.local, g.tag, g.cookie
	a.out.begin(a.cfg.Memory, a.cfg.MaxPacket, g.ours, g)
	a.in.begin(&a.cfg, g.first)
	a.resets = resets{known: g.resets, next: uint32(g.ours), expected: uint32(g.first), first: g.first}
	a.shutdown = goodbye{}
	a.tell(Established{})
}
