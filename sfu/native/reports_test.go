package native

import (
	"bytes"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/rtcp"

	"github.com/turnout-rtc/turnout/sfu/delivery"
	"github.com/turnout-rtc/turnout/sfu/forward"
	"github.com/turnout-rtc/turnout/sfu/link"
	"github.com/turnout-rtc/turnout/sfu/lite/answer"
	"github.com/turnout-rtc/turnout/sfu/receive"
	"github.com/turnout-rtc/turnout/sfu/report"
	ours "github.com/turnout-rtc/turnout/sfu/rtcp"
	"github.com/turnout-rtc/turnout/sfu/srtpkeys"
)

func noHandlers() link.Handlers { return link.Handlers{} }

// control reads the next RTCP packet that came to the sink.
func control(t *testing.T, sink *net.UDPConn, c *cable) []rtcp.Packet {
	t.Helper()
	ctx, err := c.keys.Outbound() // with the keys that were encrypted with
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 2000)
	_ = sink.SetReadDeadline(time.Now().Add(5 * time.Second))
	for {
		n, err := sink.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if pt := buf[1]; pt < 192 || pt >= 224 { // RTP, RFC 5761 §4
			continue
		}
		plain, err := ctx.DecryptRTCP(nil, buf[:n], nil)
		if err != nil {
			t.Fatal(err)
		}
		all, err := rtcp.Unmarshal(plain)
		if err != nil {
			t.Fatalf("% x: %v", plain, err)
		}
		return all
	}
}

// publishing is a peer that sends n streams, with the socket at its end.
func publishing(t *testing.T, n int, feedback ...string) (*Peer, *porter, *net.UDPConn, *cable) {
	t.Helper()
	s, out, sink, c := ends(t, slotMedia())
	p := s.peer
	p.host = &Host{porters: make(chan *porter, 1)}
	w := &porter{Outlet: *out}
	p.host.porters <- w
	p.due.bandwidth.Ceiling = 5_000_000
	m := publication("0", true, nil)
	m.Codecs[0].Feedback = feedback
	d := &answer.Description{Media: []answer.Media{m}}
	for i := range n {
		rid := string(rune('a' + i))
		d.Media[0].RIDs = append(d.Media[0].RIDs, rid)
	}
	p.streams.describe(d)
	for i, rid := range d.Media[0].RIDs {
		p.streams.of(incoming(t, uint32(1000+i), 96, "0", rid, ""))
	}
	return p, w, sink, c
}

func TestPublisherIsToldHowItsStreamsArrive(t *testing.T) {
	const streams = 40 // more than a report holds
	p, w, sink, c := publishing(t, streams, "goog-remb")
	now := w.Now
	arrive := func(ssrcs ...uint32) {
		for _, tr := range p.streams.tracks {
			if len(ssrcs) == 0 || slices.Contains(ssrcs, tr.ssrc) {
				tr.received.Rate = 90000
				n := uint64(1<<16) + uint64(now.Sub(w.Now)/time.Millisecond)
				tr.received.Packet(now, n, 0, false)
			}
		}
	}
	arrive()
	p.feedback(now, w)
	w.Flush()
	told := map[uint32]bool{}
	var kinds []string
	for range 2 {
		for _, k := range control(t, sink, c) {
			switch k := k.(type) {
			case *rtcp.ReceiverReport:
				for _, r := range k.Reports {
					told[r.SSRC] = true
				}
			case *rtcp.ExtendedReport:
				if at := k.Reports[0].(*rtcp.ReceiverReferenceTimeReportBlock).NTPTimestamp; at != uint64(report.ToNTP(now)) {
					t.Errorf("the time is %x", at)
				}
				kinds = append(kinds, "time")
			case *rtcp.ReceiverEstimatedMaximumBitrate:
				if k.Bitrate > 5_000_000 || k.Bitrate < 4_900_000 || len(k.SSRCs) != streams {
					t.Errorf("%+v", k)
				}
				kinds = append(kinds, "bandwidth")
			}
		}
	}
	if len(told) != streams || !slices.Equal(kinds, []string{"time", "bandwidth"}) {
		t.Errorf("told of %d streams, and %v", len(told), kinds)
	}
	now = now.Add(reportsEvery)
	arrive(1003) // the others are silent
	p.feedback(now, w)
	p.feedback(now.Add(time.Millisecond), w)
	w.Flush()
	if r := control(t, sink, c)[0].(*rtcp.ReceiverReport); len(r.Reports) != 1 || r.Reports[0].SSRC != 1003 {
		t.Errorf("%+v", r)
	}
	now = now.Add(reportsEvery)
	p.feedback(now, w) // nobody has sent anything
	p.due.arrivals.Packet(now, 1<<16)
	p.feedback(now, w)
	w.Flush()
	if _, ok := control(t, sink, c)[0].(*rtcp.TransportLayerCC); !ok {
		t.Error("a report about nothing")
	}
}

