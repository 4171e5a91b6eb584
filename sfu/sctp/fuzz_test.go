package sctp

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"
)

// FuzzReceive gives an association packets whose checksum and tag are right and whose chunks are anything: several in a row, each
// after its length. Between them it does what a server does, and some more. Nothing may panic, be kept beyond the limits, or go on
// without end.
func FuzzReceive(f *testing.F) {
	for _, packets := range realPackets(f) {
		var b []byte
		for _, p := range packets {
			b = binary.BigEndian.AppendUint16(b, uint16(len(p)))
			b = append(b, p...)
		}
		f.Add(false, b)
		f.Add(true, b)
	}
	n := tsn(seeded(2)())
	f.Add(true, frame(resetRequest(uint32(n), n, 1, 2), skip(n+9, 1, 1), sack(n, 0, 1, 2)))
	f.Add(true, frame(data(n, 1, 0, flagBegin, "a"), data(n+2, 1, 0, flagEnd, "b"), appendChunk(nil, 0xC1, 0, []byte("x"))))
	f.Fuzz(func(t *testing.T, connected bool, b []byte) {
		cfg := Config{Random: seeded(1), Window: 50000, MaxMessage: 10000, Buffer: 30000, Streams: 10}
		a := New(cfg)
		now := start()
		tag, theirs := seeded(1), tsn(seeded(2)()) // as in the real packets
		if connected {
			a.begin(&greeting{local: header{5000, 5000, 9}, tag: tag(), first: theirs, ours: tsn(tag()), window: 10000, forward: true, resets: true})
		}
		buf := make([]byte, DefaultMaxPacket)
		for round := 0; len(b) >= 2 && round < 100; round++ {
			n := min(int(binary.BigEndian.Uint16(b)), len(b)-2)
			chunks := b[2 : 2+n]
			b = b[2+n:]
			h := header{5000, 5000, a.tag}
			switch {
			case len(chunks) > 0 && chunks[0] == typeInit:
				h.tag = 0
			case a.greeting != nil:
				h.tag = a.greeting.tag
			}
			a.Receive(now, packetOf(h, chunks))
			_ = a.Send(now, uint16(round%4), 53, make([]byte, 1+round*100), Reliability{Limited: round%2 == 0, Unordered: round%3 == 0})
			if round%8 == 7 {
				a.Reset(uint16(round % 4))
			}
			for e, ok := a.Next(); ok; e, ok = a.Next() {
				if m, is := e.(Message); is && round%2 == 0 {
					a.Taken(len(m.Data))
				}
			}
			packets := 0
			for a.Poll(now, buf) > 0 {
				if packets++; packets > 1000 {
					t.Fatal("Poll does not come to an end")
				}
			}
			if in := &a.in; in.assembly.used > 2*a.cfg.Window || len(in.spans) > mostSpans || len(in.assembly.runs) > mostRuns || len(a.replies) > a.cfg.MaxPacket {
				t.Fatalf("%d bytes, %d spans, %d runs, %d replies", in.assembly.used, len(in.spans), len(in.assembly.runs), len(a.replies))
			}
			if due, ok := a.Due(); ok && !due.After(now) {
				t.Fatal("nothing is written though something is due")
			}
			invariants(t, a)
			if due, ok := a.Due(); ok && round%4 == 3 {
				if due.After(now) {
					now = due
				}
			}
			now = now.Add(time.Millisecond)
		}
	})
}

// frame is chunks as one packet of the fuzzer's input.
func frame(chunks ...[]byte) []byte {
	all := bytes.Join(chunks, nil)
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(all))), all...)
}

// realPackets are the chunks of what a client sends to connect and to talk, some of it lost.
func realPackets(t testing.TB) [][][]byte {
	s, c := New(Config{Random: seeded(1)}), newDialer(Config{Random: seeded(2)})
	var packets [][]byte
	buf := make([]byte, 2048)
	now := start()
	for round := range 60 {
		for i := 0; ; i++ {
			n := c.Poll(now, buf)
			if n == 0 {
				break
			}
			packets = append(packets, append([]byte(nil), buf[packetHeader:n]...))
			if round%5 != 2 || round < 5 {
				s.Receive(now, buf[:n])
			}
		}
		for n := s.Poll(now, buf); n > 0; n = s.Poll(now, buf) {
			if round%7 != 5 || round < 5 {
				c.Receive(now, buf[:n])
			}
		}
		messages(s)
		messages(c.Association)
		_ = s.Send(now, 1, 53, make([]byte, 2000), Reliability{})
		_ = c.Send(now, 1, 53, make([]byte, 1+round*50), Reliability{})
		_ = c.Send(now, 2, 53, make([]byte, 3000), Reliability{Limited: true})
		if round%20 == 19 {
			c.Reset(2)
		}
		now = now.Add(100 * time.Millisecond)
	}
	if len(packets) < 50 {
		t.Fatal("too few packets")
	}
	return [][][]byte{packets[:10], packets[10:30], packets[len(packets)-20:]}
}
