package native

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/rtp"

	"github.com/turnout-rtc/turnout/sfu/forward"
	"github.com/turnout-rtc/turnout/sfu/link"
	"github.com/turnout-rtc/turnout/sfu/lite"
	"github.com/turnout-rtc/turnout/sfu/lite/answer"
	"github.com/turnout-rtc/turnout/sfu/netio"
	"github.com/turnout-rtc/turnout/sfu/packet"
	"github.com/turnout-rtc/turnout/sfu/srtpkeys"
)

// exporter gives the same key material to everyone.
type exporter struct{}

func (exporter) ExportKeyingMaterial(_ string, _ []byte, n int) ([]byte, error) {
	return bytes.Repeat([]byte{7}, n), nil
}

// cable is a wire to a socket that takes everything.
type cable struct {
	keys srtpkeys.Keys
	path lite.Path
	cut  bool
}

func (c *cable) Keys() (srtpkeys.Keys, bool) { return c.keys, true }

func (c *cable) Where() *lite.Path {
	if c.cut {
		return nil
	}
	return &c.path
}

// ends makes a sender over a cable, and the socket at its other end.
func ends(t testing.TB, m *answer.Media) (*Sender, *link.Outlet, *net.UDPConn, *cable) {
	t.Helper()
	sink, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	_ = sink.SetReadBuffer(1 << 20)
	sockets, err := netio.Open(netio.Config{Addr: netip.MustParseAddrPort("127.0.0.1:0")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = sink.Close(), sockets[0].Close() })
	keys, err := srtpkeys.Export(exporter{}, dtls.SRTP_AEAD_AES_128_GCM)
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{keys: keys, path: lite.Path{Socket: sockets[0], Remote: sink.LocalAddr().(*net.UDPAddr).AddrPort()}}
	p := newPeer(nil, link.Handlers{})
	p.wire = c
	out := &link.Outlet{}
	out.Now = time.Unix(1e9, 0)
	return newSender(p, m), out, sink, c
}

// sendOne sends a run of one packet.
func sendOne(s *Sender, o *forward.Out, via *link.Outlet) error {
	if s.Send([]forward.Out{*o}, via) != 1 {
		return errors.New("it was not sent")
	}
	return nil
}

func slotMedia() *answer.Media {
	return &answer.Media{
		MID: "3", Kind: answer.Video, Out: &answer.Out{Source: answer.Source{SSRC: 11, RTX: 12}},
		Codecs: []answer.Codec{
			{PT: 96, Name: "VP8", Clock: 90000, RTX: 97},
			{PT: 98, Name: "H264", Clock: 90000, Params: "packetization-mode=0;profile-level-id=42e01f", RTX: 99},
			{PT: 100, Name: "H264", Clock: 90000, Params: "packetization-mode=1;profile-level-id=42001f", RTX: 101},
			{PT: 102, Name: "H264", Clock: 90000, Params: "profile-level-id=42e01f;packetization-mode=1", RTX: 103},
		},
		Extensions: []answer.Extension{
			{ID: 4, URI: answer.ExtMID}, {ID: 5, URI: answer.ExtTransportCC}, {ID: 6, URI: answer.ExtAbsSendTime}, {ID: 9, URI: answer.ExtDependency},
		},
	}
}