func TestBandwidthIsToldOnlyWhereArrivalsAreNot(t *testing.T) {
	for _, c := range []struct {
		feedback  []string
		extension bool
		want      bool
	}{
		{[]string{"goog-remb"}, false, true},
		{[]string{"goog-remb"}, true, true},
		{[]string{"goog-remb", "transport-cc"}, false, true},
		{[]string{"goog-remb", "transport-cc"}, true, false},
		{[]string{"transport-cc"}, true, false},
		{nil, false, false},
	} {
		m := publication("0", true, nil)
		m.Codecs[0].Feedback = c.feedback
		if c.extension {
			m.Extensions = append(m.Extensions, answer.Extension{ID: 5, URI: answer.ExtTransportCC})
		}
		var s streams
		s.describe(&answer.Description{Media: []answer.Media{m}})
		if s.estimates != c.want {
			t.Errorf("%+v: %v", c, s.estimates)
		}
	}
}

func TestKeyFramesAreAskedForAsWasAgreed(t *testing.T) {
	for _, c := range []struct {
		feedback []string
		fir      bool
	}{{[]string{"nack pli", "ccm fir"}, false}, {[]string{"ccm fir"}, true}, {nil, false}} {
		p, _, sink, wire := publishing(t, 1, c.feedback...)
		for i := range 2 {
			if err := p.streams.tracks[0].RequestKeyFrame(); err != nil {
				t.Fatal(err)
			}
			switch k := control(t, sink, wire)[0].(type) {
			case *rtcp.FullIntraRequest:
				if !c.fir || k.FIR[0] != (rtcp.FIREntry{SSRC: 1000, SequenceNumber: uint8(i + 1)}) {
					t.Errorf("%v: %+v", c.feedback, k)
				}
			case *rtcp.PictureLossIndication:
				if c.fir || k.MediaSSRC != 1000 {
					t.Errorf("%v: %+v", c.feedback, k)
				}
			default:
				t.Errorf("%v: %+v", c.feedback, k)
			}
		}
	}
}

func TestPacketsAreAskedForAgainWhereThatWasAgreed(t *testing.T) {
	p, w, _, _ := publishing(t, 1, "nack pli")
	if _, err := p.streams.tracks[0].RequestAgain([]receive.Pair{{ID: 1}}, &w.Outlet); err == nil {
		t.Error("asked a publisher that has not agreed to it")
	}
	p, w, sink, c := publishing(t, 1, "nack")
	p.heard.roundTrip.Store(int64(30 * time.Millisecond))
	lost := make([]receive.Pair, 600) // more than fit into one datagram
	for i := range lost {
		lost[i].ID = uint16(20 * i)
	}
	if trip, err := p.streams.tracks[0].RequestAgain(lost, &w.Outlet); err != nil || trip != 30*time.Millisecond {
		t.Fatal(trip, err)
	}
	w.Flush()
	var asked []uint16
	for len(asked) < len(lost) {
		for _, pair := range control(t, sink, c)[0].(*rtcp.TransportLayerNack).Nacks {
			asked = append(asked, pair.PacketID)
		}
	}
	for i, id := range asked {
		if id != lost[i].ID {
			t.Fatalf("asked for %d, not %d", id, lost[i].ID)
		}
	}
}

