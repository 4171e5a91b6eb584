package negotiate

import (
	"fmt"
	"strings"
	"testing"
)

var limits = Limits{Bytes: 1 << 20, Slots: 100, Publications: 16} //nolint:gochecknoglobals // a constant

// line is an m-line to be written.
type line struct{ mid, kind, direction string }

// offer writes an offer as a browser would.
func offer(lines ...line) string {
	var mids, b strings.Builder
	for _, l := range lines {
		mids.WriteString(" " + l.mid)
	}
	b.WriteString("v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE" + mids.String() + "\r\n")
	for _, l := range lines {
		port := 9
		if l.direction == "rejected" {
			port = 0
		}
		switch l.kind {
		case "application":
			fmt.Fprintf(&b, "m=application %d UDP/DTLS/SCTP webrtc-datachannel\r\n", port)
		case "audio":
			fmt.Fprintf(&b, "m=audio %d UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\n", port)
		default:
			fmt.Fprintf(&b, "m=%s %d UDP/TLS/RTP/SAVPF 96 97\r\na=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n", l.kind, port)
			b.WriteString("a=extmap:4/sendonly urn:ietf:params:rtp-hdrext:sdes:mid\r\n")
		}
		b.WriteString("c=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=setup:actpass\r\na=mid:" + l.mid + "\r\n")
		b.WriteString("a=fingerprint:sha-256 " + strings.Repeat("AA:", 31) + "AA\r\na=candidate:1 1 udp 1 10.0.0.1 5 typ host\r\n")
		if l.direction != "" && l.direction != "rejected" {
			b.WriteString("a=" + l.direction + "\r\n")
		}
	}
	return b.String()
}

func TestEverySectionHasItsRole(t *testing.T) {
	p, r := Check(offer(
		line{"0", "application", ""}, line{"1", "audio", "sendonly"}, line{"2", "video", "sendrecv"}, line{"3", "video", "recvonly"},
		line{"4", "audio", "inactive"}, line{"5", "video", "sendonly"}, line{"6", "video", "rejected"},
	), []Announcement{{"1", "mic"}, {"2", "cam"}}, State{}, limits)
	if r != nil {
		t.Fatal(r)
	}
	want := []Section{
		{"0", Application, Data, false, ""}, {"1", Audio, Publication, true, "mic"}, {"2", Video, Publication, true, "cam"},
		{"3", Video, Slot, true, ""}, {"4", Audio, Idle, false, ""}, {"5", Video, Idle, false, ""}, {"6", Video, Rejected, false, ""},
	}
	if fmt.Sprint(p.Sections) != fmt.Sprint(want) {
		t.Errorf("sections %v\n    not %v", p.Sections, want)
	}
	if len(p.Candidates) != 7 || strings.Contains(p.SDP, "a=candidate") || p.Candidates[0] != "candidate:1 1 udp 1 10.0.0.1 5 typ host" {
		t.Errorf("candidates %v", p.Candidates)
	}
}

func TestLaterOffersAreSeenAgainstEarlierOnes(t *testing.T) {
	first := []line{{"0", "video", "recvonly"}, {"1", "video", "sendonly"}, {"2", "audio", "rejected"}}
	p, r := Check(offer(first...), []Announcement{{"1", "cam"}}, State{}, limits)
	if r != nil {
		t.Fatal(r)
	}
	state := State{Sections: p.Sections, Publications: map[string]string{"1": "cam"}}
	p, r = Check(offer(first[0], first[1], line{"3", "video", "recvonly"}, line{"4", "video", "sendonly"}),
		[]Announcement{{"1", "cam"}, {"4", "screen"}}, state, limits)
	if r != nil {
		t.Fatal(r)
	}
	for i, isNew := range []bool{false, false, true, true} {
		if p.Sections[i].New != isNew {
			t.Errorf("section %d: new is %v", i, p.Sections[i].New)
		}
	}
	p, r = Check(offer(line{"0", "video", "rejected"}, line{"1", "video", "inactive"}, first[2]), []Announcement{{"1", "cam"}}, state, limits)
	if r != nil || p.Sections[0].Role != Rejected || p.Sections[1].Role != Idle {
		t.Errorf("%v, %+v", r, p.Sections)
	}
}

