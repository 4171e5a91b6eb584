package sctp

import (
	"testing"
	"time"
)

// traffic is one message with its packet and, every second time, its report.
type traffic struct {
	server, client *Association
	now            time.Time
	body           []byte
	packet         []byte
}

func newTraffic(t testing.TB, size int) *traffic {
	s, c := pair(t, Config{Memory: NewMemory(64 << 10)})
	return &traffic{server: s, client: c, now: start(), body: make([]byte, size), packet: make([]byte, DefaultMaxPacket)}
}

// send is what the server does for a message, without the client's part.
func (f *traffic) send(t testing.TB) {
	if err := f.server.Send(f.now, 1, 53, f.body, Reliability{}); err != nil {
		t.Fatal(err)
	}
	if f.server.Poll(f.now, f.packet) == 0 || f.server.Poll(f.now, f.packet) != 0 {
		t.Fatal("a message is not one packet")
	}
	f.server.Due()
}

// sack is the client's report of all that was sent, made by hand, since the client is not what is measured.
func (f *traffic) sack(buf []byte) []byte {
	w := begin(buf, len(buf), header{5000, 5000, f.server.tag})
	in := inbound{last: f.server.out.flight.next() - 1, assembly: assembly{cfg: &f.server.cfg}}
	in.write(&w)
	return w.b[:w.finish()]
}

func TestASendAndItsReportAllocateNothing(t *testing.T) {
	f := newTraffic(t, 100)
	buf := make([]byte, DefaultMaxPacket)
	round := func() {
		f.send(t)
		f.now = f.now.Add(time.Millisecond)
		f.server.Receive(f.now, f.sack(buf))
		f.server.Due()
	}
	for range 10 {
		round()
	}
	if n := testing.AllocsPerRun(100, round); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if f.server.Buffered(1) != 0 {
		t.Error("the reports were not understood")
	}
}

func BenchmarkSend100(b *testing.B) {
	f := newTraffic(b, 100)
	buf := make([]byte, DefaultMaxPacket)
	b.ReportAllocs()
	for b.Loop() {
		f.send(b)
		f.now = f.now.Add(time.Millisecond)
		f.server.Receive(f.now, f.sack(buf))
		f.server.Due()
	}
}

func BenchmarkReceive100(b *testing.B) {
	f := newTraffic(b, 100)
	ack := make([]byte, DefaultMaxPacket)
	b.ReportAllocs()
	for b.Loop() {
		if err := f.client.Send(f.now, 1, 53, f.body, Reliability{}); err != nil {
			b.Fatal(err)
		}
		n := f.client.Poll(f.now, f.packet)
		f.server.Receive(f.now, f.packet[:n])
		f.now = f.now.Add(time.Millisecond)
		e, ok := f.server.Next()
		if !ok {
			b.Fatal("nothing came")
		}
		f.server.Taken(len(e.(Message).Data))
		if n := f.server.Poll(f.now, ack); n > 0 {
			f.client.Receive(f.now, ack[:n])
		}
	}
}
