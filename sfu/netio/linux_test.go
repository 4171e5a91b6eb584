//go:build linux

package netio

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func loopback(t testing.TB, mode Mode) *Socket {
	return mustOpen(t, Config{Addr: netip.MustParseAddrPort("127.0.0.1:0"), Mode: mode, WriteWait: 20 * time.Millisecond})[0]
}

// kernel answers sendmmsg from a script before the real one is asked.
type kernel struct {
	script []unix.Errno // for each call; 0 passes it on
	calls  int
	gso    int // calls whose first message is to be cut
}

func (k *kernel) sendmmsg(fd uintptr, h *mmsghdr, n int) (int, unix.Errno) {
	k.calls++
	if h.hdr.Controllen > 0 {
		k.gso++
	}
	if len(k.script) > 0 {
		e := k.script[0]
		k.script = k.script[1:]
		if e != 0 {
			return -1, e
		}
	}
	return sendmmsg(fd, h, n)
}

func scripted(t *testing.T, script ...unix.Errno) (*Socket, *Writer, *kernel) {
	s := loopback(t, Offload)
	if !s.caps.GSO {
		t.Skip("no GSO here: ", s.caps)
	}
	w, k := s.NewWriter(), &kernel{script: script}
	w.tx.(*batchSender).sendmmsg = k.sendmmsg
	return s, w, k
}

func sendRun(t *testing.T, w *Writer, to *Socket, n int) {
	t.Helper()
	for i := range n {
		w.Slot(300)[0] = byte(i)
		w.Commit(300, to.Addr())
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
}

func expectRun(t *testing.T, s *Socket, n int) {
	t.Helper()
	for i, p := range readN(t, s, n) {
		if p.Data[0] != byte(i) || len(p.Data) != 300 {
			t.Fatalf("packet %d: number %d, %d bytes", i, p.Data[0], len(p.Data))
		}
		p.Release()
	}
}

func TestRefusedGSOIsSentSingly(t *testing.T) {
	for e, stays := range map[unix.Errno]bool{unix.EIO: false, unix.EINVAL: false, unix.EMSGSIZE: true} {
		t.Run(unix.ErrnoName(e), func(t *testing.T) {
			src, w, k := scripted(t, e)
			dst := loopback(t, Offload)
			sendRun(t, w, dst, 15)
			expectRun(t, dst, 15)
			if src.Stats().GSO != stays {
				t.Errorf("GSO in use: %v, want %v", src.Stats().GSO, stays)
			}
			k.gso = 0
			sendRun(t, w, dst, 5)
			expectRun(t, dst, 5)
			if (k.gso > 0) != stays {
				t.Errorf("%d sends with GSO afterwards", k.gso)
			}
			if st := src.Stats(); st.PacketsOut != 20 || st.Dropped[DropFailed] != 0 {
				t.Errorf("stats %+v", st)
			}
		})
	}
}

func TestFullKernelBufferIsWaitedFor(t *testing.T) {
	src, w, _ := scripted(t, unix.EAGAIN, unix.EINTR)
	dst := loopback(t, Offload)
	sendRun(t, w, dst, 3)
	expectRun(t, dst, 3)
	if st := src.Stats(); st.Blocked != 1 || st.Dropped[DropBlocked] != 0 {
		t.Errorf("stats %+v", st)
	}
}

func TestFullKernelBufferIsNotWaitedForLong(t *testing.T) {
	src, w, k := scripted(t, slices.Repeat([]unix.Errno{unix.EAGAIN}, 1000)...) // the runtime may wake the writer for nothing
	dst := loopback(t, Offload)
	sendRun(t, w, dst, 30)
	if st := src.Stats(); st.Blocked != 1 || st.Dropped[DropBlocked] != 30 || st.PacketsOut != 0 {
		t.Fatalf("stats %+v after %d calls", st, k.calls)
	}
	k.script = nil
	sendRun(t, w, dst, 3) // the passed deadline must not stop the next ones
	if err := src.WriteTo(make([]byte, 300), dst.Addr()); err != nil {
		t.Fatal(err)
	}
	for _, p := range readN(t, dst, 4) {
		p.Release()
	}
}

func TestOneBadDestinationIsSkipped(t *testing.T) {
	src, w, _ := scripted(t, unix.ENETUNREACH)
	bad, good := loopback(t, Offload), loopback(t, Offload)
	w.Slot(300)[0] = 9
	w.Commit(300, bad.Addr())
	sendRun(t, w, good, 4)
	expectRun(t, good, 4)
	if st := src.Stats(); st.Dropped[DropFailed] != 1 || !st.GSO {
		t.Errorf("stats %+v", st)
	}
}

func TestBurstsAreCapped(t *testing.T) {
	src, w, k := scripted(t)
	dst := loopback(t, Batch)
	for range 25 {
		w.Slot(300)
		w.Commit(300, dst.Addr())
	}
	if len(w.bursts) != 3 || w.bursts[0].segments() != 10 || w.bursts[2].segments() != 5 {
		t.Fatalf("bursts %+v", w.bursts)
	}
	_ = w.Flush()
	for _, p := range readN(t, dst, 25) {
		p.Release()
	}
	if src.Stats().Sends != 1 || k.calls != 1 {
		t.Errorf("%d calls, want 1", k.calls)
	}
}

func TestKernelDropsAreCounted(t *testing.T) {
	src := loopback(t, Offload)
	dst := mustOpen(t, Config{Addr: netip.MustParseAddrPort("127.0.0.1:0"), ReadBuffer: 4096})[0]
	for range 200 {
		_ = src.WriteTo(make([]byte, 1000), dst.Addr())
	}
	if dst.Stats().Dropped[DropKernel] == 0 {
		t.Error("200 kB into a buffer of 4 kB, and no drop counted")
	}
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	for _, mode := range modes {
		src, dst := loopback(t, mode), loopback(t, mode)
		w := src.NewWriter()
		in := make([]Packet, 64)
		_ = dst.conn.SetReadDeadline(time.Now().Add(time.Minute)) // a packet that is lost fails the test
		if n := testing.AllocsPerRun(200, func() {
			for i := range 40 {
				w.Slot(1000 + i/10)
				w.Commit(1000+i/10, dst.Addr())
			}
			_ = w.Flush()
			for got := 0; got < 40; {
				n, err := dst.Read(in)
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range in[:n] {
					p.Release()
				}
				got += n
			}
		}); n != 0 {
			t.Errorf("mode %q: %v allocations per 40 packets", mode, n)
		}
	}
}
