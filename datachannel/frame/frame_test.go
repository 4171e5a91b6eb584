package frame

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"
)

func TestLengthIsWrittenInItsShortestForm(t *testing.T) {
	for _, size := range []int{0, 1, 100, 123, 124, 125, 126, 200, 16370, 16376, 16377, 16378, 16379, 20000, 3_000_000} {
		payload := bytes.Repeat([]byte{7}, size)
		f := Message{From: "a", Topic: "t", Payload: payload}
		b := Append([]byte("before"), f)
		raw, rest, err := Next(b[len("before"):])
		if err != nil || len(rest) != 0 {
			t.Fatalf("size %d: %v, %d bytes left", size, err, len(rest))
		}
		got, err := Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.(Message).Payload, payload) {
			t.Fatalf("size %d: another payload", size)
		}
		body := len(f.appendBody(nil)) + 1
		if want := numberSize(uint64(body)) + body; len(b)-len("before") != want {
			t.Fatalf("size %d: %d bytes, want %d", size, len(b)-len("before"), want)
		}
	}
}

func TestAnAckIsDecodedInBothWaysAlike(t *testing.T) {
	for _, body := range [][]byte{{}, {0}, {5, 9}, {0x80}, {0x80, 0x80, 1}, bytes.Repeat([]byte{0xff}, 9)} {
		raw := Raw{Type: TypeAck, Body: body}
		f, err := Decode(raw)
		a, err2 := DecodeAck(raw)
		if (err == nil) != (err2 == nil) || err == nil && f != a {
			t.Errorf("%x: %v, %v and %v, %v", body, f, err, a, err2)
		}
	}
}

func TestFullFragmentFitsIntoAMessage(t *testing.T) {
	f := Fragment{ID: MaxNumber, Offset: MaxNumber - FragmentData, Total: MaxNumber, Data: make([]byte, FragmentData)}
	if n := len(Append(nil, f)); n > MaxMessage {
		t.Fatalf("%d bytes", n)
	}
}

func TestEveryTruncationIsAnError(t *testing.T) {
	for _, s := range samples() {
		for _, f := range s.frames {
			body := f.appendBody(nil)
			for n := range body {
				if _, err := Decode(Raw{f.Type(), body[:n]}); !errors.Is(err, ErrMalformed) {
					t.Fatalf("%s cut to %d of %d bytes: %v", s.name, n, len(body), err)
				}
			}
		}
	}
}

func TestNumbers(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		n := random.Uint64N(1 << random.IntN(54))
		b := appendNumber(nil, n)
		r := reader{b: b}
		if got := r.number(); got != n || r.bad || r.at != len(b) || numberSize(n) != len(b) {
			t.Fatalf("%d is read as %d", n, got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range samples() {
		var b []byte
		for _, x := range s.frames {
			b = Append(b, x)
		}
		f.Add(b)
	}
	f.Add([]byte{0x80, 0x80})
	f.Fuzz(func(t *testing.T, wire []byte) {
		for len(wire) > 0 {
			raw, rest, err := Next(wire)
			if err != nil {
				return
			}
			if len(rest) >= len(wire) {
				t.Fatal("no progress")
			}
			wire = rest
			decoded, err := Decode(raw)
			if err != nil {
				continue
			}
			again, left, err := Next(Append(nil, decoded))
			if err != nil || len(left) != 0 {
				t.Fatalf("what we write cannot be read: %v", err)
			}
			second, err := Decode(again)
			if err != nil || !reflect.DeepEqual(second, decoded) {
				t.Fatalf("read %+v, written and read again %+v (%v)", decoded, second, err)
			}
		}
	})
}

func BenchmarkAppendMessage(b *testing.B) {
	var f Frame = Message{From: "alice", Topic: "chat", Payload: make([]byte, 100)}
	buf := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		buf = Append(buf[:0], f)
	}
}

func BenchmarkDecodeSend(b *testing.B) {
	wire := Append(nil, Send{ID: 5, Topic: "chat", Payload: make([]byte, 100)})
	b.ReportAllocs()
	for b.Loop() {
		raw, _, _ := Next(wire)
		if _, err := Decode(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func TestCutPiecesMakeTheWhole(t *testing.T) {
	for _, size := range []int{1, FragmentData, 3*FragmentData - 50, 100_000} {
		b := Append(nil, Message{From: "a", Topic: "t", Payload: make([]byte, size)})
		var whole []byte
		for _, piece := range Cut(9, b) {
			if len(piece) > MaxMessage {
				t.Fatalf("a piece of %d bytes", len(piece))
			}
			raw, _, _ := Next(piece)
			f, err := Decode(raw)
			if err != nil || f.(Fragment).Offset != uint64(len(whole)) || f.(Fragment).ID != 9 {
				t.Fatal(f, err)
			}
			whole = append(whole, f.(Fragment).Data...)
		}
		if !bytes.Equal(append(appendNumber(nil, uint64(len(whole))), whole...), b) {
			t.Fatal("another frame")
		}
	}
}
