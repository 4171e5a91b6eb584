package sfu

import (
	"bytes"
	"encoding/binary"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/turnout-rtc/turnout/sfu/forward"
	"github.com/turnout-rtc/turnout/sfu/link"
)

// microphone sends Opus with redundancy (RFC 2198), or without.
type microphone struct{ ends }

func (m *microphone) Stream() link.Stream { return link.Stream{MID: "0"} }

func (m *microphone) Codec(payloadType uint8) link.Codec {
	switch payloadType {
	case 63:
		return link.Codec{Mime: "audio/RED", Fmtp: "111/111", ClockRate: 48000}
	case 64:
		return link.Codec{Mime: "audio/RED", Fmtp: "8/8", ClockRate: 48000}
	case 111:
		return link.Codec{Mime: "audio/OPUS", ClockRate: 48000}
	}
	return link.Codec{}
}

// listener has payload types of its own, with RED or without.
type listener struct {
	link.Sender
	red  uint8
	sent [][]byte // payload type and payload
}

func (l *listener) PayloadTypes(c link.Codec) (media, rtx uint8, ok bool) {
	if strings.EqualFold(c.Mime, "audio/red") {
		return l.red, 0, l.red != 0
	}
	return 109, 0, strings.EqualFold(c.Mime, "audio/opus")
}

func (l *listener) Send(run []forward.Out, _ *link.Outlet) int {
	for i := range run {
		l.sent = append(l.sent, append([]byte{run[i].PayloadType}, run[i].Payload...))
	}
	return len(run)
}

func TestEveryoneGetsREDAsTheyHaveIt(t *testing.T) {
	e := &Engine{config: Config{}.withDefaults()}
	e.lanes = newLanes(1, e.config.LaneQueue, nil)
	defer e.lanes[0].Close()
	tr := newTransport(&Router{engine: e}, e.lanes[0], slog.New(slog.DiscardHandler), func(Event) {})
	l, p := newLayer(1, &microphone{}, tr), newPublication(tr, Announcement{ID: "mic"}, Audio)
	l.publication.Store(p)
	with, without := &listener{red: 120}, &listener{}
	for _, to := range []*listener{with, without} {
		s := newSlot(Slot{Kind: Audio}, to, 1, newDownlink(e, e.lanes[0]))
		s.setOpen(true)
		s.show(p)
	}
	for i, packet := range []struct {
		payloadType byte
		payload     []byte
	}{
		{63, []byte{111, 'a'}},
		{63, []byte{0x80 | 111, 960 >> 6, 960 & 0x3f << 2, 1, 111, 'a', 'b'}},
		{64, []byte{8, 'x'}}, // blocks of what was not negotiated
		{111, []byte{'c'}},
	} {
		b := make([]byte, 12, 32)
		b[0], b[1] = 0x80, packet.payloadType
		binary.BigEndian.PutUint16(b[2:], uint16(i))
		binary.BigEndian.PutUint32(b[4:], uint32(960*i))
		l.Packets(time.Now(), []link.Packet{{Data: append(b, packet.payload...), Memory: nobodys{}}}, nil)
	}
	for _, c := range []struct {
		got, want [][]byte
	}{
		{with.sent, [][]byte{{120, 109, 'a'}, {120, 0x80 | 109, 960 >> 6, 960 & 0x3f << 2, 1, 109, 'a', 'b'}, {109, 'c'}}},
		{without.sent, [][]byte{{109, 'a'}, {109, 'b'}, {109, 'c'}}},
	} {
		if !bytes.Equal(bytes.Join(c.got, []byte("|")), bytes.Join(c.want, []byte("|"))) {
			t.Errorf("got % x, not % x", c.got, c.want)
		}
	}
}