// hears has p take a compound packet and returns what its owner is told.
func hears(t *testing.T, p *Peer, now time.Time, w *porter, b []byte) *delivery.Report {
	t.Helper()
	var told *delivery.Report
	p.on.Delivery = func(r delivery.Report) { r.Results = slices.Clone(r.Results); told = &r }
	p.heard.mu.Lock()
	defer p.heard.mu.Unlock()
	for len(b) > 0 {
		k, rest, err := ours.Next(b)
		if err != nil {
			t.Fatal(err)
		}
		p.hear(now, k, w)
		b = rest
	}
	p.tell(now, w)
	return told
}

// listener counts what it is told.
type listener struct{ nacked, lost int }

func (l *listener) Nacked(_ time.Time, seqs []uint16) { l.nacked += len(seqs) }
func (l *listener) PictureLost()                      { l.lost++ }

func TestOwnerIsToldHowPacketsArrive(t *testing.T) {
	s, out, _, _ := ends(t, slotMedia())
	w := &porter{Outlet: *out}
	p, ears := s.peer, &listener{}
	p.host = &Host{}
	s.Listen(ears)
	sent := w.Now
	for i := range 4 {
		o := &forward.Out{PayloadType: 96, Seq: uint16(i), Payload: make([]byte, 100)}
		send := sendOne
		if i == 3 {
			send = (*Sender).SendRTX
		}
		if err := send(s, o, &w.Outlet); err != nil {
			t.Fatal(err)
		}
	}
	now := sent.Add(80 * time.Millisecond)
	var arrivals receive.Arrivals
	for _, n := range []uint64{0, 1, 3} {
		arrivals.Packet(now, 1<<16+n)
	}
	block := ours.Block{SSRC: 11, Reception: report.Reception{
		Highest: 3, Jitter: 900, LSR: report.ToNTP(sent).Middle(), DLSR: report.Delay(30 * time.Millisecond),
	}}
	b := ours.AppendReceiverReport(nil, 5, []ours.Block{{SSRC: 99}, block})
	b = ours.AppendREMB(b, 5, 1<<20, nil)
	at := len(b)
	b = ours.FinishTransportFeedback(arrivals.Report(ours.BeginTransportFeedback(b, 5, 11)), at)
	told := hears(t, p, now, w, b)
	if told == nil || told.Quality.Estimate != 1<<20 || told.Quality.Jitter != 10*time.Millisecond || len(told.Results) != 4 {
		t.Fatalf("%+v", told)
	}
	if d := told.Quality.RoundTrip; d < 49*time.Millisecond || d > 51*time.Millisecond {
		t.Errorf("round trip %v", d)
	}
	for i, r := range told.Results {
		if r.Received != (i != 2) || r.Size != headerSize+100 || r.Sent.Sub(sent).Abs() > time.Millisecond {
			t.Errorf("packet %d: %+v", i, r)
		}
	}
	if told := hears(t, p, now, w, ours.AppendPLI(nil, 5, 11)); told != nil {
		t.Errorf("nothing was told, but %+v", told)
	}
	b = ours.AppendFIR(ours.AppendFIR(nil, 5, 11, 1), 5, 98, 1)
	hears(t, p, now, w, ours.AppendNACK(b, 5, 11, []receive.Pair{{ID: 1, Mask: 0x8001}}))
	if *ears != (listener{nacked: 3, lost: 2}) {
		t.Errorf("%+v", ears)
	}
	if p.heard.quality.Loss != 0 {
		t.Error("a loss out of nothing")
	}
}

