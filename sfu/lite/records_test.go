package lite_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sync"
	"testing"

	"github.com/pion/webrtc/v4"

	"github.com/turnout-rtc/turnout/sfu/lite"
	"github.com/turnout-rtc/turnout/sfu/lite/record"
)

// sniffer sees the datagrams of DTLS that pass a NAT, and decides what becomes of each: how often it passes.
type sniffer struct {
	mu    sync.Mutex
	times func(toClient bool, b []byte) int // guarded by mu
}

func (s *sniffer) pass(toClient bool, b []byte) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(b) == 0 || b[0] < 20 || b[0] > 63 {
		return 1
	}
	return s.times(toClient, b)
}

// heads are the records of a datagram.
func heads(b []byte) (all []record.Sealed) {
	for len(b) > 0 {
		head, rest, ok := record.Peek(b)
		if !ok {
			break
		}
		all, b = append(all, head), rest
	}
	return all
}

func holds(b []byte, kind record.Kind) bool {
	return slices.ContainsFunc(heads(b), func(h record.Sealed) bool { return h.Kind == kind })
}

// sniffed is a connected client behind a NAT with a sniffer.
func sniffed(t *testing.T, c clientConfig, by *sniffer) (*server, *transport, *client) {
	t.Helper()
	n := newNAT(t)
	n.sniffer.Store(by)
	s := open(t, n.config(lite.Config{}))
	n.serve(s)
	x := s.transport(t)
	c.networks = []webrtc.NetworkType{webrtc.NetworkTypeUDP4}
	p := newClient(t, c)
	p.offer(x, nil)
	x.waitFor(t, lite.Connected)
	return s, x, p
}

// numbers remembers encrypted records by their number.
type numbers map[uint64][]byte

// add says whether the number of a record was used for another one.
func (n numbers) add(b []byte) (again bool) {
	for len(b) > 0 {
		head, rest, ok := record.Peek(b)
		if !ok {
			return false
		}
		raw := b[:len(b)-len(rest)]
		if head.Epoch == 1 {
			before, used := n[head.Sequence]
			again = again || used && !bytes.Equal(before, raw)
			n[head.Sequence] = bytes.Clone(raw)
		}
		b = rest
	}
	return again
}

// The client's last word of the handshake, or our answer to it, may be lost. Our answer is sent again as it was: what pion, and
// then we, encrypt never has a number twice.
func TestLostLastFlightIsSentAgain(t *testing.T) {
	for _, setup := range []string{"", "passive"} { // the server's is the last flight, or the client's
		t.Run("setup "+setup, func(t *testing.T) {
			lost, flights, twice, ours := 0, 0, false, numbers{}
			by := &sniffer{times: func(toClient bool, b []byte) int {
				if toClient {
					twice = ours.add(b) || twice
				}
				if holds(b, record.ChangeCipherSpec) && toClient == (setup == "") {
					if flights++; flights <= 2 {
						lost++
						return 0
					}
				}
				return 1
			}}
			_, x, p := sniffed(t, clientConfig{setup: setup}, by)
			p.echoes(x.channel(t), true)
			by.mu.Lock()
			defer by.mu.Unlock()
			if lost != 2 || twice || len(ours) < 3 {
				t.Errorf("%d flights lost, a number was used twice: %v, of %d records", lost, twice, len(ours))
			}
		})
	}
}

func TestRecordsThatAreForgedOrReplayedAreDroppedAndCounted(t *testing.T) {
	s, x, p := sniffed(t, clientConfig{}, &sniffer{times: func(_ bool, b []byte) int {
		if b[0] == byte(record.Data) {
			return 2
		}
		return 1
	}})
	ch := x.channel(t)
	p.echoes(ch, true)
	eventually(t, "replays are counted", func() bool { return s.Stats().Dropped[lite.DropReplayed] > 0 })
	if n := s.Stats().Dropped[lite.DropBadRecord]; n != 0 {
		t.Errorf("%d bad records", n)
	}

	s, x, p = sniffed(t, clientConfig{}, &sniffer{times: func(toClient bool, b []byte) int {
		if !toClient && b[0] == byte(record.Data) && binary.BigEndian.Uint64(b[3:])%3 == 0 {
			b[len(b)-1]++
		}
		return 1
	}})
	p.echoes(x.channel(t), true)
	eventually(t, "forgeries are counted", func() bool { return s.Stats().Dropped[lite.DropBadRecord] > 0 })
	if x.State() != lite.Connected {
		t.Errorf("state %s", x.State())
	}
}
