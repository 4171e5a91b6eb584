package answer

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/pion/sdp/v3"
)

var update = flag.Bool("update", false, "write the golden answers")

var local = Local{
	ICE: ICE{"ourufrag", "our-password-of-22-chars"}, Lite: true,
	Fingerprint: Fingerprint{"sha-256", strings.TrimSuffix(strings.Repeat("AB:", 32), ":")},
	Candidates: []Candidate{
		{Protocol: "udp", Addr: netip.MustParseAddrPort("192.0.2.1:7882")}, {Protocol: "udp", Addr: netip.MustParseAddrPort("[2001:db8::1]:7882")},
		{Protocol: "tcp", Addr: netip.MustParseAddrPort("192.0.2.1:7882")},
	},
	Session: 4242, Version: 1, CNAME: "turnout", MaxMessageSize: 262144,
}

// counted gives 1001, 1002, ...
func counted() func() uint32 {
	n := uint32(1000)
	return func() uint32 { n++; return n }
}

func stored(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".offer.sdp"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func compute(t testing.TB, text string, before *Description) *Description {
	t.Helper()
	o, err := Parse(text, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	d, err := Compute(o, before, Policy{}, Limits{}, counted())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func names(t testing.TB) (all []string) {
	files, _ := filepath.Glob("testdata/*.offer.sdp")
	for _, f := range files {
		all = append(all, strings.TrimSuffix(filepath.Base(f), ".offer.sdp"))
	}
	if len(all) < 10 {
		t.Fatalf("only %d stored offers", len(all))
	}
	return all
}

func TestGoldenAnswers(t *testing.T) {
	for _, name := range names(t) {
		t.Run(name, func(t *testing.T) {
			offer := stored(t, name)
			got := compute(t, offer, nil).SDP(local)
			file := filepath.Join("testdata", name+".answer.sdp")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("the answer differs from %s:\n%s", file, got)
			}
			wellFormed(t, offer, got)
		})
	}
}

// wellFormed checks what every answer must keep whatever the offer was (RFC 3264 §6, RFC 9143 §7.3).
func wellFormed(t *testing.T, offer, answer string) {
	t.Helper()
	var o, a sdp.SessionDescription
	if err := o.UnmarshalString(offer); err != nil {
		t.Fatal(err)
	}
	if err := a.UnmarshalString(answer); err != nil {
		t.Fatalf("the answer is not SDP: %v\n%s", err, answer)
	}
	if len(o.MediaDescriptions) != len(a.MediaDescriptions) {
		t.Fatalf("%d m-lines for %d", len(a.MediaDescriptions), len(o.MediaDescriptions))
	}
	group, _ := a.Attribute("group")
	meaning := map[string]string{} // of a header extension's number: one for all m-lines, RFC 9143 §12
	for i, am := range a.MediaDescriptions {
		om := o.MediaDescriptions[i]
		for _, attribute := range am.Attributes {
			if attribute.Key != sdp.AttrKeyExtMap {
				continue
			}
			number, uri, _ := strings.Cut(attribute.Value, " ")
			number, _, _ = strings.Cut(number, "/")
			if was := meaning[number]; was != "" && was != uri {
				t.Errorf("header extension %s is %s and %s", number, was, uri)
			}
			meaning[number] = uri
		}
		if am.MediaName.Media != om.MediaName.Media || !slices.Equal(am.MediaName.Protos, om.MediaName.Protos) {
			t.Errorf("m-line %d: %v for %v", i, am.MediaName, om.MediaName)
		}
		for _, f := range am.MediaName.Formats {
			if !slices.Contains(om.MediaName.Formats, f) && am.MediaName.Port.Value != 0 {
				t.Errorf("m-line %d: payload type %s was not offered", i, f)
			}
		}
		omid, _ := om.Attribute("mid")
		amid, _ := am.Attribute("mid")
		if omid != amid {
			t.Errorf("m-line %d: mid %q for %q", i, amid, omid)
		}
		if in := slices.Contains(strings.Fields(group), amid); in != (am.MediaName.Port.Value != 0) && group != "" {
			t.Errorf("m-line %d: port %d, in BUNDLE %v", i, am.MediaName.Port.Value, in)
		}
	}
}

func TestParticipantGetsItsSlots(t *testing.T) {
	for _, name := range []string{"chromium-join", "firefox-join"} {
		d := compute(t, stored(t, name), nil)
		var got []string
		for _, m := range d.Media {
			if m.Role == Slot {
				got = append(got, m.Out.Name+m.Out.Stream)
				if m.Out.SSRC == 0 || (m.Out.RTX != 0) != (m.Kind == Video) {
					t.Errorf("%s: %s has SSRC %d, RTX %d", name, m.MID, m.Out.SSRC, m.Out.RTX)
				}
			}
		}
		if want := "a0s0 a1s1 a2s2 v0s0 v1s1 v2s2 v3s3 v4s4 v5s5"; strings.Join(got, " ") != want {
			t.Errorf("%s: slots %v, want %s", name, got, want)
		}
		if d.Data == nil || d.Data.Port != 5000 {
			t.Errorf("%s: data %+v", name, d.Data)
		}
	}
}

func TestPublicationsAreDescribed(t *testing.T) {
	for _, name := range []string{"chromium-publish", "firefox-publish", "safari"} {
		var pubs []Media
		for _, m := range compute(t, stored(t, name), nil).Media {
			if m.Role == Publication {
				pubs = append(pubs, m)
			}
		}
		cam := pubs[1]
		if strings.Join(cam.RIDs, "") != "qhf" || cam.Sources != nil {
			t.Errorf("%s: simulcast has rids %v and sources %v: rids alone must tell its streams apart", name, cam.RIDs, cam.Sources)
		}
		if !slices.ContainsFunc(cam.Extensions, func(e Extension) bool { return e.URI == ExtRID }) {
			t.Errorf("%s: no rid extension", name)
		}
		if mic := pubs[0]; len(mic.Sources) != 1 || mic.Sources[0].SSRC == 0 || mic.Codecs[0].Name != "opus" {
			t.Errorf("%s: microphone %+v", name, mic)
		}
		if len(pubs) > 2 {
			if s := pubs[2].Sources; len(s) != 1 || s[0].RTX == 0 {
				t.Errorf("%s: screen has sources %v, want one with RTX", name, s)
			}
		}
	}
}

func TestExtensionDirectionIsInverted(t *testing.T) {
	text := compute(t, stored(t, "firefox-publish"), nil).SDP(local)
	if !strings.Contains(text, "a=extmap:9/recvonly "+ExtRID+"\r\n") || strings.Contains(text, "a=extmap:9/sendonly") {
		t.Error("rid was offered sendonly and must be answered recvonly")
	}
}

func TestSlotKeepsItsSSRC(t *testing.T) {
	first := compute(t, stored(t, "chromium-join"), nil)
	again := compute(t, stored(t, "chromium-join"), first)
	for i := range first.Media {
		if o := first.Media[i].Out; o != nil && *o != *again.Media[i].Out {
			t.Errorf("slot %d was %+v and is %+v", i, *o, *again.Media[i].Out)
		}
	}
	inactive := strings.Replace(stored(t, "chromium-join"), "a=recvonly", "a=inactive", 1)
	asleep := compute(t, inactive, first)
	if asleep.Media[0].Role != Inactive {
		t.Fatal(asleep.Media[0].Role)
	}
	if woken := compute(t, stored(t, "chromium-join"), asleep); *woken.Media[0].Out != *first.Media[0].Out {
		t.Error("a slot that was inactive came back as another")
	}
}

func TestNewSlotsGetNewSSRCs(t *testing.T) {
	first := compute(t, stored(t, "chromium-publish"), nil) // 1 audio and 1 video slot
	offer := stored(t, "chromium-publish")
	at := strings.Index(offer, "m=video")
	end := at + strings.Index(offer[at+1:], "m=audio") + 1
	more := strings.Replace(offer[at:end], "a=mid:1\r\n", "a=mid:9\r\n", 1)
	grown := compute(t, strings.Replace(offer, "BUNDLE 0 1 2 3 4 5", "BUNDLE 0 1 2 3 4 5 9", 1)+more, first)
	m, ok := grown.Find("9")
	if !ok || m.Out.Name != "v1" || m.Out.Stream != "s1" {
		t.Fatalf("new slot %+v", m)
	}
	seen := map[uint32]bool{}
	for _, m := range grown.Media {
		if m.Out != nil {
			for _, s := range []uint32{m.Out.SSRC, m.Out.RTX} {
				if s != 0 && seen[s] {
					t.Errorf("SSRC %d twice", s)
				}
				seen[s] = true
			}
		}
	}
}

func TestDescriptionIsSmall(t *testing.T) {
	text := stored(t, "chromium-join")
	var before, after runtime.MemStats
	keep := make([]*Description, 100)
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range keep {
		keep[i] = compute(t, strings.Clone(text), nil)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if n := int(after.HeapAlloc-before.HeapAlloc) / len(keep); n > 10_000 {
		t.Errorf("a description of %d m-lines keeps %d bytes, its offer has %d", len(keep[0].Media), n, len(text))
	}
	runtime.KeepAlive(keep)
}

func TestOnlyWhatIsAllowedIsAccepted(t *testing.T) {
	d := compute(t, stored(t, "chromium-plain"), nil)
	for _, m := range d.Media {
		for _, c := range m.Codecs {
			if !slices.Contains([]string{"opus", "red", "VP8", "VP9", "AV1", "H264", "H265"}, c.Name) {
				t.Errorf("%s accepted", c.Name)
			}
			if m.Kind == Video && c.RTX == 0 {
				t.Errorf("%s without RTX", c.Name)
			}
		}
		for _, e := range m.Extensions {
			if strings.Contains(e.URI, "toffset") || strings.Contains(e.URI, "color-space") {
				t.Errorf("%s accepted", e.URI)
			}
		}
	}
	o, _ := Parse(stored(t, "chromium-plain"), Limits{})
	d, err := Compute(o, nil, Policy{Audio: []string{"opus"}, Video: []string{"none"}}, Limits{}, counted())
	if err != nil || d.Media[1].Role != Refused || d.Media[0].Role != Publication || len(d.Media[0].Codecs) != 1 {
		t.Fatalf("%v %+v", err, d)
	}
	wellFormed(t, stored(t, "chromium-plain"), d.SDP(local))
}

func TestUnusableOffersAreTypedErrors(t *testing.T) {
	join := stored(t, "chromium-join")
	first := compute(t, join, nil)
	many := join + strings.Repeat(join[strings.Index(join, "m=audio"):strings.Index(join, "m=video")], 300)
	replace := func(old, with string) string {
		s := strings.ReplaceAll(join, old, with)
		if s == join {
			t.Fatalf("%q is not in the offer", old)
		}
		return s
	}
	other := stored(t, "chromium-publish")
	for name, c := range map[string]struct {
		text   string
		before *Description
		code   Code
	}{
		"empty":              {"", nil, Nothing},
		"not SDP":            {"hello", nil, Syntax},
		"too large":          {join + strings.Repeat("a=x:y\r\n", 200000), nil, Limit},
		"too many m-lines":   {many, nil, Limit},
		"1000 m-lines":       {join + strings.Repeat("m=video 0 UDP/TLS/RTP/SAVPF 0\r\n", 1000), nil, Limit},
		"no m-line":          {join[:strings.Index(join, "m=")], nil, Nothing},
		"no bundle":          {replace("a=group:BUNDLE", "a=grouq:BUNDLE"), nil, Bundle},
		"no rtcp-mux":        {replace("a=rtcp-mux\r\n", ""), nil, Bundle},
		"no ufrag":           {replace("a=ice-ufrag", "a=ice-xfrag"), nil, Credentials},
		"bad ufrag":          {replace("a=ice-ufrag:", "a=ice-ufrag:a b"), nil, Credentials},
		"no fingerprint":     {replace("a=fingerprint:sha-256", "a=fingerprint:sha-1"), nil, Credentials},
		"no DTLS role":       {replace("a=setup:actpass", "a=setup:holdconn"), nil, Setup},
		"another DTLS role":  {replace("a=setup:actpass", "a=setup:passive"), first, Setup},
		"mid twice":          {replace("a=mid:1\r\n", "a=mid:0\r\n"), nil, Syntax},
		"other certificate":  {other, first, NewSession},
		"m-lines are gone":   {join[:strings.LastIndex(join, "m=")], first, Order},
		"m-line was changed": {strings.Replace(replace("a=mid:1\r\n", "a=mid:77\r\n"), "BUNDLE 0 1 ", "BUNDLE 0 77 ", 1), first, Order},
		"bad SCTP port":      {replace("a=sctp-port:5000", "a=sctp-port:0"), nil, Syntax},
	} {
		o, err := Parse(c.text, Limits{})
		if err == nil {
			_, err = Compute(o, c.before, Policy{}, Limits{}, counted())
		}
		var e *Error
		if !errors.As(err, &e) || e.Code != c.code || len(e.Message) < 20 {
			t.Errorf("%s: %v, want code %s", name, err, c.code)
		}
	}
	o, _ := Parse(join, Limits{})
	if _, err := Compute(o, nil, Policy{}, Limits{Slots: 8}, counted()); err == nil || !strings.Contains(err.Error(), "8 slots") {
		t.Errorf("9 slots where 8 are allowed: %v", err)
	}
	if _, err := Compute(o, nil, Policy{Audio: []string{}, Video: []string{}}, Limits{}, counted()); err != nil {
		t.Errorf("data channels alone: %v", err)
	}
}

func TestTheClientMayInsistOnItsDTLSRole(t *testing.T) {
	join := stored(t, "chromium-join")
	for setup, want := range map[string]string{"actpass": "passive", "active": "passive", "passive": "active"} {
		d := compute(t, strings.ReplaceAll(join, "a=setup:actpass", "a=setup:"+setup), nil)
		text := d.SDP(local)
		if strings.Count(text, "a=setup:"+want) != strings.Count(text, "a=setup:") || d.Active != (want == "active") {
			t.Errorf("%s is not answered by %s", setup, want)
		}
		if again := compute(t, join, d); again.Active != d.Active { // browsers offer actpass every time
			t.Errorf("%s: the role has changed", setup)
		}
	}
}

func TestTooManyLayersOrSourcesAreRefused(t *testing.T) {
	pub := stored(t, "chromium-publish")
	var rids, sources strings.Builder
	for i := range 40 {
		fmt.Fprintf(&sources, "a=ssrc:%d cname:x\r\n", 500+i)
	}
	for i := range 5 {
		fmt.Fprintf(&rids, "a=rid:r%d send\r\n", i)
	}
	for name, text := range map[string]string{
		"rids":    strings.Replace(pub, "a=rid:q send\r\n", rids.String()+"a=rid:q send\r\n", 1),
		"layers":  strings.Replace(strings.Replace(pub, "a=rid:q send\r\n", "a=rid:z send\r\na=rid:q send\r\n", 1), "send q;h;f", "send q;h;f;z", 1),
		"bad rid": strings.Replace(pub, "a=rid:q send\r\n", "a=rid:"+strings.Repeat("q", 99)+" send\r\n", 1),
	} {
		var e *Error
		if _, err := Parse(text, Limits{}); !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Parse(strings.Replace(pub, "a=ssrc:", sources.String()+"a=ssrc:", 1), Limits{}); err == nil {
		t.Error("40 SSRCs accepted")
	}
}

// video is an offer of one m-line with these attributes.
func video(direction string, lines ...string) string {
	return "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=fingerprint:sha-256 " +
		strings.Repeat("AA:", 31) + "AA\r\na=setup:actpass\r\nm=video 9 UDP/TLS/RTP/SAVPF 96 97 98\r\na=mid:0\r\na=rtcp-mux\r\na=" + direction + "\r\n" +
		strings.Join(lines, "\r\n") + "\r\n"
}

func TestMalformedLinesAreAsIfTheyWereNotThere(t *testing.T) {
	good := []string{"a=rtpmap:96 VP8/90000", "a=rtcp-fb:96 nack", "a=rtpmap:97 rtx/90000", "a=fmtp:97 apt=96", "a=extmap:3 " + ExtMID}
	want := compute(t, video("sendonly", good...), nil).SDP(local)
	for _, bad := range []string{
		"a=rtpmap:x VP9/90000", "a=rtpmap:98", "a=rtpmap:98 VP9", "a=rtpmap:98 VP9/0", "a=rtpmap:98 VP9/-1", "a=rtpmap:98 /90000", "a=rtpmap:300 VP9/90000",
		"a=fmtp", "a=fmtp:", "a=fmtp:x y", "a=fmtp:98 apt=96", "a=rtcp-fb", "a=rtcp-fb:96", "a=rtcp-fb:x nack", "a=rtcp-fb:* what is this",
		"a=extmap:", "a=extmap:0 " + ExtRID, "a=extmap:15 " + ExtRID, "a=extmap:16 " + ExtRID, "a=extmap:256 " + ExtRID, "a=extmap:-1 " + ExtRID,
		"a=extmap:x " + ExtRID, "a=extmap:3 " + ExtRID, "a=extmap:4/sideways " + ExtRID, "a=extmap:5 " + ExtMID, "a=extmap:4",
		"a=simulcast:", "a=simulcast:send", "a=simulcast:send nobody", "a=simulcast:recv a;b", "a=rid:a recv", "a=rid:a", "a=rid:",
		"a=ssrc:x cname:a", "a=ssrc:0 cname:a", "a=ssrc:4294967296 cname:a", "a=ssrc-group:FID 1", "a=ssrc-group:FID x y", "a=ssrc-group:SIM 1 2 3",
		"a=msid:", "a=rtcp-xr:what",
	} {
		if got := compute(t, video("sendonly", append(slices.Clone(good), bad)...), nil).SDP(local); got != want {
			t.Errorf("%s: the answer is\n%s", bad, got)
		}
	}
	for _, bad := range []string{"a=rid:a\x01 send", "a=rid:käse send", "a=rid:a/b send", "a=rid:" + strings.Repeat("x", 33) + " send"} {
		var e *Error
		if _, err := Parse(video("sendonly", append(slices.Clone(good), bad)...), Limits{}); !errors.As(err, &e) || e.Code != Syntax {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestFeedbackOfACodecIsLimited(t *testing.T) {
	lines := []string{"a=rtpmap:96 VP8/90000"}
	for i := range 10000 {
		lines = append(lines, fmt.Sprint("a=rtcp-fb:* what", i))
	}
	o, err := Parse(video("sendonly", lines...), Limits{})
	if err != nil || len(o.sections[0].codecs[0].Feedback) > maxFeedback {
		t.Errorf("%v, %d kinds of feedback", err, len(o.sections[0].codecs[0].Feedback))
	}
}

func TestEveryoneIsAnsweredWhatItHas(t *testing.T) {
	h265, red, turned := "H265", "red", ExtVideoOrientation
	for _, name := range []string{"safari", "chromium-publish", "firefox-publish"} {
		o, err := Parse(stored(t, name), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		d, err := Compute(o, nil, Policy{SlotsOnly: []string{turned}}, Limits{}, counted())
		if err != nil {
			t.Fatal(err)
		}
		has, firefox := map[string]bool{}, strings.HasPrefix(name, "firefox")
		for _, m := range d.Media {
			for _, c := range m.Codecs {
				has[string(m.Role)+" "+c.Name] = true
				if c.Name == red && !strings.HasPrefix(c.Params, fmt.Sprint(m.Codecs[0].PT)) {
					t.Errorf("%s: %s is of %s, not of %d", name, red, c.Params, m.Codecs[0].PT)
				}
			}
			for _, e := range m.Extensions {
				has[string(m.Role)+" "+e.URI] = true
			}
		}
		for what, want := range map[string]bool{
			"slot " + h265: name == "safari", "publication " + h265: name == "safari", "slot " + red: !firefox, "publication " + red: !firefox,
			"slot " + turned: !firefox, "publication " + turned: false,
			"slot " + ExtPlayoutDelay: true, "publication " + ExtPlayoutDelay: true, "publication " + ExtAbsSendTime: true,
		} {
			if has[what] != want {
				t.Errorf("%s: %s is %v", name, what, has[what])
			}
		}
	}
}

func FuzzAnswer(f *testing.F) {
	for _, name := range names(f) {
		f.Add(stored(f, name))
	}
	f.Fuzz(func(t *testing.T, text string) {
		o, err := Parse(text, Limits{Bytes: 64 << 10})
		if err != nil {
			return
		}
		d, err := Compute(o, nil, Policy{}, Limits{}, counted())
		if err != nil {
			return
		}
		answer := d.SDP(local)
		var back sdp.SessionDescription
		if err := back.UnmarshalString(answer); err != nil {
			t.Fatalf("%v\n%s", err, answer)
		}
		if len(back.MediaDescriptions) != len(d.Media) {
			t.Fatalf("%d m-lines for %d", len(back.MediaDescriptions), len(d.Media))
		}
		if _, err := Compute(o, d, Policy{}, Limits{}, counted()); err != nil {
			t.Fatalf("the same offer again: %v", err)
		}
	})
}

func BenchmarkAnswer(b *testing.B) {
	text := stored(b, "chromium-join")
	b.ReportAllocs()
	for b.Loop() {
		compute(b, text, nil).SDP(local)
	}
}
