package receive

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

var start = time.Unix(1_700_000_000, 123_456_789) //nolint:gochecknoglobals // a constant

func TestMissingPacketsAreAskedForUntilTheyCome(t *testing.T) {
	l := Losses{RoundTrip: 50 * time.Millisecond}
	const base = 1<<16 + 65534
	l.Packet(start, base)
	if got := l.Ask(start, nil); got != nil {
		t.Errorf("asked for %v", got)
	}
	l.Packet(start, base+4)
	if got := l.Ask(start, nil); !slices.Equal(got, []uint16{65535, 0, 1}) {
		t.Errorf("asked for %v", got)
	}
	now := start.Add(49 * time.Millisecond)
	if got := l.Ask(now, nil); len(got) != 0 {
		t.Errorf("asked for %v within a round trip", got)
	}
	l.Packet(now, base+2)
	l.Packet(now, base+2)
	now = now.Add(time.Millisecond)
	if got := l.Ask(now, nil); !slices.Equal(got, []uint16{65535, 1}) {
		t.Errorf("asked for %v", got)
	}
	l.Packet(now, base+1)
	l.Packet(now, base+3)
	if l.Pending() || l.GaveUp() {
		t.Error("all have come")
	}
}

func TestAskingEnds(t *testing.T) {
	l := Losses{RoundTrip: 30 * time.Millisecond}
	l.Packet(start, 100000)
	l.Packet(start, 100002)
	n := 0
	for now := start; now.Before(start.Add(time.Minute)); now = now.Add(5 * time.Millisecond) {
		n += len(l.Ask(now, nil))
	}
	if n != maxTries || l.Pending() || !l.GaveUp() || l.GaveUp() {
		t.Errorf("asked %d times", n)
	}
	l.Packet(start, 200000) // the sender has started anew
	if l.Pending() || !l.GaveUp() {
		t.Error("a jump is no loss")
	}
}

func TestMoreThanCanBeMissingIsGivenUp(t *testing.T) {
	var l Losses
	const base = 1 << 16
	l.Packet(start, base)
	for n := uint64(base + 2); n <= base+2*maxPending; n += 2 {
		l.Packet(start, n)
	}
	if got := len(l.Ask(start, nil)); got != maxPending || l.GaveUp() {
		t.Fatalf("asked for %d", got)
	}
	l.Packet(start, base+2*maxPending+2)
	if l.Pending() || !l.GaveUp() {
		t.Error("one more is still asked for")
	}
}

func TestWhatIsMissingForLongIsGivenUp(t *testing.T) {
	l := Losses{RoundTrip: time.Minute}
	l.Packet(start, 1<<16)
	l.Packet(start, 1<<16+2)
	if l.Ask(start, nil); !l.Pending() {
		t.Fatal("nothing is missing")
	}
	if l.Ask(start.Add(maxAge-1), nil); l.GaveUp() {
		t.Error("given up too early")
	}
	if got := l.Ask(start.Add(maxAge), nil); len(got) > 0 || l.Pending() || !l.GaveUp() {
		t.Errorf("asked for %v, which would come too late", got)
	}
}

func TestUnknownRoundTripIsTakenForAnAverageOne(t *testing.T) {
	var l Losses
	l.Packet(start, 1<<16)
	l.Packet(start, 1<<16+2)
	for i, want := range []int{1, 0, 1} {
		if got := l.Ask(start.Add(time.Duration(i)*defaultRTT/2), nil); len(got) != want {
			t.Errorf("after %d halves of it: asked for %v", i, got)
		}
	}
}

