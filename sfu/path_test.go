package sfu

import (
	"log/slog"
	"testing"
	"time"

	"github.com/pion/rtp"

	"github.com/turnout-rtc/turnout/sfu/forward"
	"github.com/turnout-rtc/turnout/sfu/link"
	"github.com/turnout-rtc/turnout/sfu/receive"
)

// ends are a track and a sender without a network.
type ends struct {
	link.Track
	link.Sender
	sent int
}

func (e *ends) Stream() link.Stream { return link.Stream{MID: "0", Video: true} }

func (e *ends) Codec(uint8) link.Codec { return link.Codec{Mime: "video/VP8", ClockRate: 90000} }

func (e *ends) PayloadTypes(link.Codec) (media, rtx uint8, ok bool) { return 96, 97, true }

func (e *ends) RequestKeyFrame() error { return nil }

func (e *ends) RequestAgain([]receive.Pair, *link.Outlet) (time.Duration, error) { return 0, nil }

func (e *ends) Send(run []forward.Out, _ *link.Outlet) int {
	e.sent += len(run)
	return len(run)
}

// path is a publication with subscribers, without a network.
func path(tb testing.TB, lanes, subscribers int) (*layer, *ends, []byte) {
	e := &Engine{config: Config{}.withDefaults(), batches: make(chan *batch, spareBatches)}
	e.lanes = newLanes(lanes, e.config.LaneQueue, nil)
	tb.Cleanup(func() {
		for _, l := range e.lanes {
			l.Close()
		}
	})
	t := newTransport(&Router{engine: e}, e.lanes[0], slog.New(slog.DiscardHandler), func(Event) {})
	fake := &ends{}
	l := newLayer(1, fake, t)
	p := newPublication(t, Announcement{ID: "cam"}, Video)
	l.publication.Store(p)
	for i := range subscribers {
		s := newSlot(Slot{Kind: Video}, fake, 1, newDownlink(e, e.lanes[i%lanes]))
		s.setOpen(true)
		s.show(p)
	}
	b, err := (&rtp.Packet{
		Header:  rtp.Header{Version: 2, PayloadType: 96, Marker: true},
		Payload: append([]byte{0x90, 0x80, 0x81, 0x02, 0x00}, make([]byte, 1100)...),
	}).Marshal()
	if err != nil {
		panic(err)
	}
	return l, fake, b
}

// nobodys is memory that nobody gives back.
type nobodys struct{}

func (nobodys) Retain()  {}
func (nobodys) Release() {}

func next(l *layer, b []byte) {
	one := [1]link.Packet{{Data: b, Memory: nobodys{}}}
	seq := (uint16(b[2])<<8 | uint16(b[3])) + 1
	b[2], b[3] = byte(seq>>8), byte(seq)
	l.Packets(time.Time{}, one[:], nil)
}

func TestPathAllocatesNothing(t *testing.T) {
	l, e, b := path(t, 1, 10)
	for range 2 * ringSize {
		next(l, b)
	}
	if n := testing.AllocsPerRun(1000, func() { next(l, b) }); n != 0 {
		t.Errorf("%v allocations for a packet to 10 subscribers", n)
	}
	if e.sent < 10*3000 {
		t.Errorf("only %d packets came to the senders", e.sent)
	}
}

func BenchmarkPathToTen(b *testing.B) {
	l, _, raw := path(b, 1, 10)
	b.ReportAllocs()
	for b.Loop() {
		next(l, raw)
	}
}
