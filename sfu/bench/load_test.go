//go:build linux

package main

import (
	"encoding/binary"
	"errors"
	"os"
	"testing"
	"time"
	"unsafe"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/turnout-rtc/turnout/sfu/netio"
	"github.com/turnout-rtc/turnout/sfu/rtcp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patient calls again what may not be so yet.
func patient(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if so() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal(what, "has not happened")
}

func socketForTest(t *testing.T) *socket {
	t.Helper()
	s, err := newSocket()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}

// A message is stamped before its sender's system call returns, however late it is read. The kernel begins to do that a moment
// after it has been asked to.
func TestArrivalIsWhenItWasSentNotWhenItWasRead(t *testing.T) {
	from, to := socketForTest(t), socketForTest(t)
	from.quiet()
	to.quiet()
	b, address := newBatch(), destination(to.local)
	patient(t, "a stamp in time", func() bool {
		before := time.Now().UnixNano()
		if err := from.send([]byte("x"), address); err != nil {
			t.Fatal(err)
		}
		after := time.Now().UnixNano()
		var at int64
		b.drain(to, func(_ []byte, stamp int64) { at = stamp })
		return before <= at && at <= after
	})
}

func TestJoinedDatagramsComeOneByOne(t *testing.T) {
	sockets, err := netio.Open(netio.Config{Addr: socketForTest(t).local})
	if err == nil {
		t.Fatal("two sockets have one address")
	}
	sockets, err = netio.Open(netio.Config{Addr: anyPort})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sockets[0].Close() }()
	for _, listening := range []bool{true, false} {
		to := socketForTest(t)
		type datagram struct {
			first byte
			size  int
			at    int64
		}
		got := make(chan datagram, 16)
		take := func(b []byte, at int64) { got <- datagram{b[0], len(b), at} }
		ended := make(chan struct{})
		if listening {
			go func() { defer close(ended); to.listen(take, func() {}) }()
		} else {
			to.quiet()
			close(ended)
		}
		w := sockets[0].NewWriter()
		for i, size := range []int{1000, 1000, 300} { // a run of equal ones with a shorter one at the end is one message
			w.Slot(size)[0] = byte(i)
			w.Commit(size, to.local)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if !listening {
			newBatch().drain(to, take)
		}
		for i, size := range []int{1000, 1000, 300} {
			d := <-got
			if int(d.first) != i || d.size != size || d.at == 0 {
				t.Errorf("listening %v: datagram %d is %+v", listening, i, d)
			}
		}
		to.close()
		<-ended
	}
}

func FuzzControl(f *testing.F) {
	message := make([]byte, controlSpace)
	h := (*unix.Cmsghdr)(unsafe.Pointer(&message[0]))
	h.Level, h.Type = unix.IPPROTO_UDP, unix.UDP_GRO
	h.SetLen(unix.CmsgLen(4))
	binary.NativeEndian.PutUint32(message[unix.CmsgLen(0):], 1200)
	f.Add(message, 5000)
	f.Add([]byte{}, 100)
	f.Fuzz(func(t *testing.T, oob []byte, n int) {
		n = min(max(n, 0), joined)
		total := 0
		c := readControl(oob)
		c.each(make([]byte, n), func(b []byte, _ int64) {
			if len(b) == 0 {
				t.Fatal("an empty datagram")
			}
			total += len(b)
		})
		if total != n {
			t.Fatalf("%d of %d bytes were handed over", total, n)
		}
	})
}

// media is an RTP packet as far as receivers look at it.
func media(seq uint16, number uint16, kind byte) []byte {
	b := make([]byte, 40)
	b[0], b[1] = 0x90, kind
	binary.BigEndian.PutUint16(b[2:], seq)
	binary.BigEndian.PutUint32(b[8:], 7)
	copy(b[12:], []byte{0xbe, 0xde, 0, 1, transportID<<4 | 1, byte(number >> 8), byte(number), 0})
	return b
}

func TestLossIsCountedAndAskedForOnce(t *testing.T) {
	r := received{sent: new(sendings)}
	at := time.Now().UnixNano()
	for _, seq := range []uint16{65533, 65534, 1, 2, 4} { // 65535, 0 and 3 are missing
		r.packet(media(seq, seq, videoType), at)
	}
	r.packet(media(9, 5, rtxType), at) // a repeat, on a stream of its own
	if w := r.window(); w.packets != 5 || w.lost != 3 || w.repeats != 1 {
		t.Errorf("%+v", w)
	}
	p, rest, err := rtcp.Next(r.requests(nil))
	if err != nil || len(rest) != 0 || !p.Is(rtcp.TypeTransport, rtcp.FormatNACK) || p.Media() != 7 {
		t.Fatalf("%+v, %v", p, err)
	}
	first, _ := p.NACK(0)
	if first.ID != 65535 || first.Mask != 1|1<<3 {
		t.Errorf("asked for %+v", first)
	}
	if again := r.requests(nil); len(again) != 0 {
		t.Errorf("asked again: %x", again)
	}
	r.reset()
	r.packet(media(5, 6, videoType), at)
	if w := r.window(); w.packets != 1 || w.lost != 0 {
		t.Errorf("after reset: %+v", w)
	}
}

// A receiver that decrypts one packet of five has to decrypt one of each stream before its numbers wrap, or it never will
// (RFC 3711 §3.3.1).
func TestNewStreamsAreDecryptedFromTheFirstPacket(t *testing.T) {
	r := received{sent: new(sendings)}
	r.sent.note(9)
	at := time.Now().UnixNano()
	for seq := range uint16(sampleEvery - 2) {
		b := media(seq, seq, videoType)
		if _, sample := r.packet(b, at); !sample {
			t.Errorf("packet %d is not decrypted, though none before it was", seq)
		}
	}
	b := media(sampleEvery-2, sampleEvery-2, videoType)
	r.packet(b, at)
	r.opened(b, 9, at, true)
	var samples int
	for i := range uint16(10 * sampleEvery) {
		if _, sample := r.packet(media(sampleEvery+i, sampleEvery+i, videoType), at); sample {
			samples++
		}
	}
	if samples != 10 {
		t.Errorf("%d packets of %d are decrypted", samples, 10*sampleEvery)
	}
}

func TestReportsTellWhatArrived(t *testing.T) {
	r := received{sent: new(sendings)}
	at := time.Now().UnixNano()
	var want []uint16
	for i := range uint16(40) {
		number := 65530 + i
		if i%7 == 3 {
			continue
		}
		want = append(want, number)
		r.packet(media(i, number, opusType), at+int64(i)*int64(time.Millisecond))
	}
	b, more := r.transportFeedback(r.receiverReport(nil))
	report, rest, err := rtcp.Next(b)
	if block, ok := report.Block(0); err != nil || more || !ok || block.SSRC != 7 || block.Highest != 39 {
		t.Fatalf("%+v, %v", block, err)
	}
	p, _, err := rtcp.Next(rest)
	if err != nil {
		t.Fatal(err)
	}
	feedback, ok := p.TransportFeedback()
	if !ok {
		t.Fatal("no feedback")
	}
	var got []uint16
	if !feedback.Each(func(a rtcp.Arrival) bool {
		if a.Received {
			got = append(got, a.Number)
		}
		return true
	}) || len(got) != len(want) || got[0] != want[0] || got[len(got)-1] != want[len(want)-1] {
		t.Errorf("told %v, not %v", got, want)
	}
}

func FuzzMedia(f *testing.F) {
	f.Add(media(1, 1, videoType))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < rtpHeader {
			return
		}
		r := received{sent: new(sendings)}
		r.packet(b, 1)
		if w := r.window(); w.packets+w.repeats != 1 || w.lost != 0 {
			t.Fatalf("%+v", w)
		}
		r.transportFeedback(nil)
	})
}

