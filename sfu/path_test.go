package sfu

import (
	"log/slog"
	"testing"
	"time"

	"github.com/pion/rtp"

	"github.com/turnout-rtc/turnout/sfu/codec"
	"github.com/turnout-rtc/turnout/sfu/full"
)

// path is a publication with subscribers, without a network: what is sent is refused by senders that are not negotiated.
func path(subscribers int) (*layer, []byte) {
	e := &Engine{config: Config{}.withDefaults()}
	t := newTransport(&Router{engine: e}, slog.New(slog.DiscardHandler), func(Event) {})
	l := newLayer(1, &full.Track{Video: true}, t)
	l.source = &source{full.Codec{Mime: "video/VP8", ClockRate: 90000}, codec.VP8, 96}
	p := newPublication(t, Announcement{ID: "cam"}, Video)
	l.publication.Store(p)
	for range subscribers {
		s := newSlot(Slot{Kind: Video}, &full.Sender{}, 1, &e.counters)
		s.open.Store(true)
		s.show(p)
		s.target, s.source = l, l.source // what retarget does, without an SDP
		s.stream.Switch(l.format())
	}
	b, err := (&rtp.Packet{
		Header:  rtp.Header{Version: 2, PayloadType: 96, Marker: true},
		Payload: append([]byte{0x90, 0x80, 0x81, 0x02, 0x00}, make([]byte, 1100)...),
	}).Marshal()
	if err != nil {
		panic(err)
	}
	return l, b
}

func next(l *layer, b []byte) {
	seq := (uint16(b[2])<<8 | uint16(b[3])) + 1
	b[2], b[3] = byte(seq>>8), byte(seq)
	l.packet(time.Time{}, b)
}

func TestPathAllocatesNothing(t *testing.T) {
	l, b := path(10)
	for range 2 * ringSize {
		next(l, b)
	}
	if n := testing.AllocsPerRun(1000, func() { next(l, b) }); n != 0 {
		t.Errorf("%v allocations for a packet to 10 subscribers", n)
	}
	if n := l.publisher.router.engine.counters.dropped[dropSend].Load(); n < 10*3000 {
		t.Errorf("only %d packets came to the senders", n)
	}
}

func BenchmarkPathToTen(b *testing.B) {
	l, raw := path(10)
	b.ReportAllocs()
	for b.Loop() {
		next(l, raw)
	}
}
