package datachannel

import (
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/turnout-rtc/turnout/datachannel/frame"
	"github.com/turnout-rtc/turnout/datachannel/store"
	"github.com/turnout-rtc/turnout/datachannel/store/memory"
)

// FuzzReceive gives a hub two wire messages of one member. Whatever they are, the hub goes on, and the other member gets no
// frame that it cannot read.
func FuzzReceive(f *testing.F) {
	one := func(x frame.Frame) []byte { return frame.Append(nil, x) }
	f.Add(one(frame.Send{ID: 1, Topic: "t", Payload: []byte("x")}), one(frame.PresenceSet{Clock: 1, Present: true}), true)
	f.Add(one(frame.DocUpdate{ID: 2, Doc: 1, Update: insertion(1, 0, "x")}), one(frame.DocAwareness{Doc: 1, Update: awarenessUpdate(1, 1, "{}")}), true)
	f.Add(one(frame.Fragment{ID: 3, Total: 9, Data: []byte{0x11}}), one(frame.Fragment{ID: 3, Offset: 1, Total: 9, Data: make([]byte, 8)}), true)
	f.Add(one(frame.Hello{Version: 1}), []byte{0x80}, false)
	f.Fuzz(func(t *testing.T, first, second []byte, hello bool) {
		w := store.NewWriter(memory.New())
		defer w.Close()
		h := newHub("fuzz", Config{}, slog.New(slog.DiscardHandler), Services{Store: w})
		now := time.Unix(1_700_000_000, 0)
		var wires []*Wire
		for _, name := range []string{"a", "b"} {
			m := h.Join(name, everything)
			wires = append(wires, m.Attach(Reliable, sink{&atomic.Uint64{}, &atomic.Int64{}, &atomic.Int64{}}))
		}
		for _, o := range h.box.take(nil) {
			o.do(h, now)
		}
		h.receive(now, wires[1], frame.Append(nil, frame.Hello{Version: 1}))
		if hello {
			h.receive(now, wires[0], frame.Append(nil, frame.Hello{Version: 1}))
			h.receive(now, wires[0], frame.Append(nil, frame.DocOpen{ID: 1, Doc: 1, Name: "n", StateVector: []byte{0}}))
		}
		for _, b := range [][]byte{first, second} {
			h.receive(now, wires[0], b)
			for _, o := range h.box.take(nil) {
				o.do(h, now)
			}
			now = now.Add(time.Second)
			h.flush(now)
		}
		if !wires[1].current() {
			t.Fatal("the other member's wire was closed, or it was sent what it cannot read")
		}
	})
}
