package client

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/turnout-rtc/turnout/datachannel/frame"
)

// far is the naive other end of a stream: it keeps everything it was ever sent.
type far struct {
	t        *testing.T
	stream   uint64
	received uint64
	got      []string
	partial  []byte
	sent     [][]byte // counted frames, all of them
	welcomed bool     // on the present wire; nothing is sent before
}

func (f *far) take(wire []byte) (welcome []byte) {
	f.t.Helper()
	raw, rest, err := frame.Next(wire)
	if err != nil || len(rest) > 0 {
		f.t.Fatalf("%v, %d bytes left", err, len(rest))
	}
	if raw.Type.Counted() {
		f.received++
	}
	decoded, err := frame.Decode(raw)
	if err != nil {
		f.t.Fatal(err)
	}
	switch m := decoded.(type) {
	case frame.Hello:
		f.welcomed = true
		welcome = frame.Append(nil, frame.Welcome{Version: 1, Stream: f.stream, Received: f.received, MessageBytes: 100_000})
		for _, missed := range f.sent[m.Received:] {
			welcome = append(welcome, missed...)
		}
	case frame.Send:
		f.got = append(f.got, m.Topic)
	case frame.Fragment:
		f.partial = append(f.partial, m.Data...)
		if uint64(len(f.partial)) == m.Total {
			whole, err := frame.Parse(f.partial)
			if err != nil {
				f.t.Fatal(err)
			}
			send, err := frame.Decode(whole)
			if err != nil {
				f.t.Fatal(err)
			}
			f.got = append(f.got, send.(frame.Send).Topic)
			f.partial = nil
		}
	}
	return welcome
}

// TestNothingIsLostOrDoubledOverBrokenWires sends both ways over wires that break anywhere, and compares with what was said.
func TestNothingIsLostOrDoubledOverBrokenWires(t *testing.T) {
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 3))
		s, f := &stream{}, &far{t: t, stream: 7}
		var said, heard, told []string
		up := [][]byte{s.hello()}
		var down [][]byte
		absorb := func(wire []byte) {
			out, err := s.take(wire)
			if err != nil {
				t.Fatal(err)
			}
			up = append(up, out.wire...)
			for _, e := range out.events {
				if m, ok := e.(MessageReceived); ok {
					heard = append(heard, m.Topic)
				}
			}
		}
		step := func() {
			if len(up) > 0 {
				if w := f.take(up[0]); w != nil {
					down = append(down, w)
				}
				up = up[1:]
			}
			if len(down) > 0 {
				absorb(down[0])
				down = down[1:]
			}
		}
		for i := range 300 {
			topic := strconv.Itoa(i)
			switch random.IntN(6) {
			case 0:
				if _, wire, err := s.send(frame.Send{Topic: topic, Payload: make([]byte, random.IntN(40_000))}); err == nil {
					said = append(said, topic)
					up = append(up, wire...)
				}
			case 1:
				m := frame.Append(nil, frame.Message{From: "x", Topic: topic})
				f.sent = append(f.sent, m)
				told = append(told, topic)
				if f.welcomed {
					down = append(down, m)
				}
			case 2:
				if random.IntN(5) == 0 { // the wire breaks
					up, down, f.welcomed = [][]byte{s.hello()}, nil, false
				}
			case 3:
				if f.welcomed {
					down = append(down, frame.Append(nil, frame.Ack{Received: f.received}))
				}
			default:
				step()
			}
		}
		up, down = [][]byte{s.hello()}, nil
		for len(up)+len(down) > 0 {
			step()
		}
		if !equal(f.got, said) || !equal(heard, told) {
			t.Fatalf("seed %d: the server has %v of %v, the client %v of %v", seed, f.got, said, heard, told)
		}
	}
}

func equal(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestSendIsBounded(t *testing.T) {
	s := &stream{}
	if _, _, err := s.send(frame.Send{Topic: "t"}); !errors.Is(err, ErrData) {
		t.Errorf("before welcome: %v", err)
	}
	if _, err := s.take(frame.Append(nil, frame.Welcome{Version: 1, Stream: 1, MessageBytes: 1000})); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.send(frame.Send{Topic: "t", Payload: make([]byte, 1001)}); !errors.Is(err, ErrSize) {
		t.Errorf("too large: %v", err)
	}
	for range maxUnacked {
		if _, _, err := s.send(frame.Send{Topic: "t"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := s.send(frame.Send{Topic: "t"}); !errors.Is(err, ErrFull) {
		t.Errorf("too many: %v", err)
	}
}

func TestALostStreamIsTold(t *testing.T) {
	s := &stream{}
	for _, id := range []uint64{1, 2} {
		out, err := s.take(frame.Append(nil, frame.Welcome{Version: 1, Stream: id, MessageBytes: 1000}))
		if err != nil {
			t.Fatal(err)
		}
		lost := false
		for _, e := range out.events {
			_, is := e.(DataLost)
			lost = lost || is
		}
		if lost != (id == 2) {
			t.Errorf("stream %d: %v", id, out.events)
		}
	}
}

func FuzzStreamTakesAnything(f *testing.F) {
	f.Add(frame.Append(nil, frame.Welcome{Version: 1, Stream: 1, MessageBytes: 1000}))
	f.Add(frame.Append(frame.Append(nil, frame.Ack{Received: 1 << 50}), frame.Gap{Dropped: 3}))
	f.Add(bytes.Join(frame.Cut(3, frame.Append(nil, frame.Message{From: "a", Topic: "t", Payload: make([]byte, 20_000)})), nil))
	f.Fuzz(func(t *testing.T, wire []byte) {
		s := &stream{}
		_, _ = s.take(frame.Append(nil, frame.Welcome{Version: 1, Stream: 1, MessageBytes: 1000}))
		_, _, _ = s.send(frame.Send{Topic: "t"})
		_, _ = s.take(wire)
		if s.sentBytes < 0 || len(s.partial) > maxPartial {
			t.Errorf("%d bytes sent, %d partial", s.sentBytes, len(s.partial))
		}
	})
}
