package netio

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var modes = []Mode{Offload, Batch, Portable}

func nameOf(m Mode) string {
	if m == Offload {
		return "offload"
	}
	return string(m)
}

// inModes runs the contract in every mode, over IPv4 and IPv6.
func inModes(t *testing.T, f func(t *testing.T, cfg Config)) {
	for _, mode := range modes {
		for _, ip := range []string{"127.0.0.1", "::1"} {
			t.Run(fmt.Sprintf("%s/%s", nameOf(mode), ip), func(t *testing.T) {
				f(t, Config{Addr: netip.AddrPortFrom(netip.MustParseAddr(ip), 0), Mode: mode})
			})
		}
	}
}

func mustOpen(t testing.TB, cfg Config) []*Socket {
	t.Helper()
	all, err := Open(cfg)
	if err != nil {
		if cfg.Addr.Addr().Is6() {
			t.Skipf("no IPv6 here: %v", err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, s := range all {
			_ = s.Close()
		}
	})
	return all
}

// readN reads n packets; a reader that gets none for 5 s fails the test.
func readN(t testing.TB, s *Socket, n int) []Packet {
	t.Helper()
	_ = s.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	var all []Packet
	buf := make([]Packet, 7)
	for len(all) < n {
		got, err := s.Read(buf[:min(len(buf), n-len(all))])
		if err != nil {
			t.Fatalf("after %d of %d packets: %v", len(all), n, err)
		}
		all = append(all, buf[:got]...)
	}
	return all
}

func TestPacketsArriveWholeAndInOrder(t *testing.T) {
	inModes(t, func(t *testing.T, cfg Config) {
		rng := rand.New(rand.NewPCG(1, 2))
		src, dst := mustOpen(t, cfg)[0], mustOpen(t, cfg)[0]
		w := src.NewWriter()
		for round := range 20 {
			var want [][]byte
			size := 0
			for i := range 100 {
				if i == 0 || rng.IntN(9) == 0 {
					size = 1 + rng.IntN(1400)
				}
				if rng.IntN(8) == 0 { // the last of a run may be shorter
					size = 1 + rng.IntN(max(size, 1))
				}
				b := make([]byte, max(size, 1))
				for j := range b {
					b[j] = byte(rng.Uint32())
				}
				want = append(want, b)
				copy(w.Slot(1500), b)
				w.Commit(len(b), dst.Addr())
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			for i, p := range readN(t, dst, len(want)) {
				if !bytes.Equal(p.Data, want[i]) {
					t.Fatalf("round %d packet %d: %d bytes differ from the %d sent", round, i, len(p.Data), len(want[i]))
				}
				if p.From != src.Addr() {
					t.Fatalf("from %v, want %v", p.From, src.Addr())
				}
				p.Release()
			}
		}
		if st := src.Stats(); st.PacketsOut != 2000 || dst.Stats().PacketsIn != 2000 {
			t.Errorf("counted %d out, %d in, want 2000", st.PacketsOut, dst.Stats().PacketsIn)
		}
	})
}

func TestDestinationsDoNotMix(t *testing.T) {
	inModes(t, func(t *testing.T, cfg Config) {
		src := mustOpen(t, cfg)[0]
		w := src.NewWriter()
		var dsts []*Socket
		for range 5 {
			dsts = append(dsts, mustOpen(t, cfg)[0])
		}
		for k := range 30 { // runs of three to each
			for i, d := range dsts {
				for j := range 3 {
					b := w.Slot(200)
					b[0], b[1], b[2] = byte(i), byte(k), byte(j)
					w.Commit(200, d.Addr())
				}
			}
		}
		_ = w.Flush()
		for i, d := range dsts {
			for n, p := range readN(t, d, 90) {
				if want := []byte{byte(i), byte(n / 3), byte(n % 3)}; !bytes.Equal(p.Data[:3], want) {
					t.Fatalf("destination %d packet %d is %v, want %v", i, n, p.Data[:3], want)
				}
				p.Release()
			}
		}
	})
}

func TestHeadroomIsThePacketsOwn(t *testing.T) {
	inModes(t, func(t *testing.T, cfg Config) {
		src, dst := mustOpen(t, cfg)[0], mustOpen(t, cfg)[0]
		w := src.NewWriter()
		for i := range 20 {
			copy(w.Slot(100), bytes.Repeat([]byte{byte(i)}, 100))
			w.Commit(100, dst.Addr())
		}
		_ = w.Flush()
		ps := readN(t, dst, 20)
		for _, p := range ps {
			f := p.Front(Headroom)
			for i := range Headroom {
				f[i] = 0xff
			}
		}
		for i, p := range ps {
			if !bytes.Equal(p.Data, bytes.Repeat([]byte{byte(i)}, 100)) {
				t.Fatalf("packet %d was overwritten by another's headroom", i)
			}
			if f := p.Front(4); len(f) != 104 || f[3] != 0xff || &f[4] != &p.Data[0] || cap(f) != 104 {
				t.Fatal("Front is not the bytes before Data and Data itself")
			}
			p.Release()
		}
	})
}

func TestOversizeIsDroppedAndCounted(t *testing.T) {
	inModes(t, func(t *testing.T, cfg Config) {
		src, dst := mustOpen(t, cfg)[0], mustOpen(t, cfg)[0]
		for _, n := range []int{MaxDatagram + 1, MaxDatagram, 20000, 5} {
			if err := src.WriteTo(make([]byte, n), dst.Addr()); err != nil {
				t.Fatal(err)
			}
		}
		ps := readN(t, dst, 2)
		if len(ps[0].Data) != MaxDatagram || len(ps[1].Data) != 5 {
			t.Fatalf("got %d and %d bytes", len(ps[0].Data), len(ps[1].Data))
		}
		if n := dst.Stats().Dropped[DropOversize]; n != 2 {
			t.Errorf("%d counted as oversize, want 2", n)
		}
		ps[0].Release()
		ps[1].Release()
	})
}

func TestSocketsOfOnePortShareTheLoad(t *testing.T) {
	if !hasReusePort {
		t.Skip("no SO_REUSEPORT")
	}
	inModes(t, func(t *testing.T, cfg Config) {
		cfg.Sockets = 3
		dsts := mustOpen(t, cfg)
		if len(dsts) != 3 || dsts[1].Addr() != dsts[0].Addr() || dsts[2].Addr() != dsts[0].Addr() {
			t.Fatalf("not three sockets on one address: %v", dsts)
		}
		const senders, each = 60, 4
		cfg.Sockets = 1
		for i := range senders {
			src := mustOpen(t, cfg)[0]
			w := src.NewWriter()
			for range each {
				w.Slot(1)[0] = byte(i)
				w.Commit(1, dsts[0].Addr())
			}
			_ = w.Flush()
		}
		seen, total := map[netip.AddrPort]int{}, 0
		for k, d := range dsts {
			buf := make([]Packet, 16)
			for {
				_ = d.conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
				n, err := d.Read(buf)
				if err != nil {
					break
				}
				for _, p := range buf[:n] {
					if other, ok := seen[p.From]; ok && other != k {
						t.Fatalf("%v came to sockets %d and %d", p.From, other, k)
					}
					seen[p.From] = k
					p.Release()
				}
				total += n
			}
		}
		if total != senders*each {
			t.Fatalf("%d of %d packets", total, senders*each)
		}
	})
}

func TestCloseEndsAWaitingRead(t *testing.T) {
	inModes(t, func(t *testing.T, cfg Config) {
		s := mustOpen(t, cfg)[0]
		done := make(chan error, 1)
		go func() { _, err := s.Read(make([]Packet, 1)); done <- err }()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatalf("second Close: %v", err)
		}
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			t.Fatalf("Read ended with %v, want net.ErrClosed", err)
		}
		w := s.NewWriter()
		w.Slot(1)[0] = 1
		w.Commit(1, netip.AddrPortFrom(cfg.Addr.Addr(), 9))
		if err := w.Flush(); !errors.Is(err, net.ErrClosed) {
			t.Fatalf("Flush after Close: %v", err)
		}
		if s.Stats().Dropped[DropClosed] != 1 {
			t.Error("the packet was not counted")
		}
	})
}

