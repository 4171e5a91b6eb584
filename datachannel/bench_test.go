package datachannel

import (
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/turnout-rtc/turnout/datachannel/frame"
)

// sink is a Conn that takes everything and counts messages.
type sink struct{ frames *atomic.Int64 }

func (s sink) Send(b []byte) error {
	for len(b) > 0 {
		raw, rest, err := frame.Next(b)
		if err != nil {
			return err
		}
		if raw.Type == frame.TypeMessage {
			s.frames.Add(1)
		}
		b = rest
	}
	return nil
}
func (sink) BufferedAmount() uint64 { return 0 }
func (sink) OnDrain(uint64, func()) {}
func (sink) Close() error           { return nil }

// BenchmarkFanOut50 is the hub's part of delivering messages of 100 B to 50 members, without any network. One operation is
// one message sent, thus 49 delivered.
func BenchmarkFanOut50(b *testing.B) {
	h := NewHub("bench", Config{Rate: 1 << 30, Burst: 1 << 30, RateBytes: 1 << 40, BurstBytes: 1 << 40}, slog.New(slog.DiscardHandler), Services{})
	defer h.Close()
	const members = 50
	var delivered atomic.Int64
	var wires []*Wire
	for i := range members {
		w := h.Join(string(rune('A'+i)), everything).Attach(Reliable, sink{&delivered})
		w.Receive(frame.Append(nil, frame.Hello{Version: 1}))
		wires = append(wires, w)
	}
	for h.Stats().Wires < members {
		time.Sleep(time.Millisecond)
	}
	payload := make([]byte, 100)
	received := uint64(1)
	b.ReportAllocs()
	sent := int64(0)
	for b.Loop() {
		wires[0].Receive(frame.Append(nil, frame.Send{Topic: "t", Payload: payload}))
		sent++
		if sent%64 == 0 {
			received += 64
			for delivered.Load() < sent*(members-1) {
				time.Sleep(100 * time.Microsecond)
			}
			for _, w := range wires[1:] {
				w.Receive(frame.Append(nil, frame.Ack{Received: received}))
			}
		}
	}
}
