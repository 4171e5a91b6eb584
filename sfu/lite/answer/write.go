package answer

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Local is our side of an answer.
type Local struct {
	ICE            ICE
	Lite           bool // a=ice-lite, RFC 8839 §5.3
	Fingerprint    Fingerprint
	Candidates     []Candidate // all there are, the preferred one first
	Session        uint64      // of the o-line: the same for a transport's life, below 2⁶³
	Version        uint64      // of the o-line: rises with each answer
	CNAME          string      // RFC 7022
	MaxMessageSize uint32      // bytes of a data channel message that we take
}

// Candidate is an address to reach us (RFC 8839 §5.1).
type Candidate struct {
	Protocol string // "udp" or "tcp"
	Addr     netip.AddrPort
	Base     netip.AddrPort // of a server-reflexive one: our own address, that a NAT shows as Addr
}

type writer struct{ strings.Builder }

func (w *writer) line(format string, args ...any) {
	_, _ = fmt.Fprintf(&w.Builder, format+"\r\n", args...)
}

// SDP is the answer's text.
func (d *Description) SDP(l Local) string {
	var w writer
	w.line("v=0")
	w.line("o=- %d %d IN IP4 0.0.0.0", l.Session, l.Version)
	w.line("s=-")
	w.line("t=0 0")
	var mids []string
	for _, m := range d.Media {
		if m.Role != Refused && m.MID != "" {
			mids = append(mids, m.MID)
		}
	}
	if len(mids) > 0 {
		w.line("a=group:BUNDLE %s", strings.Join(mids, " "))
	}
	if l.Lite {
		w.line("a=ice-lite")
	}
	w.line("a=msid-semantic:WMS *")
	first := true
	for i := range d.Media {
		m := &d.Media[i]
		if m.Role == Refused {
			w.refused(m)
			continue
		}
		w.begin(m, d.Data)
		w.transport(l, d.Active, first)
		first = false
		if m.Role == Channels {
			w.channels(d.Data, l.MaxMessageSize)
			continue
		}
		w.codecs(m)
		w.streams(m, l.CNAME)
	}
	return w.String()
}

func (w *writer) refused(m *Media) {
	w.line("m=%s 0 %s %s", m.Kind, m.proto, orZero(m.refusedFmt))
	w.line("c=IN IP4 0.0.0.0")
	if m.MID != "" {
		w.line("a=mid:%s", m.MID)
	}
	w.line("a=inactive")
}

func orZero(s string) string {
	if s == "" {
		return "0"
	}
	return s
}

func (w *writer) begin(m *Media, data *Data) {
	var formats []string
	for _, c := range m.Codecs {
		formats = append(formats, fmt.Sprint(c.PT))
		if c.RTX != 0 {
			formats = append(formats, fmt.Sprint(c.RTX))
		}
	}
	switch {
	case m.Role == Channels && data.legacy:
		formats = []string{fmt.Sprint(data.Port)}
	case m.Role == Channels:
		formats = []string{"webrtc-datachannel"}
	}
	w.line("m=%s 9 %s %s", m.Kind, m.proto, strings.Join(formats, " "))
	w.line("c=IN IP4 0.0.0.0")
	if m.MID != "" {
		w.line("a=mid:%s", m.MID)
	}
}

// transport writes what all m-lines share; candidates on the first only (RFC 9143 §7.3).
func (w *writer) transport(l Local, client, first bool) {
	w.line("a=ice-ufrag:%s", l.ICE.Ufrag)
	w.line("a=ice-pwd:%s", l.ICE.Pwd)
	w.line("a=fingerprint:%s %s", l.Fingerprint.Hash, l.Fingerprint.Value)
	if client {
		w.line("a=setup:%s", active)
	} else {
		w.line("a=setup:%s", passive)
	}
	if !first {
		return
	}
	const host, reflexive, localTop, tcpBelow = 126, 100, 65535, 1 << 14
	for i, c := range l.Candidates { // RFC 8445 §5.1.2.1; TCP is the way out when nothing else works
		kind, pref, tail := host, localTop-i, "host"
		switch {
		case c.Protocol == "tcp":
			pref, tail = pref-tcpBelow, "host tcptype passive"
		case c.Base.IsValid():
			kind, tail = reflexive, fmt.Sprintf("srflx raddr %s rport %d", c.Base.Addr(), c.Base.Port())
		}
		w.line("a=candidate:%d 1 %s %d %s %d typ %s", i+1, c.Protocol, kind<<24|pref<<8|255, c.Addr.Addr(), c.Addr.Port(), tail)
	}
	w.line("a=end-of-candidates")
}

func (w *writer) channels(d *Data, size uint32) {
	w.line("a=sendrecv")
	if d.legacy {
		w.line("a=sctpmap:%d webrtc-datachannel 65535", d.Port)
	} else {
		w.line("a=sctp-port:5000")
	}
	w.line("a=max-message-size:%d", size)
}

func (w *writer) codecs(m *Media) {
	w.line("a=rtcp-mux")
	if m.reducedSize {
		w.line("a=rtcp-rsize")
	}
	if m.xr {
		w.line("a=rtcp-xr:rcvr-rtt=all")
	}
	for _, c := range m.Codecs {
		name := fmt.Sprintf("%s/%d", c.Name, c.Clock)
		if c.Channels > 0 {
			name += fmt.Sprintf("/%d", c.Channels)
		}
		w.line("a=rtpmap:%d %s", c.PT, name)
		if c.Params != "" {
			w.line("a=fmtp:%d %s", c.PT, c.Params)
		}
		for _, f := range c.Feedback {
			w.line("a=rtcp-fb:%d %s", c.PT, f)
		}
		if c.RTX != 0 {
			w.line("a=rtpmap:%d rtx/%d", c.RTX, c.Clock)
			w.line("a=fmtp:%d apt=%d", c.RTX, c.PT)
		}
	}
	if m.mixed {
		w.line("a=extmap-allow-mixed")
	}
	for _, e := range m.Extensions {
		id := fmt.Sprint(e.ID)
		if e.direction != "" {
			id += "/" + e.direction
		}
		w.line("a=extmap:%s %s", id, e.URI)
	}
}

func (w *writer) streams(m *Media, cname string) {
	switch m.Role {
	case Publication:
		w.line("a=recvonly")
		for _, r := range m.RIDs {
			w.line("a=rid:%s recv", r)
		}
		if len(m.RIDs) > 0 {
			w.line("a=simulcast:recv %s", strings.Join(m.RIDs, ";"))
		}
	case Slot:
		w.line("a=sendonly")
		w.line("a=msid:%s %s", m.Out.Stream, m.Out.Name)
		ssrcs := []uint32{m.Out.SSRC}
		if m.Out.RTX != 0 && slices.ContainsFunc(m.Codecs, func(c Codec) bool { return c.RTX != 0 }) {
			w.line("a=ssrc-group:FID %d %d", m.Out.SSRC, m.Out.RTX)
			ssrcs = append(ssrcs, m.Out.RTX)
		}
		for _, s := range ssrcs {
			w.line("a=ssrc:%d cname:%s", s, cname)
		}
	default:
		w.line("a=inactive")
	}
}