// decrypt reads what came to the sink, decrypted; RTCP is skipped.
func decrypt(t *testing.T, sink *net.UDPConn, keys srtpkeys.Keys, n int) []*rtp.Packet {
	t.Helper()
	ctx, err := keys.Outbound() // with the keys that were encrypted with
	if err != nil {
		t.Fatal(err)
	}
	var all []*rtp.Packet
	buf := make([]byte, 2000)
	_ = sink.SetReadDeadline(time.Now().Add(5 * time.Second))
	for len(all) < n {
		size, err := sink.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if pt := buf[1]; pt >= 192 && pt < 224 { // RTCP, RFC 5761 §4
			continue
		}
		plain, err := ctx.DecryptRTP(nil, buf[:size], nil)
		if err != nil {
			t.Fatal(err)
		}
		p := &rtp.Packet{}
		if err := p.Unmarshal(plain); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func TestSentPacketsAreWhatWasAskedFor(t *testing.T) {
	s, out, sink, c := ends(t, slotMedia())
	long := bytes.Repeat([]byte{0xdd}, 40)
	for i, descriptor := range [][]byte{nil, {1, 2, 3}, long} {
		o := &forward.Out{Marker: i == 1, PayloadType: 96, Seq: uint16(i), Timestamp: 77, Payload: []byte("payload"), Descriptor: descriptor}
		if err := sendOne(s, o, out); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SendRTX(&forward.Out{PayloadType: 97, Seq: 500, Timestamp: 77, Payload: []byte("again")}, out); err != nil {
		t.Fatal(err)
	}
	out.Flush()
	got := decrypt(t, sink, c.keys, 4)
	for i, descriptor := range [][]byte{nil, {1, 2, 3}, long} {
		p := got[i]
		if p.SSRC != 11 || p.SequenceNumber != uint16(i) || p.Marker != (i == 1) || p.PayloadType != 96 || p.Timestamp != 77 || string(p.Payload) != "payload" {
			t.Errorf("packet %d: %v", i, p)
		}
		if string(p.GetExtension(4)) != "3" || !bytes.Equal(p.GetExtension(9), descriptor) {
			t.Errorf("packet %d has the extensions %q and % x", i, p.GetExtension(4), p.GetExtension(9))
		}
	}
	if p := got[3]; p.SSRC != 12 || p.SequenceNumber != 500 || string(p.Payload) != "again" {
		t.Errorf("retransmission %v", p)
	}
}

func TestNothingIsSentWithoutConsent(t *testing.T) {
	s, out, _, c := ends(t, slotMedia())
	c.cut = true
	if n := s.Send([]forward.Out{{Payload: []byte{1}}}, out); n != 0 {
		t.Error("sent without consent")
	}
}

func TestPayloadTypesFitTheSource(t *testing.T) {
	s, _, _, _ := ends(t, slotMedia())
	for _, c := range []struct {
		codec      link.Codec
		media, rtx uint8
		ok         bool
	}{
		{link.Codec{Mime: "video/vp8"}, 96, 97, true},
		{link.Codec{Mime: "video/H264", Fmtp: "packetization-mode=1; profile-level-id=42E01F"}, 102, 103, true},
		{link.Codec{Mime: "video/H264", Fmtp: "packetization-mode=1;profile-level-id=640032"}, 100, 101, true},
		{link.Codec{Mime: "video/H264"}, 98, 99, true},
		{link.Codec{Mime: "video/AV1"}, 0, 0, false},
	} {
		media, rtx, ok := s.PayloadTypes(c.codec)
		if media != c.media || rtx != c.rtx || ok != c.ok {
			t.Errorf("%v: %d %d %v", c.codec, media, rtx, ok)
		}
	}
}

// frame is a run of full packets.
func frame(n int) []forward.Out {
	run := make([]forward.Out, n)
	for i := range run {
		run[i] = forward.Out{PayloadType: 96, Payload: make([]byte, 1150)}
	}
	return run
}

// number gives the packets the numbers that follow.
func number(run []forward.Out, seq *uint16) {
	for i := range run {
		*seq++
		run[i].Seq = *seq
	}
}

func TestSendingAllocatesNothing(t *testing.T) {
	s, out, _, _ := ends(t, slotMedia())
	run, seq := frame(6), uint16(0)
	send := func() {
		number(run, &seq)
		out.Now = out.Now.Add(33 * time.Millisecond) // a sender report now and then
		if n := s.Send(run, out); n != len(run) {
			t.Fatalf("%d of %d were sent", n, len(run))
		}
		out.Flush()
	}
	for range 200 {
		send()
	}
	if n := testing.AllocsPerRun(500, send); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A frame must not be cut in two by a report, for the kernel takes it as one.
func TestReportsFollowTheRun(t *testing.T) {
	s, out, sink, c := ends(t, slotMedia())
	run, seq := frame(6), uint16(0)
	for range 100 {
		number(run, &seq)
		out.Now = out.Now.Add(33 * time.Millisecond)
		_ = s.Send(run, out)
		out.Flush()
	}
	in, err := c.keys.OfClient().Inbound()
	if err != nil {
		t.Fatal(err)
	}
	buf, packets, reports := make([]byte, 2000), 0, 0
	_ = sink.SetReadDeadline(time.Now().Add(5 * time.Second))
	for packets < 600 || reports < 3 {
		n, err := sink.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if pt := buf[1]; pt < 192 || pt >= 224 {
			packets++
			continue
		}
		if _, err := in.DecryptRTCP(nil, buf[:n], nil); err != nil {
			t.Fatal(err)
		}
		if reports++; packets%len(run) != 0 {
			t.Fatalf("a report came after %d packets", packets)
		}
	}
}

// BenchmarkSend is a frame of six packets; ns/op is for one packet.
func BenchmarkSend(b *testing.B) {
	s, out, _, _ := ends(b, slotMedia())
	run, seq := frame(6), uint16(0)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%len(run) == 0 {
			number(run, &seq)
			_ = s.Send(run, out)
		}
		if i%60 == 0 {
			out.Flush()
		}
	}
}

// random makes an RTP packet with whatever a header may have.
func random(rng *rand.Rand) *rtp.Packet {
	p := &rtp.Packet{
		Header:  rtp.Header{Version: 2, Marker: rng.IntN(2) == 0, PayloadType: 96, SequenceNumber: uint16(rng.Uint32()), Timestamp: rng.Uint32(), SSRC: 5},
		Payload: make([]byte, 1+rng.IntN(50)),
	}
	for i := range p.Payload {
		p.Payload[i] = byte(rng.Uint32())
	}
	for range rng.IntN(3) {
		p.CSRC = append(p.CSRC, rng.Uint32())
	}
	for id := range uint8(rng.IntN(4)) {
		_ = p.SetExtension(id+1, make([]byte, 1+rng.IntN(16)))
	}
	if rng.IntN(3) == 0 {
		p.Padding, p.PaddingSize = true, uint8(1+rng.IntN(30))
	}
	return p
}

func TestRetransmissionBecomesTheOriginal(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		want := random(rng)
		wantRaw, err := want.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		rtx := *want
		rtx.SSRC, rtx.PayloadType, rtx.SequenceNumber = 6, 97, uint16(rng.Uint32())
		rtx.Payload = append([]byte{byte(want.SequenceNumber >> 8), byte(want.SequenceNumber)}, want.Payload...)
		raw, err := rtx.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		var p packet.Packet
		if err := p.Parse(raw); err != nil {
			t.Fatal(err)
		}
		got, ok := original(raw, &p, 5, 96)
		if !ok || !bytes.Equal(got, wantRaw) {
			t.Fatalf("% x\nbecame % x\nnot    % x", raw, got, wantRaw)
		}
	}
}

func FuzzOriginal(f *testing.F) {
	f.Add([]byte{0x80, 97, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 9, 1, 2})
	f.Add([]byte{0xb0, 97, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0xbe, 0xde, 0, 1, 0x10, 1, 0, 0, 0, 9, 1, 2, 0, 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		var p, q packet.Packet
		if p.Parse(b) != nil {
			return
		}
		payload := append([]byte(nil), p.Payload...)
		got, ok := original(append([]byte(nil), b...), &p, 5, 96)
		if ok != (len(payload) >= 2) {
			t.Fatalf("% x: %v", b, ok)
		}
		if ok && (q.Parse(got) != nil || q.SSRC != 5 || q.PayloadType != 96 || !bytes.Equal(q.Payload, payload[2:])) {
			t.Fatalf("% x became % x", b, got)
		}
	})
}

// publication describes an m-line that the client sends on.
func publication(mid string, video bool, rids []string, sources ...answer.Source) answer.Media {
	m := answer.Media{MID: mid, Kind: answer.Audio, Role: answer.Publication, RIDs: rids, Sources: sources,
		Codecs: []answer.Codec{{PT: 111, Name: "opus", Clock: 48000}}}
	if video {
		m.Kind, m.Codecs = answer.Video, []answer.Codec{{PT: 96, Name: "VP8", Clock: 90000, RTX: 97}}
	}
	m.Extensions = []answer.Extension{{ID: 1, URI: answer.ExtMID}, {ID: 2, URI: answer.ExtRID}, {ID: 3, URI: answer.ExtRepairedRID}}
	return m
}

// incoming makes a packet with the header extensions MID, RID and repaired RID.
func incoming(t *testing.T, ssrc uint32, pt uint8, mid, rid, repaired string) *packet.Packet {
	t.Helper()
	r := &rtp.Packet{Header: rtp.Header{Version: 2, SSRC: ssrc, PayloadType: pt}, Payload: []byte{0, 1, 2}}
	for id, v := range []string{mid, rid, repaired} {
		if v != "" {
			if err := r.SetExtension(uint8(id+1), []byte(v)); err != nil {
				t.Fatal(err)
			}
		}
	}
	b, err := r.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	p := &packet.Packet{}
	if err := p.Parse(b); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPacketsFindTheirStream(t *testing.T) {
	var s streams
	s.describe(&answer.Description{Media: []answer.Media{
		publication("0", false, nil, answer.Source{SSRC: 100}),
		publication("1", true, nil, answer.Source{SSRC: 200, RTX: 201}),
		publication("2", true, []string{"q", "h"}, answer.Source{SSRC: 300, RTX: 301}),
		{MID: "3", Role: answer.Slot},
	}})
	for i, c := range []struct {
		p        *packet.Packet
		mid, rid string
		rtx, new bool
	}{
		{incoming(t, 100, 111, "", "", ""), "0", "", false, true},
		{incoming(t, 200, 96, "1", "", ""), "1", "", false, true},
		{incoming(t, 201, 97, "", "", ""), "1", "", true, false},
		{incoming(t, 400, 96, "2", "q", ""), "2", "q", false, true},
		{incoming(t, 400, 96, "", "", ""), "2", "q", false, false}, // a known SSRC needs no extension
		{incoming(t, 401, 97, "2", "", "q"), "2", "q", true, false},
		{incoming(t, 300, 96, "2", "h", ""), "2", "h", false, true}, // simulcast goes by rid, whatever a=ssrc says
		{incoming(t, 500, 97, "2", "", "x"), "", "", true, false},   // a layer that nobody has seen
		{incoming(t, 501, 96, "9", "", ""), "", "", false, false},   // two m-lines have this payload type
		{incoming(t, 502, 111, "", "", ""), "0", "", false, true},   // one has this: it has begun anew
		{incoming(t, 100, 111, "", "", ""), "", "", false, false},   // and the SSRC before is dropped
		{incoming(t, 503, 97, "1", "", ""), "1", "", true, false},
	} {
		got, isNew := s.of(c.p)
		if got.track == nil {
			if c.mid != "" {
				t.Errorf("packet %d: unknown", i)
			}
			continue
		}
		if got.track.stream.MID != c.mid || got.track.stream.RID != c.rid || got.rtx != c.rtx || isNew != c.new {
			t.Errorf("packet %d: %+v rtx %v new %v", i, got.track.stream, got.rtx, isNew)
		}
	}
	if len(s.replaced) != 1 || s.replaced[0].ssrc != 100 {
		t.Errorf("replaced %v", s.replaced)
	}
	gone := s.describe(&answer.Description{Media: []answer.Media{publication("0", false, nil, answer.Source{SSRC: 100})}})
	if len(gone) != 3 || len(s.tracks) != 1 {
		t.Errorf("%d tracks are gone, %d stay", len(gone), len(s.tracks))
	}
}

func TestStreamsOfOnePeerAreLimited(t *testing.T) {
	var s streams
	rids := make([]string, 300)
	for i := range rids {
		rids[i] = fmt.Sprint("r", i)
	}
	s.describe(&answer.Description{Media: []answer.Media{publication("0", true, rids)}})
	for i, rid := range rids {
		s.of(incoming(t, uint32(i+1), 96, "0", rid, ""))
	}
	if len(s.known) > maxStreams || len(s.tracks) > maxStreams {
		t.Errorf("%d streams are known", len(s.known))
	}
}
