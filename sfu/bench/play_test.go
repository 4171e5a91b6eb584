//go:build linux

package main

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/dtls/v3/pkg/crypto/selfsign"
)

var anyPort = netip.MustParseAddrPort("127.0.0.1:0")

// A frame that is late is sent at once, the next in the old rhythm; those between are left out.
func TestLateFramesKeepTheRhythm(t *testing.T) {
	start := time.Unix(1000, 0)
	const ms = time.Millisecond
	for _, c := range []struct{ now, want time.Duration }{
		{0, 30 * ms}, {29 * ms, 30 * ms}, {30 * ms, 60 * ms}, {100 * ms, 120 * ms},
	} {
		if got := following(start, 30*ms, start.Add(c.now)); got != start.Add(c.want) {
			t.Errorf("after %v the next is at %v, not %v", c.now, got.Sub(start), c.want)
		}
	}
}

func TestTimesAreNotedBeforeEachPacket(t *testing.T) {
	sent := new(sendings)
	var packets int
	p := &publisher{
		feed: feed{frame: 6, fps: 30, audio: 50}, sent: sent, seal: floorSeal,
		send: func(b []byte) error {
			packets++
			number := binary.BigEndian.Uint64(b[rtpHeader:])
			if d, ok := sent.since(number, time.Now().UnixNano()); !ok || d > patience {
				t.Errorf("packet %d was sent %v ago, %v", number, d, ok)
			}
			if _, ok := sent.since(number+1, time.Now().UnixNano()); ok {
				t.Errorf("the packet after %d was sent before it", number)
			}
			return nil
		},
	}
	now := time.Now()
	p.begin(now)
	p.play(now.Add(time.Second))
	if packets != 7 {
		t.Errorf("%d packets were sent, not a frame and one of audio", packets)
	}
	if d := p.due().Sub(now); d <= time.Second || d > time.Second+20*time.Millisecond {
		t.Errorf("the next is due after %v", d)
	}
}

func TestPlayingAllocatesNothing(t *testing.T) {
	p := &publisher{feed: camera, sent: new(sendings), seal: floorSeal, send: func([]byte) error { return nil }}
	now := time.Now()
	p.begin(now)
	p.play(now)
	if n := testing.AllocsPerRun(100, func() { now = now.Add(time.Second / 30); p.play(now) }); n > 2 { // of the header extension of audio
		t.Errorf("%v allocations for a frame and audio", n)
	}
}

// Whether they are woken up or read by the loop, participants of each server get what is sent and can decrypt it.
func TestParticipantsReceiveAndDecrypt(t *testing.T) {
	t.Run(kindTurnout, func(t *testing.T) {
		s, err := newTurnout()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.engine.Close() }()
		watch(t, s)
	})
	t.Run(kindNaive, func(t *testing.T) {
		s, err := newNaive()
		if err != nil {
			t.Fatal(err)
		}
		watch(t, s)
	})
}

func watch(t *testing.T, b backend) {
	l, err := newLoop()
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := selfsign.GenerateSelfSigned()
	if err != nil {
		t.Fatal(err)
	}
	var entered []string
	c := &cast{loop: l, certificate: certificate, sent: new(sendings), phases: rand.New(rand.NewPCG(1, 0))}
	c.join = func(j join) (string, error) {
		entered = append(entered, j.ID)
		return b.join(j)
	}
	defer func() {
		c.leave()
		for _, id := range entered {
			b.leave(id)
		}
	}()
	if err := c.gather(scene{publishers: 3, feed: camera}, 0); err != nil {
		t.Fatal(err)
	}
	all, _ := c.received()
	for _, r := range all {
		patient(t, "everything", func() bool { return len(r.window().times) > 0 })
		r.reset() // what came before the keys could not be decrypted
	}
	for i, r := range all {
		patient(t, "enough", func() bool { w := r.window(); return w.packets > 100 && len(w.times) > 10 })
		if w := r.window(); w.failed > 0 {
			t.Errorf("participant %d could not decrypt %d of %d packets", i, w.failed, w.packets)
		}
	}
}
