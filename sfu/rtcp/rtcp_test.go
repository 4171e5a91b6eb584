package rtcp

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"github.com/turnout-rtc/turnout/sfu/receive"
	"github.com/turnout-rtc/turnout/sfu/report"
)

// first takes the only packet of b.
func first(t *testing.T, b []byte) Packet {
	t.Helper()
	p, rest, err := Next(b)
	if err != nil || len(rest) != 0 {
		t.Fatalf("% x: %v, %d bytes are left", b, err, len(rest))
	}
	return p
}

// theirs has an independent parser read b.
func theirs(t *testing.T, b []byte) []rtcp.Packet {
	t.Helper()
	all, err := rtcp.Unmarshal(b)
	if err != nil {
		t.Fatalf("% x: %v", b, err)
	}
	return all
}

func marshal(t testing.TB, p ...rtcp.Packet) []byte {
	t.Helper()
	b, err := rtcp.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestReportsAreReadAsTheyWereWritten(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 500 {
		sr := report.SenderReport{NTP: report.NTP(rng.Uint64()), RTP: rng.Uint32(), Packets: rng.Uint32(), Bytes: rng.Uint32()}
		b := AppendSenderReport(nil, 7, sr)
		if got, ok := first(t, b).SenderReport(); !ok || got != sr {
			t.Fatalf("%+v became %+v", sr, got)
		}
		if p := theirs(t, b)[0].(*rtcp.SenderReport); p.NTPTime != uint64(sr.NTP) || p.RTPTime != sr.RTP || p.SSRC != 7 {
			t.Fatalf("%+v became %+v", sr, p)
		}
		blocks := make([]Block, rng.IntN(40))
		for i := range blocks {
			blocks[i] = Block{rng.Uint32(), report.Reception{
				Fraction: uint8(rng.Uint32()), Lost: int32(rng.IntN(1<<24)) - 1<<23, Highest: rng.Uint32(),
				Jitter: rng.Uint32(), LSR: rng.Uint32(), DLSR: rng.Uint32(),
			}}
		}
		b = AppendReceiverReport(nil, 7, blocks)
		p, n := first(t, b), min(len(blocks), MaxBlocks)
		for i := range n {
			if got, ok := p.Block(i); !ok || got != blocks[i] {
				t.Fatalf("%+v became %+v", blocks[i], got)
			}
		}
		if _, ok := p.Block(n); ok {
			t.Fatal("one block too many")
		}
		if got := theirs(t, b)[0].(*rtcp.ReceiverReport); len(got.Reports) != n || n > 0 && got.Reports[n-1].Delay != blocks[n-1].DLSR {
			t.Fatalf("%+v", got)
		}
	}
	full := &rtcp.SenderReport{SSRC: 1, Reports: []rtcp.ReceptionReport{{SSRC: 5, TotalLost: 0xffffff, Jitter: 9}}}
	if got, ok := first(t, marshal(t, full)).Block(0); !ok || got.SSRC != 5 || got.Lost != -1 || got.Jitter != 9 {
		t.Errorf("%+v", got)
	}
}

func TestACompoundIsReadPacketByPacket(t *testing.T) {
	b := AppendSenderReport(nil, 1, report.SenderReport{NTP: 5})
	b = AppendCNAME(b, 1, "somebody")
	b = AppendDelay(b, 1, Delay{2, 3, 4})
	all := theirs(t, b)
	if s := all[1].(*rtcp.SourceDescription); s.Chunks[0].Source != 1 || s.Chunks[0].Items[0].Text != "somebody" {
		t.Errorf("%+v", s)
	}
	if d := all[2].(*rtcp.ExtendedReport).Reports[0].(*rtcp.DLRRReportBlock); d.Reports[0] != (rtcp.DLRRReport{SSRC: 2, LastRR: 3, DLRR: 4}) {
		t.Errorf("%+v", d)
	}
	var types []Type
	for rest := b; len(rest) > 0; {
		var p Packet
		var err error
		if p, rest, err = Next(rest); err != nil {
			t.Fatal(err)
		}
		if d, ok := p.Delay(0); ok && d != (Delay{2, 3, 4}) {
			t.Errorf("%+v", d)
		}
		types = append(types, p.Type)
	}
	if !slices.Equal(types, []Type{TypeSenderReport, TypeDescription, TypeExtended}) {
		t.Error(types)
	}
	for size := range 5 { // whatever the length of the name
		theirs(t, AppendCNAME(nil, 1, "abcde"[:size]))
	}
}

func TestFeedbackIsWhatItSays(t *testing.T) {
	pairs := []receive.Pair{{ID: 65535, Mask: 1}, {ID: 20, Mask: 0xffff}}
	b := AppendNACK(nil, 1, 2, pairs)
	if p := theirs(t, b)[0].(*rtcp.TransportLayerNack); p.MediaSSRC != 2 || len(p.Nacks) != 2 || p.Nacks[1].LostPackets != 0xffff {
		t.Errorf("%+v", p)
	}
	p := first(t, b)
	for i, want := range pairs {
		if got, ok := p.NACK(i); !p.Is(TypeTransport, FormatNACK) || p.Media() != 2 || !ok || got != want {
			t.Errorf("pair %d is %+v", i, got)
		}
	}
	if p := theirs(t, AppendPLI(nil, 1, 2))[0].(*rtcp.PictureLossIndication); p.SenderSSRC != 1 || p.MediaSSRC != 2 {
		t.Errorf("%+v", p)
	}
	b = AppendFIR(nil, 1, 2, 3)
	if p := theirs(t, b)[0].(*rtcp.FullIntraRequest); p.FIR[0] != (rtcp.FIREntry{SSRC: 2, SequenceNumber: 3}) {
		t.Errorf("%+v", p)
	}
	if ssrc, number, ok := first(t, b).FIR(0); !ok || ssrc != 2 || number != 3 {
		t.Error("FIR")
	}
	b = AppendReferenceTime(nil, 1, 1<<63)
	if r := theirs(t, b)[0].(*rtcp.ExtendedReport).Reports[0].(*rtcp.ReceiverReferenceTimeReportBlock); r.NTPTimestamp != 1<<63 {
		t.Errorf("%+v", r)
	}
	if at, ok := first(t, b).ReferenceTime(); !ok || at != 1<<63 {
		t.Error("reference time")
	}
}

func TestEstimateOfTheBandwidthIsRoundedDown(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 1))
	for range 1000 {
		rate := rng.Uint64() >> (1 + rng.IntN(60))
		b := AppendREMB(nil, 1, rate, []uint32{2, 3})
		got, ok := first(t, b).REMB()
		if !ok || got > rate || rate-got > rate>>17 {
			t.Fatalf("%d became %d", rate, got)
		}
		if rate < 1<<40 {
			if p := theirs(t, b)[0].(*rtcp.ReceiverEstimatedMaximumBitrate); uint64(p.Bitrate) != got || len(p.SSRCs) != 2 {
				t.Fatalf("%d became %+v", rate, p)
			}
		}
	}
	huge := AppendREMB(nil, 1, 1, nil)
	huge[17] = 0xff // an exponent of 63
	if got, ok := first(t, huge).REMB(); !ok || got != 1<<63-1 {
		t.Errorf("read %d", got)
	}
}

