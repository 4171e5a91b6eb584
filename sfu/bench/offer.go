//go:build linux

package main

import (
	"crypto/sha256"
	"fmt"
	"strings"
)

// What the clients offer.
const (
	opusType  = 111
	videoType = 96
	rtxType   = 97

	midID       = 1 // header extensions
	transportID = 2
	levelID     = 3

	audioSSRC = 1000
	videoSSRC = 2000
)

// offer is a client's SDP offer: what it publishes, and slots for so many others.
func (c *client) offer(audio, video bool, slots int) string {
	var b strings.Builder
	var mids []string
	section := func(kind, direction string, ssrc uint32) {
		mid := fmt.Sprint(len(mids))
		mids = append(mids, mid)
		c.section(&b, kind, direction, mid, ssrc)
	}
	if audio {
		section("audio", "sendonly", audioSSRC)
	}
	if video {
		section("video", "sendonly", videoSSRC)
	}
	for range slots {
		section("audio", "recvonly", 0)
		section("video", "recvonly", 0)
	}
	return "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE " + strings.Join(mids, " ") +
		"\r\na=extmap-allow-mixed\r\na=msid-semantic: WMS *\r\n" + b.String()
}

func (c *client) section(b *strings.Builder, kind, direction, mid string, ssrc uint32) {
	line := func(format string, args ...any) { fmt.Fprintf(b, format+"\r\n", args...) }
	types := fmt.Sprint(opusType)
	if kind == "video" {
		types = fmt.Sprintf("%d %d", videoType, rtxType)
	}
	line("m=%s 9 UDP/TLS/RTP/SAVPF %s", kind, types)
	line("c=IN IP4 0.0.0.0")
	line("a=ice-ufrag:%s", c.local.ufrag)
	line("a=ice-pwd:%s", c.local.password)
	line("a=fingerprint:sha-256 %s", fingerprint(c.certificate.Certificate[0]))
	line("a=setup:actpass")
	line("a=mid:%s", mid)
	line("a=%s", direction)
	line("a=rtcp-mux")
	line("a=rtcp-rsize")
	line("a=extmap:%d urn:ietf:params:rtp-hdrext:sdes:mid", midID)
	line("a=extmap:%d http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01", transportID)
	if kind == "audio" {
		line("a=extmap:%d urn:ietf:params:rtp-hdrext:ssrc-audio-level", levelID)
		line("a=rtpmap:%d opus/48000/2", opusType)
		line("a=fmtp:%d minptime=10;useinbandfec=1", opusType)
		line("a=rtcp-fb:%d transport-cc", opusType)
	} else {
		line("a=rtpmap:%d VP8/90000", videoType)
		for _, fb := range []string{"transport-cc", "ccm fir", "nack", "nack pli"} {
			line("a=rtcp-fb:%d %s", videoType, fb)
		}
		line("a=rtpmap:%d rtx/90000", rtxType)
		line("a=fmtp:%d apt=%d", rtxType, videoType)
	}
	if ssrc != 0 {
		line("a=msid:stream %s", kind)
		if kind == "video" {
			line("a=ssrc-group:FID %d %d", ssrc, ssrc+1)
			line("a=ssrc:%d cname:bench", ssrc+1)
		}
		line("a=ssrc:%d cname:bench", ssrc)
	}
}

func fingerprint(certificate []byte) string {
	sum := sha256.Sum256(certificate)
	pairs := make([]string, len(sum))
	for i, b := range sum {
		pairs[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(pairs, ":")
}