func TestAddressThatCannotBeSentToHarmsNobody(t *testing.T) {
	inModes(t, func(t *testing.T, cfg Config) {
		src, dst := mustOpen(t, cfg)[0], mustOpen(t, cfg)[0]
		other := netip.MustParseAddrPort("[::1]:9")
		if cfg.Addr.Addr().Is6() {
			other = netip.MustParseAddrPort("127.0.0.1:9")
		}
		w := src.NewWriter()
		for _, to := range []netip.AddrPort{other, {}, netip.AddrPortFrom(cfg.Addr.Addr(), 0), dst.Addr(), dst.Addr()} {
			copy(w.Slot(2), "ok")
			w.Commit(2, to)
		}
		w.Commit(0, dst.Addr())
		if w.Slot(arenaSize+1) != nil {
			t.Error("a slot larger than the arena")
		}
		_ = w.Flush()
		for _, p := range readN(t, dst, 2) {
			if string(p.Data) != "ok" {
				t.Fatalf("got %q", p.Data)
			}
			p.Release()
		}
		st := src.Stats()
		if st.Dropped[DropFailed] != 3 || st.Dropped[DropNoRoom] != 1 || st.GSO != src.Capabilities().GSO {
			t.Errorf("stats %+v", st)
		}
	})
}

func TestWriterFlushesWhenFull(t *testing.T) {
	inModes(t, func(t *testing.T, cfg Config) {
		src, dst := mustOpen(t, cfg)[0], mustOpen(t, cfg)[0]
		w := src.NewWriter()
		const extra = 10
		for i := range maxBursts + extra {
			w.Slot(1200)[0] = byte(i)
			w.Commit(1+i, dst.Addr()) // each larger than the one before: none are gathered
		}
		next := byte(0)
		check := func(n int) {
			for _, p := range readN(t, dst, n) {
				if p.Data[0] != next {
					t.Fatalf("packet %d came, not %d", p.Data[0], next)
				}
				next++
				p.Release()
			}
		}
		check(maxBursts) // without a flush; more at once might not fit into a socket's buffer
		_ = w.Flush()
		check(extra)
	})
}