// random makes transport-wide feedback with every kind of chunk, and what it means.
func random(t testing.TB, rng *rand.Rand) (*rtcp.TransportLayerCC, []Arrival) {
	t.Helper()
	f := &rtcp.TransportLayerCC{SenderSSRC: 1, MediaSSRC: 2, BaseSequenceNumber: uint16(rng.Uint32()), ReferenceTime: rng.Uint32() & 0xffffff, FbPktCount: 9}
	at := time.Duration(f.ReferenceTime) * referenceUnit
	var want []Arrival
	add := func(symbol uint16) {
		a := Arrival{Number: f.BaseSequenceNumber + uint16(len(want)), Received: symbol != 0}
		switch symbol {
		case symbolSmallDelta:
			d := time.Duration(rng.IntN(256)) * deltaUnit
			f.RecvDeltas, at = append(f.RecvDeltas, &rtcp.RecvDelta{Type: symbol, Delta: d.Microseconds()}), at+d
		case symbolLargeDelta:
			d := time.Duration(rng.IntN(1<<16)-1<<15) * deltaUnit
			f.RecvDeltas, at = append(f.RecvDeltas, &rtcp.RecvDelta{Type: symbol, Delta: d.Microseconds()}), at+d
		}
		a.At = at
		want = append(want, a)
	}
	for range 1 + rng.IntN(8) {
		switch rng.IntN(3) {
		case 0:
			symbol, n := uint16(rng.IntN(3)), uint16(1+rng.IntN(60))
			f.PacketChunks = append(f.PacketChunks, &rtcp.RunLengthChunk{Type: rtcp.TypeTCCRunLengthChunk, PacketStatusSymbol: symbol, RunLength: n})
			for range n {
				add(symbol)
			}
		default:
			size, n, most := uint16(rtcp.TypeTCCSymbolSizeTwoBit), 7, 3
			if rng.IntN(2) == 0 {
				size, n, most = rtcp.TypeTCCSymbolSizeOneBit, 14, 2
			}
			c := &rtcp.StatusVectorChunk{Type: rtcp.TypeTCCStatusVectorChunk, SymbolSize: size}
			for range n {
				symbol := uint16(rng.IntN(most))
				c.SymbolList = append(c.SymbolList, symbol)
				add(symbol)
			}
			f.PacketChunks = append(f.PacketChunks, c)
		}
	}
	f.PacketStatusCount = uint16(len(want))
	size := 20 + 2*len(f.PacketChunks)
	for _, d := range f.RecvDeltas {
		size += int(d.Type)
	}
	pad := (4 - size%4) % 4
	f.Header = rtcp.Header{Padding: pad > 0, Count: rtcp.FormatTCC, Type: rtcp.TypeTransportSpecificFeedback, Length: uint16((size+pad)/4 - 1)}
	return f, want
}

