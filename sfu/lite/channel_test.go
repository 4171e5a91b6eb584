package lite_test

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/turnout-rtc/turnout/sfu/lite"
	"github.com/turnout-rtc/turnout/sfu/lite/record"
)

// receive waits for what a channel of Go's gets.
func receive[T any](t testing.TB, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("never: %s", what)
		panic("unreachable")
	}
}

// opened is a channel of the client's that is open, with what it hears.
func (p *client) opened(label string, init *webrtc.DataChannelInit) (dc *webrtc.DataChannel, heard chan []byte, closed chan struct{}) {
	p.t.Helper()
	dc, err := p.CreateDataChannel(label, init)
	if err != nil {
		p.t.Fatal(err)
	}
	open, heard, closed := make(chan struct{}), make(chan []byte, 10000), make(chan struct{})
	dc.OnOpen(func() { close(open) })
	dc.OnMessage(func(m webrtc.DataChannelMessage) { heard <- m.Data })
	dc.OnClose(func() { close(closed) })
	receive(p.t, open, "the client's channel opens")
	return dc, heard, closed
}

func TestClosedChannelsMakeRoomForOthers(t *testing.T) {
	s := open(t, lite.Config{Limits: lite.Limits{Channels: 2}})
	x := s.transport(t)
	p := connect(t, x, clientConfig{})
	x.channel(t)
	for i := range 20 {
		dc, heard, closed := p.opened("again", nil)
		ch := x.channel(t)
		if ch.Label() != "again" {
			t.Fatalf("label %q", ch.Label())
		}
		if err := ch.Send([]byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
		if got := receive(t, heard, "a message on a new channel"); len(got) != 1 || got[0] != byte(i) {
			t.Fatalf("got %v in round %d", got, i)
		}
		if i%2 == 0 {
			_ = ch.Close()
			_ = ch.Close()
		} else {
			_ = dc.Close()
		}
		receive(t, closed, "the client's end is closed")
		if gone := receive(t, x.gone, "our end is closed"); gone != ch {
			t.Fatal("another channel is closed")
		}
		if err := ch.Send([]byte("late")); !errors.Is(err, lite.ErrClosed) || ch.BufferedAmount() != 0 {
			t.Fatalf("sending on a closed channel: %v, %d buffered", err, ch.BufferedAmount())
		}
	}
	if n := s.Stats().Dropped[lite.DropChannelLimit]; n != 0 {
		t.Errorf("%d channels were refused", n)
	}
}

func TestEveryKindOfChannel(t *testing.T) {
	unordered, few, soon := false, uint16(3), uint16(1000)
	s := open(t, lite.Config{})
	x := s.transport(t)
	p := connect(t, x, clientConfig{})
	x.channel(t)
	for name, init := range map[string]*webrtc.DataChannelInit{
		"reliable": nil, "unordered": {Ordered: &unordered},
		"few retransmissions": {Ordered: &unordered, MaxRetransmits: &few}, "a lifetime": {MaxPacketLifeTime: &soon},
	} {
		dc, heard, _ := p.opened(name, init)
		ch := x.channel(t)
		ch.OnMessage(func(b []byte) { _ = ch.Send(b) })
		for _, size := range []int{0, 1, 1191, 60000} {
			if err := dc.Send(make([]byte, size)); err != nil {
				t.Fatal(err)
			}
			if got := receive(t, heard, name); len(got) != size {
				t.Errorf("%s: %d bytes came back of %d", name, len(got), size)
			}
		}
		if err := dc.SendText(""); err != nil {
			t.Fatal(err)
		}
		if got := receive(t, heard, name); len(got) != 0 {
			t.Errorf("%s: an empty text came back as %q", name, got)
		}
	}
}

// Until there is a handler messages wait, as many as the window holds; the peer is held back. They are delivered although the peer
// has closed the channel meanwhile.
func TestMessagesWaitForTheirHandler(t *testing.T) {
	s := open(t, lite.Config{Limits: lite.Limits{Receive: 64 << 10}})
	x := s.transport(t)
	p := connect(t, x, clientConfig{})
	x.channel(t)
	dc, _, _ := p.opened("early", nil)
	ch := x.channel(t)
	const messages, size = 200, 1000
	for i := range messages {
		b := make([]byte, size)
		binary.BigEndian.PutUint32(b, uint32(i))
		if err := dc.Send(b); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "some were taken", func() bool { return dc.BufferedAmount() < messages*size })
	if n := dc.BufferedAmount(); n < messages*size-2*64<<10 { // what is in order is taken beyond the window, which counts more than bytes
		t.Errorf("%d bytes of %d wait at the client", n, messages*size)
	}
	got := make(chan uint32, messages)
	ch.OnMessage(func(b []byte) { got <- binary.BigEndian.Uint32(b) })
	for i := range messages - 1 {
		if n := receive(t, got, "a message"); n != uint32(i) {
			t.Fatalf("message %d came after %d", n, i-1)
		}
	}
	_ = dc.Close()
	if receive(t, got, "the last message") != messages-1 || receive(t, x.gone, "the end") != ch {
		t.Error("another message, or another channel")
	}
}

func TestHandlerThatBlocksHoldsNobodyElseBack(t *testing.T) {
	s := open(t, lite.Config{})
	x := s.transport(t)
	p := connect(t, x, clientConfig{})
	busy := x.channel(t)
	dc, heard, _ := p.opened("other", nil)
	other := x.channel(t)
	other.OnMessage(func(b []byte) { _ = other.Send(b) })
	hold, begun := make(chan struct{}), make(chan struct{}, 99)
	busy.OnMessage(func([]byte) { begun <- struct{}{}; <-hold })
	eventually(t, "the first channel is open", func() bool { return p.dc.ReadyState() == webrtc.DataChannelStateOpen })
	for range 3 {
		if err := p.dc.Send([]byte("work")); err != nil {
			t.Fatal(err)
		}
	}
	receive(t, begun, "the handler runs")
	if err := dc.Send([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	receive(t, heard, "an answer on the other channel")
	if len(begun) != 0 {
		t.Error("the handler runs twice at a time")
	}
	close(hold)
	receive(t, begun, "the second message")
}

func TestMessagesThatAreTooLong(t *testing.T) {
	s := open(t, lite.Config{Limits: lite.Limits{Message: 10000, Send: 100000}})
	x := s.transport(t)
	limits := strings.NewReplacer("max-message-size:1073741823", "max-message-size:65536", "max-message-size:10000", "max-message-size:20000")
	p := connect(t, x, clientConfig{edit: limits.Replace})
	ch := x.channel(t)
	ch.OnMessage(func([]byte) { t.Error("a message that is too long was delivered") })
	if err := ch.Send(make([]byte, 65537)); !errors.Is(err, lite.ErrMessageSize) {
		t.Errorf("a message that is too long for the client: %v", err)
	}
	var err error
	for range 1000 {
		if err = ch.Send(make([]byte, 60000)); err != nil {
			break
		}
	}
	if err == nil {
		t.Error("what waits is not bounded")
	}
	eventually(t, "the client's end is open", func() bool { return p.dc.ReadyState() == webrtc.DataChannelStateOpen })
	if err := p.dc.Send(make([]byte, 10001)); err != nil {
		t.Fatal(err)
	}
	if receive(t, x.gone, "the channel is closed") != ch { // and the client ends DTLS
		t.Error("another channel")
	}
	if d := s.Stats().Dropped; d[lite.DropMessageLimit] != 1 || d[lite.DropSendFull] != 1 {
		t.Errorf("dropped %v", d)
	}
}

func TestMessagesOfNoChannelAreDroppedAndCounted(t *testing.T) {
	s := open(t, lite.Config{})
	x := s.transport(t)
	p := newClient(t, clientConfig{})
	negotiated, id := true, uint16(7)
	dc, err := p.CreateDataChannel("agreed otherwise", &webrtc.DataChannelInit{Negotiated: &negotiated, ID: &id})
	if err != nil {
		t.Fatal(err)
	}
	dc.OnOpen(func() { _ = dc.Send([]byte("hello?")) })
	p.offer(x, nil)
	ch := x.channel(t)
	eventually(t, "it is counted", func() bool { return s.Stats().Dropped[lite.DropBadChannel] == 1 })
	p.echoes(ch, true)
}

// Everything arrives in order over a network that loses.
func TestChannelsGetOverLoss(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	by := &sniffer{times: func(_ bool, b []byte) int {
		if b[0] == byte(record.Data) && rng.IntN(30) == 0 {
			return 0
		}
		return 1
	}}
	_, x, p := sniffed(t, clientConfig{}, by)
	ch := x.channel(t)
	const messages = 100
	ours, theirs := make(chan uint32, messages), make(chan uint32, messages)
	ch.OnMessage(func(b []byte) { ours <- binary.BigEndian.Uint32(b) })
	p.dc.OnMessage(func(m webrtc.DataChannelMessage) { theirs <- binary.BigEndian.Uint32(m.Data) })
	eventually(t, "the client's end is open", func() bool { return p.dc.ReadyState() == webrtc.DataChannelStateOpen })
	for i := range messages {
		b := make([]byte, 2000)
		binary.BigEndian.PutUint32(b, uint32(i))
		if err := errors.Join(ch.Send(b), p.dc.Send(b)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range messages {
		if a, b := receive(t, ours, "a message for us"), receive(t, theirs, "a message of ours"); a != uint32(i) || b != uint32(i) {
			t.Fatalf("messages %d and %d in place of %d", a, b, i)
		}
	}
	eventually(t, "all is acknowledged", func() bool { return ch.BufferedAmount() == 0 })
}

func TestManyChannelsOfManyPeersAtOnce(t *testing.T) {
	s := open(t, lite.Config{})
	const peers, messages = 8, 50
	var wg sync.WaitGroup
	for range peers {
		x := s.transport(t)
		p := connect(t, x, clientConfig{})
		ch := x.channel(t)
		ch.OnMessage(func(b []byte) { _ = ch.Send(b) })
		heard := make(chan byte, messages)
		p.dc.OnMessage(func(m webrtc.DataChannelMessage) { heard <- m.Data[0] })
		eventually(t, "the client's end is open", func() bool { return p.dc.ReadyState() == webrtc.DataChannelStateOpen })
		wg.Go(func() {
			for i := range messages {
				if err := p.dc.Send([]byte{byte(i)}); err != nil {
					t.Error(err)
				}
			}
			var got []byte
			for range messages {
				got = append(got, receive(t, heard, "an echo"))
			}
			if !slices.IsSorted(got) {
				t.Errorf("echoes out of order: %v", got)
			}
		})
	}
	wg.Wait()
}
