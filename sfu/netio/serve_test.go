package netio

import (
	"encoding/binary"
	"errors"
	"net"
	"testing"
	"time"
)

// TestServeTakesAllThatComes sends as many as fill several calls, before anybody serves and while somebody does: none is left
// behind in the socket until the next one comes.
func TestServeTakesAllThatComes(t *testing.T) {
	inModes(t, func(t *testing.T, cfg Config) {
		s := mustOpen(t, cfg)[0]
		from, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(s.Addr()))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = from.Close() })
		sent := uint32(0)
		send := func(n int) {
			for range n {
				sent++
				b := make([]byte, 4+int(sent%3)*100) // not equal, so that the kernel joins few
				binary.BigEndian.PutUint32(b, sent)
				if _, err := from.Write(b); err != nil {
					t.Fatal(err)
				}
			}
		}
		send(100)
		numbers, done := make(chan uint32, 1000), make(chan error, 1)
		out := make([]Packet, 7)
		go func() {
			done <- s.Serve(out, func(n int) {
				for _, p := range out[:n] {
					numbers <- binary.BigEndian.Uint32(p.Data)
					p.Release()
				}
			})
		}()
		want := uint32(0)
		receive := func() {
			t.Helper()
			for want < sent {
				want++
				select {
				case got := <-numbers:
					if got != want {
						t.Fatalf("number %d, want %d", got, want)
					}
				case <-time.After(5 * time.Second):
					t.Fatalf("number %d did not come", want)
				}
			}
		}
		receive()
		for _, n := range []int{1, 2, 31, 32, 33, 64, 1, 100} {
			send(n)
			receive()
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			t.Fatalf("Serve ended with %v, want net.ErrClosed", err)
		}
		if err := s.Serve(out, func(int) { t.Error("something came after Close") }); !errors.Is(err, net.ErrClosed) {
			t.Fatalf("Serve after Close ended with %v", err)
		}
	})
}
