package lite

import (
	"errors"
	"io"
	"net/netip"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/turnout-rtc/turnout/sfu/netio"
)

func newTestQueue(limit int) (*queue, *atomic.Uint64, *atomic.Uint64) {
	dropped, ended := new(atomic.Uint64), new(atomic.Uint64)
	return newQueue(limit, dropped, func([]byte) {}, func() { ended.Add(1) }), dropped, ended
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
	if q.waiting != nil {
		t.Error("an empty queue keeps memory")
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
	q, dropped, ended := newTestQueue(3)
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
	q.push(pack.Pack([]byte("y"), netip.AddrPort{}))
	if dropped.Load() != 1 || ended.Load() != 1 {
		t.Errorf("%d dropped, ended %d times", dropped.Load(), ended.Load())
	}
}
