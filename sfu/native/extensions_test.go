package native

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pion/rtp"

	"github.com/turnout-rtc/turnout/sfu/codec"
	"github.com/turnout-rtc/turnout/sfu/forward"
	"github.com/turnout-rtc/turnout/sfu/lite/answer"
	"github.com/turnout-rtc/turnout/sfu/packet"
	"github.com/turnout-rtc/turnout/sfu/report"
)

// carried makes extensions as a packet brings them that has them all.
func carried(t testing.TB, level, orientation, delay, capture []byte) forward.Extensions {
	t.Helper()
	p := &rtp.Packet{Header: rtp.Header{Version: 2}, Payload: []byte{1}}
	for i, b := range [][]byte{level, orientation, delay, capture} {
		if len(b) > 0 {
			if err := p.SetExtension(uint8(i+1), b); err != nil {
				t.Fatal(err)
			}
		}
	}
	raw, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	in := forward.In{N: 1 << 16, Newer: true}
	if err := in.Parse(raw); err != nil {
		t.Fatal(err)
	}
	f := forward.Format{Source: 1, Codec: codec.Opus, ClockRate: 48000, Extensions: forward.ExtensionIDs{AudioLevel: 1, Orientation: 2, PlayoutDelay: 3, CaptureTime: 4}}
	reader := forward.NewReader(&f)
	reader.Read(&in)
	r := forward.NewRewriter(0, 0)
	r.Switch(f)
	_, out, _ := r.Forward(time.Time{}, 1, &in, nil)
	return out.Extensions
}

func TestExtensionsAreWrittenInAnyForm(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	uris := []string{
		answer.ExtMID, answer.ExtTransportCC, answer.ExtAbsSendTime, answer.ExtDependency,
		answer.ExtAudioLevel, answer.ExtVideoOrientation, answer.ExtPlayoutDelay, answer.ExtAbsCaptureTime,
	}
	for range 3000 {
		m := slotMedia()
		m.MID, m.Extensions = "0123456789abcdef0123456789abcdef"[:1+rng.IntN(32)], nil
		id := uint8(1 + rng.IntN(14))
		ids := map[string]uint8{}
		for _, uri := range uris {
			if rng.IntN(3) == 0 {
				continue
			}
			ids[uri] = id
			m.Extensions = append(m.Extensions, answer.Extension{ID: id, URI: uri})
			if id++; id == 15 {
				id++ // means something else in one-byte form
			}
		}
		s := newSender(newPeer(nil, noHandlers()), m)
		want := map[string][]byte{
			answer.ExtMID: []byte(m.MID), answer.ExtTransportCC: {0xab, 0xcd}, answer.ExtAbsSendTime: {0, 0, 0},
			answer.ExtDependency: make([]byte, rng.IntN(200)), answer.ExtAudioLevel: {5}, answer.ExtVideoOrientation: {3},
			answer.ExtPlayoutDelay: {1, 2, 3}, answer.ExtAbsCaptureTime: bytes.Repeat([]byte{9}, 8<<rng.IntN(2)),
		}
		o := &forward.Out{
			Descriptor: want[answer.ExtDependency], Payload: []byte("payload"),
			Extensions: carried(t, want[answer.ExtAudioLevel], want[answer.ExtVideoOrientation], want[answer.ExtPlayoutDelay], want[answer.ExtAbsCaptureTime]),
		}
		b := make([]byte, headerSize+roomForExtensions+len(o.Descriptor)+len(o.Payload))
		at := time.Unix(64*1000, 0)                                        // a whole number of the time's cycles
		at = at.Add(-time.Duration(report.ToNTP(at)>>32%64) * time.Second) // by its own epoch
		b = append(b[:s.header(b, 11, o, stamp{number: 0xabcd, at: at})], o.Payload...)
		var p packet.Packet
		if err := p.Parse(b); err != nil || string(p.Payload) != "payload" {
			t.Fatalf("% x: %v", b, err)
		}
		for _, uri := range uris {
			if got := p.Extension(ids[uri]); ids[uri] != 0 && !bytes.Equal(got, want[uri]) {
				t.Fatalf("%s is % x, not % x", uri, got, want[uri])
			}
		}
	}
}

func TestSendTimeIsInSixtyFourSeconds(t *testing.T) {
	at := time.Unix(1_700_000_000, 500_000_000)
	second := uint32(report.ToNTP(at) >> 32)
	if got := absoluteSendTime(at); got != second%64<<18|1<<17 {
		t.Errorf("%x", got)
	}
}

func TestWhatTheReceiverOnlySendsIsNotSentToIt(t *testing.T) {
	offer := "a=extmap:4/sendonly " + answer.ExtAbsSendTime + "\r\na=extmap:5 " + answer.ExtTransportCC + "\r\n"
	d := answered(t, "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=recvonly\r\na=mid:0\r\na=rtcp-mux\r\na=rtpmap:96 VP8/90000\r\n"+offer)
	if ids := newSentExtensions(d.Media[0].Extensions, "0"); ids.sendTime != 0 || ids.transport != 5 {
		t.Errorf("%+v", ids)
	}
}

// answered is what an offer with that m-line comes to.
func answered(t testing.TB, line string) *answer.Description {
	t.Helper()
	o, err := answer.Parse("v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\n"+
		"a=fingerprint:sha-256 "+string(bytes.Repeat([]byte("AA:"), 31))+"AA\r\na=setup:actpass\r\n"+line, answer.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	ssrc := uint32(100)
	d, err := answer.Compute(o, nil, policy(Config{}), answer.Limits{}, func() uint32 { ssrc++; return ssrc })
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestCaptureTimeRefersToOurClock(t *testing.T) {
	const ahead = 90 * time.Minute
	now := time.Unix(1_700_000_000, 0)
	for _, c := range []struct {
		name  string
		data  []byte
		known bool
		want  []byte
	}{
		{"with an offset", binary.BigEndian.AppendUint64([]byte("captured"), 7<<32), true, binary.BigEndian.AppendUint64([]byte("captured"), (7+5400)<<32)},
		{"without", []byte("captured"), true, []byte("captured")},
		{"of a clock that nobody knows", binary.BigEndian.AppendUint64([]byte("captured"), 7<<32), false, make([]byte, 16)},
	} {
		r := &rtp.Packet{Header: rtp.Header{Version: 2}, Payload: []byte{1}}
		if err := r.SetExtension(3, c.data); err != nil {
			t.Fatal(err)
		}
		b, err := r.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		var p packet.Packet
		if err := p.Parse(b); err != nil {
			t.Fatal(err)
		}
		var clock report.Offset
		if c.known {
			clock.Observe(now, report.ToNTP(now.Add(ahead)))
		}
		captureTime(&p, 3, &clock)
		if got := p.Extension(3); !bytes.Equal(got, c.want) {
			t.Errorf("%s: % x, not % x", c.name, got, c.want)
		}
	}
}

func BenchmarkExtensions(b *testing.B) {
	m := slotMedia()
	m.Extensions = nil
	for i, uri := range []string{answer.ExtMID, answer.ExtTransportCC, answer.ExtAbsSendTime, answer.ExtVideoOrientation, answer.ExtPlayoutDelay} {
		m.Extensions = append(m.Extensions, answer.Extension{ID: uint8(i + 1), URI: uri})
	}
	ids, buf := newSentExtensions(m.Extensions, m.MID), make([]byte, 200)
	o := &forward.Out{Extensions: carried(b, nil, []byte{1}, []byte{1, 2, 3}, nil)}
	st := stamp{at: time.Now()}
	b.ReportAllocs()
	for b.Loop() {
		ids.write(buf, o, st)
	}
}