// A handshake that nobody answers ends: DTLS sets a deadline that is over to have the reading of its inbox end.
func TestReadingOfTheInboxEndsWithItsDeadline(t *testing.T) {
	s := socketForTest(t)
	i, b := newInbox(s, make(chan struct{})), make([]byte, 10)
	failed := make(chan error)
	go func() {
		_, _, err := i.ReadFrom(b)
		failed <- err
	}()
	if err := i.SetReadDeadline(time.Unix(0, 1)); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("reading ended with %v", err)
	}
	if err := i.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	i.push([]byte("hello"))
	if n, _, err := i.ReadFrom(b); n != 5 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

// Which scene has how many packets is what half load is found by.
func TestRateIsWhatReachesSubscribers(t *testing.T) {
	for _, c := range []struct {
		scene
		want float64
	}{
		{scene{publishers: 1, subscribers: 30, rooms: 1, feed: camera}, 6900},
		{scene{publishers: 10, rooms: 7, feed: camera}, 144900},
		{scene{publishers: 1, subscribers: 100, rooms: 1, feed: talking}, 5000},
	} {
		if got := c.rate(); got != c.want {
			t.Errorf("%d to %d in %d rooms are %v packets a second, not %v", c.publishers, c.subscribers, c.rooms, got, c.want)
		}
	}
}

// What the load itself did, and what others did beside it, does not enter the server's figures.
func TestFiguresOfServerLoadAndOthersAreApart(t *testing.T) {
	start := time.Unix(1000, 0)
	before := mark{server: usage{CPU: 100, Mallocs: 5}, used: [2]int64{7000, 8000}, own: 50, at: start}
	after := mark{
		server: usage{CPU: 100 + 400_000, Mallocs: 5 + 3000}, used: [2]int64{7000 + 500_000, 8000 + 250_000},
		own: 50 + 200_000, played: 200, late: 1, drops: 3, at: start.Add(time.Second),
	}
	seen := tally{packets: 99_000, lost: 1000}
	for i := range 101 {
		seen.times = append(seen.times, time.Duration(100-i)*time.Millisecond)
	}
	o := judge(before, after, seen)
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"CPU", o.cpu, 400.0 / 99}, {"busy", o.busy, 0.4}, {"allocations", o.allocs, 3.0 / 99}, {"loss", o.loss, 1},
		{"median", o.p50, 50}, {"99th", o.p99, 99}, {"rate", o.packetsRate, 99_000}, {"load", o.load, 0.2}, {"late", o.late, 0.5},
		{"dropped", o.dropped, 3}, {"beside the server", o.beside, 10}, {"beside the load", o.besideLoad, 5},
	} {
		if diff := c.got - c.want; diff < -1e-9 || diff > 1e-9 {
			t.Errorf("%s is %v, not %v", c.name, c.got, c.want)
		}
	}
}

func TestTwoOfAFewSubscribersAreFull(t *testing.T) {
	for _, c := range []struct{ subscribers, full int }{{1, 1}, {10, 2}, {30, 4}, {100, 11}} {
		full := 0
		for i := range c.subscribers {
			if isFull(i) {
				full++
			}
		}
		if full != c.full {
			t.Errorf("%d of %d are full, not %d", full, c.subscribers, c.full)
		}
	}
}