func TestAskingAgreesWithAModel(t *testing.T) {
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 1))
		l := Losses{RoundTrip: 20 * time.Millisecond}
		now, next := start, uint64(1<<16+rng.IntN(1<<16))
		lost := map[uint16]bool{}
		l.Packet(now, next)
		for range 2000 {
			now = now.Add(time.Duration(rng.IntN(10)) * time.Millisecond)
			next++
			if rng.IntN(10) == 0 {
				lost[uint16(next)] = true
			} else {
				l.Packet(now, next)
			}
			for _, s := range l.Ask(now, nil) {
				if !lost[s] {
					t.Fatalf("asked for %d, which is not missing", s)
				}
				if rng.IntN(2) == 0 { // it comes back
					delete(lost, s)
					l.Packet(now, next-uint64(uint16(next)-s))
				}
			}
		}
	}
}

func TestPairsCoverWhatIsMissing(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		var seqs []uint16
		for s := uint16(rng.Uint32()); len(seqs) < 50; s += 1 + uint16(rng.IntN(20)) {
			seqs = append(seqs, s)
		}
		var back []uint16
		for _, p := range Pairs(seqs, nil) {
			pair := rtcp.NackPair{PacketID: p.ID, LostPackets: rtcp.PacketBitmap(p.Mask)}
			back = append(back, pair.PacketList()...)
		}
		if !slices.Equal(seqs, back) {
			t.Fatalf("%v became %v", seqs, back)
		}
	}
}

// read parses a report with pion's parser into arrival times, negative for packets that did not arrive.
func read(t *testing.T, body []byte) (first uint16, times []time.Duration) {
	t.Helper()
	b := append([]byte{0x80 | 15, 205, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2}, body...)
	if pad := (4 - len(b)%4) % 4; pad > 0 {
		b = append(b, make([]byte, pad)...)
		b[len(b)-1] = byte(pad)
		b[0] |= 0x20
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)/4-1))
	var p rtcp.TransportLayerCC
	if err := p.Unmarshal(b); err != nil {
		t.Fatalf("% x: %v", b, err)
	}
	var symbols []uint16
	for _, c := range p.PacketChunks {
		switch c := c.(type) {
		case *rtcp.RunLengthChunk:
			for range c.RunLength {
				symbols = append(symbols, c.PacketStatusSymbol)
			}
		case *rtcp.StatusVectorChunk:
			symbols = append(symbols, c.SymbolList...)
		}
	}
	at, delta := time.Duration(p.ReferenceTime)*referenceUnit, 0
	for i := range p.PacketStatusCount {
		if symbols[i] == rtcp.TypeTCCPacketNotReceived {
			times = append(times, -1)
			continue
		}
		at += time.Duration(p.RecvDeltas[delta].Delta) * time.Microsecond
		delta++
		times = append(times, at)
	}
	return p.BaseSequenceNumber, times
}

func TestReportsTellWhenPacketsArrived(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var a Arrivals
		now, n := start, uint64(1<<16+rng.IntN(1<<16))
		arrived, told := map[uint16]time.Time{}, map[uint16]bool{}
		for range 100 {
			overtaken := false
			for range rng.IntN(100) {
				n++
				switch rng.IntN(12) {
				case 0: // lost, or very late
					if late := n - uint64(rng.IntN(300)); late > 1<<16 && arrived[uint16(late)].IsZero() && a.Packet(now, late) {
						arrived[uint16(late)], overtaken = now, true
					}
				case 1:
					now = now.Add(time.Duration(rng.IntN(9000)) * time.Millisecond)
				case 2:
					now = now.Add(-time.Duration(rng.IntN(30)) * time.Millisecond) // overtaken
					fallthrough
				default:
					now = now.Add(time.Duration(rng.IntN(20000)) * time.Microsecond)
					if a.Packet(now, n) {
						arrived[uint16(n)] = now
					}
				}
			}
			for a.Due() > 0 {
				body := a.Report(nil)
				if body == nil {
					break
				}
				first, times := read(t, body)
				for i, at := range times {
					s := first + uint16(i)
					want, ok := arrived[s]
					if told[s] && !overtaken || ok != (at >= 0) {
						t.Fatalf("seed %d: packet %d is told twice, or arrived is %v and not %v", seed, s, at >= 0, ok)
					}
					told[s] = ok
					// The reference wraps every 2^24 × 64 ms.
					truth := time.Duration(want.UnixNano()) % (1 << 24 * referenceUnit)
					if d := at - truth; ok && (d > deltaUnit || d < -deltaUnit) {
						t.Fatalf("seed %d: packet %d is %v off", seed, s, d)
					}
				}
			}
		}
		for s := range arrived {
			if !told[s] {
				t.Fatalf("seed %d: packet %d was never told", seed, s)
			}
		}
	}
}

