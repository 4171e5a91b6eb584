package sctp

import (
	"bytes"
	"testing"
)

func TestMessagesArriveWhole(t *testing.T) {
	s, c := pair(t, Config{})
	for _, size := range []int{1, 1160, 1161, 1191, 64 << 10, 256 << 10} {
		sent := bytes.Repeat([]byte{byte(size), 7}, size)[:size]
		if err := s.Send(start(), 3, 53, sent, Reliability{}); err != nil {
			t.Fatal(size, err)
		}
		exchange(t, start(), s, c)
		got := messages(c)
		if len(got) != 1 || got[0].Stream != 3 || got[0].PPID != 53 || !bytes.Equal(got[0].Data, sent) {
			t.Fatalf("%d bytes: %d messages", size, len(got))
		}
	}
	exchange(t, start().Add(holdBack), s, c)
	if n := s.Buffered(3); n != 0 {
		t.Errorf("%d bytes are not acknowledged", n)
	}
}