func TestSlabsAreReusedOnlyAfterTheLastRelease(t *testing.T) {
	pool := NewPool(slabSize, slabsKept)
	k := Packer{pool: pool}
	first := k.Pack([]byte("kept"), netip.AddrPort{})
	first.Retain()
	first.Release()
	var rest []Packet
	for k.cur == first.slab {
		rest = append(rest, k.Pack(make([]byte, 1000), netip.AddrPort{}))
	}
	for _, p := range rest {
		p.Release()
	}
	if len(pool.free) != 0 || string(first.Data) != "kept" {
		t.Fatal("the slab went back while a packet was held")
	}
	first.Release()
	if len(pool.free) != 1 {
		t.Fatal("the slab did not go back")
	}
	defer func() {
		if recover() == nil {
			t.Error("a second release was not noticed")
		}
	}()
	first.Release()
}

func TestConfigSaysWhatIsWrong(t *testing.T) {
	ok := netip.MustParseAddrPort("127.0.0.1:0")
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{}, "listen address"},
		{Config{Addr: ok, Sockets: -1}, "sockets"},
		{Config{Addr: ok, Burst: 65}, "burst"},
		{Config{Addr: ok, ReadBuffer: -1}, "negative"},
		{Config{Addr: ok, Mode: "fast"}, "unknown mode"},
	} {
		if _, err := Open(c.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want something about %q", c.cfg, err, c.want)
		}
	}
	taken := mustOpen(t, Config{Addr: ok, Mode: Portable})[0]
	if _, err := Open(Config{Addr: netip.MustParseAddrPort("203.0.113.1:1")}); err == nil || !strings.Contains(err.Error(), "203.0.113.1") {
		t.Errorf("a foreign address: %v", err)
	}
	if s := taken.Capabilities().String(); !strings.Contains(s, "one datagram per call") {
		t.Errorf("capabilities say %q", s)
	}
}