func TestFeedbackAllocatesNothing(t *testing.T) {
	var a Arrivals
	var l Losses
	now, n := start, uint64(1<<16)
	body, seqs := make([]byte, 0, 4096), make([]uint16, 0, 64)
	step := func() {
		for range 20 {
			n += 2
			now = now.Add(time.Millisecond)
			a.Packet(now, n)
			l.Packet(now, n)
		}
		body = a.Report(body[:0])
		seqs = l.Ask(now, seqs[:0])
	}
	for range 200 {
		step()
	}
	if got := testing.AllocsPerRun(100, step); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func FuzzFeedback(f *testing.F) {
	f.Add([]byte{1, 2, 3, 250, 0, 0, 255, 7})
	f.Fuzz(func(t *testing.T, data []byte) {
		var a Arrivals
		var l Losses
		now, n := start, uint64(1<<20)
		for i, b := range data[:min(len(data), 500)] {
			n = max(n+uint64(b)*uint64(b), 1<<16+300) - 300
			now = now.Add(time.Duration(int8(b)) * time.Duration(b) * 10 * time.Millisecond)
			a.Packet(now, n)
			l.Packet(now, n)
			if i%5 == 4 {
				if body := a.Report(nil); body != nil {
					read(t, body)
				}
				if l.Ask(now, nil); len(l.pending) > maxPending {
					t.Fatal("more pending than allowed")
				}
			}
		}
	})
}

func TestReportsFitIntoADatagram(t *testing.T) {
	for _, step := range []time.Duration{0, 100 * time.Millisecond} { // short deltas and long ones
		var a Arrivals
		const first, n = 1 << 16, maxRecorded
		for i := range uint64(n) {
			if i%2 == 0 || step > 0 {
				a.Packet(start.Add(time.Duration(i)*step), first+i)
			}
		}
		told := 0
		for a.Due() > 0 {
			body := a.Report(nil)
			if len(body) > maxReport {
				t.Fatalf("a report has %d bytes", len(body))
			}
			_, times := read(t, body)
			told += len(times)
		}
		if told < n-1 {
			t.Errorf("%d of %d packets were told", told, n)
		}
	}
}

func TestBandwidthFallsWithLossAndComesBack(t *testing.T) {
	b := Bandwidth{Ceiling: 8_000_000}
	now := start
	second := func(bytes int, lost float64) uint64 {
		now = now.Add(time.Second)
		b.Packet(bytes)
		return b.Update(now, lost)
	}
	if r := second(1000, 0.5); r != b.Ceiling {
		t.Errorf("%d before anything is known", r)
	}
	if r := second(1000, 0); r != b.Ceiling {
		t.Errorf("%d without loss: a picture that stands still needs little, the next one may need much", r)
	}
	if r := second(200_000, 0.2); r != 1_800_000 { // 2 Mbit/s were sent
		t.Errorf("%d after a loss of a fifth", r)
	}
	if r := second(200_000, 0.05); r != 1_800_000 {
		t.Errorf("%d with some loss", r)
	}
	if r := second(200_000, 0.01); r != 1_944_000 {
		t.Errorf("%d after the loss", r)
	}
	for range 60 {
		second(0, 0)
	}
	if r := second(0, 0); r != b.Ceiling {
		t.Errorf("%d after a minute", r)
	}
	for range 60 {
		second(10, 1)
	}
	if r := second(10, 0.99); r != leastRate {
		t.Errorf("%d when all is lost", r)
	}
}