func TestWhatIsWrongIsRefusedWithASentence(t *testing.T) {
	slot, cam := line{"0", "video", "recvonly"}, line{"1", "video", "sendonly"}
	good := offer(slot, cam)
	state := State{
		Sections:     []Section{{"0", Video, Slot, true, ""}, {"1", Video, Publication, true, "cam"}},
		Publications: map[string]string{"1": "cam"},
	}
	many := make([]line, 240)
	for i := range many {
		many[i] = line{fmt.Sprint(i), "video", "recvonly"}
	}
	for _, c := range []struct {
		name  string
		sdp   string
		named []Announcement
		state State
		limit bool
		says  string
	}{
		{"nothing", "", nil, State{}, false, "m-line"},
		{"garbage", "hello", nil, State{}, false, "no SDP"},
		{"no m-line", offer(), nil, State{}, false, "createOffer"},
		{"too long", good + strings.Repeat("a=x\r\n", 1<<18), nil, State{}, true, "bytes"},
		{"too many m-lines", offer(many...), nil, State{}, true, "240 m-lines"},
		{"1000 m-lines", good + strings.Repeat("m=video 0 UDP/TLS/RTP/SAVPF 0\r\n", 1000), nil, State{}, true, "1002 m-lines"},
		{"too many formats", strings.Replace(good, "SAVPF 96", "SAVPF"+strings.Repeat(" 96", 100), 1), nil, State{}, true, "formats"},
		{"extmap of nothing", strings.ReplaceAll(good, "a=extmap:4/sendonly urn:ietf:params:rtp-hdrext:sdes:mid", "a=extmap:4"), nil, State{}, false, "extmap"},
		{"extmap 0", strings.ReplaceAll(good, "a=extmap:4/sendonly", "a=extmap:0"), nil, State{}, false, "extmap"},
		{"extmap 256", strings.ReplaceAll(good, "a=extmap:4/sendonly", "a=extmap:256"), nil, State{}, false, "extmap"},
		{"too many slots", offer(many[:101]...), nil, State{}, true, "101 slots"},
		{"kind text", offer(line{"0", "text", "recvonly"}), nil, State{}, false, `kind "text"`},
		{"no mid", strings.Replace(good, "a=mid:1", "a=x:1", 1), nil, State{}, false, "mid"},
		{"same mid", offer(slot, slot), nil, State{}, false, `two m-lines have the mid "0"`},
		{"no bundle", strings.Replace(good, "a=group:BUNDLE 0 1", "a=x:1", 1), nil, State{}, false, "max-bundle"},
		{"half bundle", strings.Replace(good, "a=group:BUNDLE 0 1", "a=group:BUNDLE 0", 1), nil, State{}, false, "max-bundle"},
		{"bundle of nobody", strings.Replace(good, "a=group:BUNDLE 0 1", "a=group:BUNDLE 7 0 1", 1), nil, State{}, false, `mid "7"`},
		{"no ufrag", strings.ReplaceAll(good, "a=ice-ufrag:abcd", "a=x:1"), nil, State{}, false, "ice-ufrag"},
		{"short pwd", strings.ReplaceAll(good, "a=ice-pwd:abcdefghijklmnopqrstuvwx", "a=ice-pwd:x"), nil, State{}, false, "ice-pwd"},
		{"no fingerprint", strings.ReplaceAll(good, "a=fingerprint", "a=x"), nil, State{}, false, "fingerprint"},
		{"no DTLS role", strings.ReplaceAll(good, "a=setup:actpass", "a=setup:holdconn"), nil, State{}, false, "actpass"},
		{"bad payload type", strings.ReplaceAll(good, "SAVPF 96", "SAVPF 300"), nil, State{}, false, `"300"`},
		{"no rtpmap", strings.ReplaceAll(good, "a=rtpmap:96", "a=x:96"), nil, State{}, false, "payload type 96"},
		{"bad extmap", strings.ReplaceAll(good, "a=extmap:4/sendonly", "a=extmap:x"), nil, State{}, false, "extmap"},
		{"announced twice", good, []Announcement{{"1", "cam"}, {"1", "cam2"}}, State{}, false, "twice"},
		{"one id, two mids", good, []Announcement{{"1", "cam"}, {"0", "cam"}}, State{}, false, "twice"},
		{"unknown mid", good, []Announcement{{"9", "cam"}}, State{}, false, `mid "9"`},
		{"announced slot", good, []Announcement{{"0", "cam"}}, State{}, false, "recvonly"},
		{"announced inactive", offer(line{"0", "video", "inactive"}), []Announcement{{"0", "cam"}}, State{}, false, "inactive"},
		{"announced rejected", offer(slot, line{"1", "video", "rejected"}), []Announcement{{"1", "cam"}}, State{}, false, "rejects"},
		{"announced data", offer(line{"0", "application", ""}), []Announcement{{"0", "cam"}}, State{}, false, "data channels"},
		{"bad id", good, []Announcement{{"1", "käse"}}, State{}, false, "A-Z"},
		{"empty id", good, []Announcement{{"1", ""}}, State{}, false, "A-Z"},
		{"two data m-lines", offer(line{"0", "application", ""}, line{"1", "application", ""}), nil, State{}, false, "one is enough"},
		{"mid is taken", good, []Announcement{{"1", "other"}}, state, false, "unpublish it first"},
		{"id is taken", offer(slot, cam, line{"2", "video", "sendonly"}), []Announcement{{"2", "cam"}}, state, false, "already"},
		{"slot became inactive", offer(line{"0", "video", "inactive"}, cam), nil, state, false, "must stay recvonly"},
		{"slot sends", offer(line{"0", "video", "sendrecv"}, cam), nil, state, false, "must stay recvonly"},
		{"publication became slot", offer(slot, line{"1", "video", "recvonly"}), nil, state, false, "add a transceiver"},
		{"m-line is gone", offer(slot), nil, state, false, "never removed"},
		{"m-line moved", offer(cam, slot), nil, state, false, "keep their place"},
		{"kind changed", offer(line{"0", "audio", "recvonly"}, cam), nil, state, false, "was video"},
	} {
		_, r := Check(c.sdp, c.named, c.state, limits)
		switch {
		case r == nil:
			t.Errorf("%s: accepted", c.name)
		case r.Limit != c.limit || !strings.Contains(r.Message, c.says):
			t.Errorf("%s: limit %v, %q", c.name, r.Limit, r.Message)
		}
	}
}