func TestTransportFeedbackTellsEveryPacketsFate(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	for range 500 {
		f, want := random(t, rng)
		got, ok := first(t, marshal(t, f)).TransportFeedback()
		if !ok || got.Count != len(want) || got.First != want[0].Number || got.Number != 9 {
			t.Fatalf("%+v", got)
		}
		i := 0
		if !got.Each(func(a Arrival) bool {
			if !a.Received {
				a.At = want[i].At
			}
			if a != want[i] {
				t.Fatalf("packet %d is %+v, not %+v", i, a, want[i])
			}
			i++
			return true
		}) || i != len(want) {
			t.Fatalf("%d of %d", i, len(want))
		}
	}
}

func TestReadingAllocatesNothing(t *testing.T) {
	f, _ := random(t, rand.New(rand.NewPCG(4, 1)))
	b := marshal(t, f)
	out := make([]byte, 0, 1500)
	if n := testing.AllocsPerRun(100, func() {
		for rest := b; len(rest) > 0; {
			var p Packet
			p, rest, _ = Next(rest)
			got, _ := p.TransportFeedback()
			received := 0
			got.Each(func(a Arrival) bool { received++; return true })
		}
		out = AppendSenderReport(out[:0], 1, report.SenderReport{})
		out = AppendCNAME(out, 1, "somebody")
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzNext reads whatever comes as everything it could be.
func FuzzNext(f *testing.F) {
	rng := rand.New(rand.NewPCG(5, 1))
	for range 5 {
		feedback, _ := random(f, rng)
		f.Add(marshal(f, feedback))
	}
	f.Add(AppendCNAME(AppendSenderReport(nil, 1, report.SenderReport{}), 1, "x"))
	f.Add(AppendReceiverReport(nil, 1, make([]Block, 3)))
	f.Add(AppendDelay(AppendReferenceTime(nil, 1, 2), 1, Delay{1, 2, 3}))
	f.Add(AppendREMB(AppendFIR(AppendPLI(AppendNACK(nil, 1, 2, make([]receive.Pair, 2)), 1, 2), 1, 2, 3), 1, 1e6, []uint32{1}))
	f.Fuzz(func(t *testing.T, b []byte) {
		for rest := b; len(rest) > 0; {
			p, after, err := Next(rest)
			if err != nil {
				return
			}
			if len(after) >= len(rest) {
				t.Fatal("no end")
			}
			everything(t, p)
			rest = after
		}
	})
}

func everything(t *testing.T, p Packet) {
	_, _, _ = p.Sender(), p.Media(), p.Is(TypePayload, FormatPLI)
	_, _ = p.SenderReport()
	_, _ = p.ReferenceTime()
	for i := 0; ; i++ {
		_, a := p.Block(i)
		_, b := p.NACK(i)
		_, _, c := p.FIR(i)
		_, d := p.Delay(i)
		if !a && !b && !c && !d {
			break
		}
	}
	if r, ok := p.REMB(); ok && r > 1<<63-1 {
		t.Fatal("too fast")
	}
	if f, ok := p.TransportFeedback(); ok {
		n := 0
		if f.Each(func(Arrival) bool { n++; return true }) && n != f.Count {
			t.Fatalf("%d packets of %d", n, f.Count)
		}
	}
}