// TestFeedbackAllocatesNothing is what a watching browser sends: reception reports and transport-wide feedback.
func TestFeedbackAllocatesNothing(t *testing.T) {
	s, out, _, c := ends(t, slotMedia())
	p, w := s.peer, &porter{Outlet: *out}
	p.host = &Host{}
	told := 0
	p.on.Delivery = func(r delivery.Report) { told += len(r.Results) }
	s.Listen(&listener{})
	peer, err := c.keys.OfClient().Outbound()
	if err != nil {
		t.Fatal(err)
	}
	run, seq := frame(6), uint16(0)
	var arrivals receive.Arrivals
	const rounds = 300
	var sealed [rounds + 1][]byte
	for i := range sealed {
		for k := range run {
			arrivals.Packet(w.Now.Add(time.Duration(i)*33*time.Millisecond), uint64(1<<16+i*len(run)+k))
		}
		b := ours.AppendReceiverReport(nil, 5, []ours.Block{{SSRC: 11, Reception: report.Reception{Highest: uint32(6 * i)}}})
		b = ours.AppendReferenceTime(b, 5, report.ToNTP(w.Now))
		at := len(b)
		b = ours.FinishTransportFeedback(arrivals.Report(ours.BeginTransportFeedback(b, 5, 11)), at)
		if sealed[i], err = peer.EncryptRTCP(nil, b, nil); err != nil {
			t.Fatal(err)
		}
	}
	i := 0
	if n := testing.AllocsPerRun(rounds, func() {
		number(run, &seq)
		w.Now = w.Now.Add(33 * time.Millisecond)
		_ = s.Send(run, &w.Outlet)
		w.Flush()
		p.rtcp(w.Now, sealed[i], w)
		i++
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if told != len(run)*len(sealed) {
		t.Errorf("the fate of %d packets was told", told)
	}
}

func TestReportsOfPeersWithoutGCMAreRead(t *testing.T) {
	s, out, _, c := ends(t, slotMedia())
	keys, err := srtpkeys.Export(exporter{}, dtls.SRTP_AES128_CM_HMAC_SHA1_80)
	if err != nil {
		t.Fatal(err)
	}
	c.keys = keys
	p, w := s.peer, &porter{Outlet: *out}
	p.host = &Host{}
	told := 0
	p.on.Delivery = func(delivery.Report) { told++ }
	peer, err := keys.OfClient().Outbound()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		sealed, err := peer.EncryptRTCP(nil, ours.AppendREMB(nil, 5, 1<<20, nil), nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second one is a replay
			p.rtcp(w.Now, bytes.Clone(sealed), w)
		}
		if told != i+1 || p.host.count.undecrypted.Load() != uint64(i+1) {
			t.Fatalf("%d were read, %d were not", told, p.host.count.undecrypted.Load())
		}
	}
}

func TestWayToAPublisherIsMeasured(t *testing.T) {
	p, w, _, _ := publishing(t, 1)
	sent := w.Now
	answer := func(ssrc uint32, at time.Time) []byte {
		return ours.AppendDelay(nil, 1000, ours.Delay{SSRC: ssrc, LRR: report.ToNTP(at).Middle(), DLRR: report.Delay(time.Second)})
	}
	hears(t, p, sent.Add(time.Second+40*time.Millisecond), w, answer(77, sent)) // somebody else's
	hears(t, p, sent.Add(time.Hour), w, answer(feedbackSSRC, sent))             // nobody waits so long
	if d := p.heard.roundTrip.Load(); d != 0 {
		t.Errorf("%v", time.Duration(d))
	}
	hears(t, p, sent.Add(time.Second+40*time.Millisecond), w, answer(feedbackSSRC, sent))
	if d := time.Duration(p.heard.roundTrip.Load()); d < 39*time.Millisecond || d > 41*time.Millisecond {
		t.Errorf("%v", d)
	}
}

func TestStreamsOfAnInactiveLineAreRemembered(t *testing.T) {
	var s streams
	active := &answer.Description{Media: []answer.Media{publication("0", true, []string{"q", "f"}), publication("1", true, nil, answer.Source{SSRC: 5})}}
	s.describe(active)
	s.of(incoming(t, 100, 96, "0", "q", ""))
	s.of(incoming(t, 101, 97, "0", "", "q"))
	s.of(incoming(t, 200, 96, "0", "f", ""))
	inactive := &answer.Description{Media: []answer.Media{{MID: "0", Kind: answer.Video, Role: answer.Inactive}, active.Media[1]}}
	if gone := s.describe(inactive); len(gone) != 2 {
		t.Fatalf("%d tracks are gone", len(gone))
	}
	if got, _ := s.of(incoming(t, 100, 96, "", "", "")); got.track != nil {
		t.Error("received while inactive")
	}
	s.describe(active)
	for i, c := range []struct {
		ssrc       uint32
		rid        string
		known, new bool
	}{{101, "q", false, false}, {100, "q", true, true}, {101, "q", true, false}, {100, "q", true, false}, {200, "f", true, true}, {300, "", false, false}} {
		got, isNew := s.of(incoming(t, c.ssrc, 96, "", "", ""))
		if (got.track != nil) != c.known || isNew != c.new || c.known && got.track.stream.RID != c.rid {
			t.Errorf("packet %d: %+v, new %v", i, got, isNew)
		}
	}
	s.describe(&answer.Description{Media: []answer.Media{{MID: "0", Kind: answer.Video, Role: answer.Refused}, active.Media[1]}})
	s.describe(active)
	if got, _ := s.of(incoming(t, 100, 96, "", "", "")); got.track != nil {
		t.Error("an m-line that was stopped belongs to somebody else")
	}
}

// A client that goes back to its first SSRC says so in an offer.
func TestReplacedStreamMayComeBackWithAnOffer(t *testing.T) {
	var s streams
	d := &answer.Description{Media: []answer.Media{publication("0", true, []string{"q"})}}
	s.describe(d)
	s.of(incoming(t, 100, 96, "0", "q", ""))
	s.of(incoming(t, 101, 96, "0", "q", ""))
	if got, _ := s.of(incoming(t, 100, 96, "0", "q", "")); got.track != nil {
		t.Error("a straggler has taken the stream back")
	}
	s.describe(d)
	if got, isNew := s.of(incoming(t, 100, 96, "0", "q", "")); got.track == nil || !isNew {
		t.Error("not known again")
	}
}

// sink keeps what sender reports say.
type sink struct{ told []times }

func (s *sink) Packets(time.Time, []link.Packet, *link.Outlet) {}
func (s *sink) SenderReport(ntp report.NTP, rtp uint32)        { s.told = append(s.told, times{ntp, rtp}) }
func (s *sink) Ended()                                         {}

func TestReportsOfAPublisherAreByOurClock(t *testing.T) {
	p, w, _, _ := publishing(t, 2)
	const ahead = time.Hour
	tell := func(ssrc uint32, sent time.Time, delay time.Duration, rtp uint32) {
		hears(t, p, sent.Add(delay), w, ours.AppendSenderReport(nil, ssrc, report.SenderReport{NTP: report.ToNTP(sent.Add(ahead)), RTP: rtp}))
	}
	var one, other sink
	tell(1000, w.Now, 100*time.Millisecond, 5) // before there is a sink
	p.streams.tracks[0].Start(&one)
	p.streams.tracks[1].Start(&other)
	tell(1001, w.Now.Add(time.Second), 90*time.Millisecond, 7)                             // quicker: the clock is known better, for both
	hears(t, p, w.Now, w, ours.AppendSenderReport(nil, 1001, report.SenderReport{RTP: 8})) // no clock
	near := func(got times, sent time.Time, delay time.Duration, rtp uint32) {
		t.Helper()
		if d := got.ntp.Sub(report.ToNTP(sent.Add(delay))); d.Abs() > time.Microsecond || got.rtp != rtp {
			t.Errorf("%v off, %d", d, got.rtp)
		}
	}
	if len(one.told) != 2 || len(other.told) != 1 {
		t.Fatalf("%v, %v", one.told, other.told)
	}
	near(one.told[0], w.Now, 100*time.Millisecond, 5)
	near(one.told[1], w.Now, 90*time.Millisecond, 5)
	near(other.told[0], w.Now.Add(time.Second), 90*time.Millisecond, 7)
}