func TestTooManyPublicationsAreRefused(t *testing.T) {
	lines, named := []line{}, []Announcement{}
	for i := range 17 {
		lines = append(lines, line{fmt.Sprint(i), "audio", "sendonly"})
		named = append(named, Announcement{fmt.Sprint(i), fmt.Sprint("p", i)})
	}
	if _, r := Check(offer(lines...), named[:16], State{}, limits); r != nil {
		t.Error(r)
	}
	if _, r := Check(offer(lines...), named, State{}, limits); r == nil || !r.Limit {
		t.Errorf("17 publications: %v", r)
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(offer(line{"0", "application", ""}, line{"1", "audio", "sendonly"}, line{"2", "video", "recvonly"}), "1", "mic")
	f.Add(offer(line{"0", "video", "rejected"}), "0", "cam")
	f.Add("v=0\r\no=- 0 0 IN IP4 0\r\ns=-\r\nt=0 0\r\nm=video 9 X 0\r\n", "", "")
	f.Fuzz(func(t *testing.T, sdp, mid, id string) {
		p, r := Check(sdp, []Announcement{{mid, id}}, State{}, limits)
		if r != nil {
			if r.Message == "" {
				t.Error("refused without a word")
			}
			return
		}
		// The same offer again changes nothing.
		again, r := Check(sdp, []Announcement{{mid, id}}, State{p.Sections, map[string]string{mid: id}}, limits)
		if r != nil {
			t.Fatalf("accepted once, then refused: %s", r.Message)
		}
		for i, s := range again.Sections {
			if s.New || s.MID != p.Sections[i].MID || s.Role != p.Sections[i].Role {
				t.Errorf("section %+v became %+v", p.Sections[i], s)
			}
		}
	})
}
