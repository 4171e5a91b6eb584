package lite

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/turnout-rtc/turnout/sfu/lite/record"
	"github.com/turnout-rtc/turnout/sfu/netio"
)

// newTestQueue counts what it drops, and keeps what it sends.
func newTestQueue(limit int) (q *queue, dropped *atomic.Uint64, sent *[]string) {
	dropped, sent = new(atomic.Uint64), new([]string)
	return newQueue(limit, dropped, func(b []byte) { *sent = append(*sent, string(b)) }), dropped, sent
}

// head is a record as everybody sees it, with some content.
func head(kind record.Kind, epoch byte, number byte) []byte {
	return []byte{byte(kind), 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, number, 0, 1, 'x'}
}

func TestQueueKeepsOrderAndIsBounded(t *testing.T) {
	q, dropped, _ := newTestQueue(3)
	pack := netio.NewPacker()
	for i := range 5 {
		q.push(pack.Pack([]byte{byte(i)}, netip.AddrPort{}))
	}
	buf := make([]byte, 10)
	for i := range 3 {
		if n, _, err := q.ReadFrom(buf); err != nil || n != 1 || buf[0] != byte(i) {
			t.Fatalf("datagram %d: %v %v", i, buf[:n], err)
		}
	}
	if dropped.Load() != 2 {
		t.Errorf("%d dropped, want 2", dropped.Load())
	}
}

func TestQueueReadEndsAtItsDeadline(t *testing.T) {
	q, _, _ := newTestQueue(3)
	done := make(chan error)
	read := func() { _, _, err := q.ReadFrom(make([]byte, 10)); done <- err }
	go read()
	_ = q.SetReadDeadline(time.Unix(1, 0)) // as pion does to end a read
	if err := <-done; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	_ = q.SetReadDeadline(time.Time{})
	go read()
	q.push(netio.NewPacker().Pack([]byte("x"), netip.AddrPort{}))
	if err := <-done; err != nil {
		t.Fatalf("after the deadline was taken back: %v", err)
	}
	_ = q.SetDeadline(time.Now().Add(10 * time.Millisecond))
	go read()
	if err := <-done; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
}

func TestClosedQueueReleasesAndRefuses(t *testing.T) {
	q, dropped, _ := newTestQueue(3)
	pack := netio.NewPacker()
	kept := pack.Pack([]byte("x"), netip.AddrPort{})
	kept.Retain()
	q.push(kept)
	_ = q.Close()
	_ = q.Close()
	kept.Release() // panics if the queue did not release its own, or released too much
	if _, _, err := q.ReadFrom(make([]byte, 10)); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if !q.push(pack.Pack([]byte("y"), netip.AddrPort{})) || dropped.Load() != 1 {
		t.Errorf("%d dropped", dropped.Load())
	}
	if _, ok := q.mute(); ok {
		t.Error("a handshake that pion has closed is taken over")
	}
}

// What is sent before the handshake is over waits for who takes over, whatever it is packed with.
func TestEarlyDataWaitsForTheEndOfTheHandshake(t *testing.T) {
	q, dropped, _ := newTestQueue(3)
	pack := netio.NewPacker()
	push := func(records ...[]byte) bool { return q.push(pack.Pack(slices.Concat(records...), netip.AddrPort{})) }
	shaking, data := head(record.Handshake, 0, 1), head(record.Data, 1, 2)
	push(data)
	push(shaking, data)
	push(shaking)
	buf := make([]byte, 100)
	for i, want := range [][]byte{slices.Concat(shaking, data), shaking} {
		if n, _, err := q.ReadFrom(buf); err != nil || !bytes.Equal(buf[:n], want) {
			t.Errorf("pion's datagram %d is %v, %v", i, buf[:n], err)
		}
	}
	for range earlyLimit {
		push(data)
	}
	if dropped.Load() != 2 {
		t.Errorf("%d dropped of data beyond the limit, want 2", dropped.Load())
	}
	early := q.leave()
	if len(early) != earlyLimit || !bytes.Equal(early[0].Data, data) || !bytes.Equal(early[1].Data, slices.Concat(shaking, data)) {
		t.Errorf("%d datagrams came early", len(early))
	}
	for _, p := range early {
		p.Release() // panics if the queue has released it
	}
	if push(data) {
		t.Error("data was taken after the end")
	}
}

func TestMutedQueueSaysWhatWasSent(t *testing.T) {
	q, _, sent := newTestQueue(3)
	write := func(records ...[]byte) { _, _ = q.WriteTo(slices.Concat(records...), nil) }
	change, finished := head(record.ChangeCipherSpec, 0, 5), head(record.Handshake, 1, 0)
	write(head(record.Handshake, 0, 1))
	write(change, finished)
	again := head(record.Handshake, 1, 7)
	write(change) // a repeat, in two datagrams
	write(again)
	was, ok := q.mute()
	if !ok || was.next != 8 || !slices.EqualFunc(was.flight, [][]byte{change, again}, bytes.Equal) {
		t.Errorf("alive %v, next number %d, last flight %v", ok, was.next, was.flight)
	}
	write(head(record.Alert, 1, 8))
	if len(*sent) != 4 {
		t.Errorf("%d datagrams were sent", len(*sent))
	}
}
