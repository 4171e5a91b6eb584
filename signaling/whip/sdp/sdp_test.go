package sdp

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
)

// stored are offers and answers of real clients.
const stored = "../../../sfu/lite/answer/testdata/"

func load(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(stored + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestOffersOfRealClientsAreRead(t *testing.T) {
	for name, mids := range map[string][]string{
		"obs.offer.sdp": {"0", "1"}, "gstreamer.offer.sdp": {"audio0", "video1"}, "aiortc.offer.sdp": nil, "chromium-publish.offer.sdp": nil, "firefox-publish.offer.sdp": nil, "safari.offer.sdp": nil,
	} {
		d, err := Read(load(t, name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		tracks, err := d.Published()
		if err != nil && !errors.Is(err, ErrTooMany) {
			t.Errorf("%s: %v", name, err)
		}
		var got []string
		for _, m := range tracks {
			got = append(got, m.MID)
		}
		if mids != nil && !slices.Equal(got, mids) {
			t.Errorf("%s publishes on %v, not %v", name, got, mids)
		}
	}
}

func TestAnAnswerSaysWhatItRejects(t *testing.T) {
	offer, err := Read(load(t, "gstreamer.offer.sdp"))
	if err != nil {
		t.Fatal(err)
	}
	tracks, _ := offer.Published()
	text := load(t, "gstreamer.answer.sdp")
	whole, err := Read(text)
	if err != nil || Refused(tracks, whole) != "" {
		t.Errorf("%v, refused %q", err, Refused(tracks, whole))
	}
	half, err := Read(strings.Replace(text, "m=video 9", "m=video 0", 1))
	if err != nil || Refused(tracks, half) != "video1" {
		t.Errorf("%v, refused %q", err, Refused(tracks, half))
	}
}

func TestAPlayerOnlyReceives(t *testing.T) {
	for name, change := range map[string]func(string) string{
		"as it is":    func(s string) string { return s },
		"without any": func(s string) string { return strings.ReplaceAll(s, "a=sendrecv\r\n", "") },
		"of the session": func(s string) string {
			return strings.Replace(strings.ReplaceAll(s, "a=sendrecv\r\n", ""), "m=audio", "a=sendrecv\r\nm=audio", 1)
		},
		"with \\n only": func(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") },
	} {
		d, err := Read(ReceiveOnly(change(load(t, "gstreamer.offer.sdp"))))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range d.Media {
			if m.Direction != "recvonly" {
				t.Errorf("%s: %s is %s", name, m.MID, m.Direction)
			}
		}
	}
	sendonly := load(t, "obs.offer.sdp")
	if ReceiveOnly(sendonly) != sendonly {
		t.Error("an offer without sendrecv was changed")
	}
}

func TestARestartChangesNothingButICE(t *testing.T) {
	offer := load(t, "gstreamer.offer.sdp")
	with := strings.Replace(offer, "a=mid:audio0", "a=candidate:1 1 udp 1 10.0.0.1 5 typ host\r\na=end-of-candidates\r\na=mid:audio0", 1)
	f := Fragment{Ufrag: "EFGH", Pwd: "ABCDEFGHIJKLMNOPQRSTUVWX"}
	was, _ := Read(offer)
	if got, want := Restarted(with, f), strings.NewReplacer(was.Ufrag, f.Ufrag, was.Pwd, f.Pwd).Replace(offer); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAFragmentIsReadAndWritten(t *testing.T) {
	f, err := ReadFragment("a=group:BUNDLE 0 1\r\na=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n" +
		"a=candidate:1 1 udp 1 192.0.2.1 1 typ host\r\nm=video 9 RTP/AVP 0\na=mid:1\na=candidate:2 1 udp 1 192.0.2.1 2 typ host\na=end-of-candidates\n")
	if err != nil || f.Ufrag != "EsAw" || len(f.Candidates) != 2 {
		t.Fatalf("%+v, %v", f, err)
	}
	if f.Candidates[0] != (Candidate{"0", "candidate:1 1 udp 1 192.0.2.1 1 typ host"}) || f.Candidates[1].MID != "1" {
		t.Errorf("%+v", f.Candidates)
	}
	answer, err := Read(load(t, "gstreamer.answer.sdp"))
	if err != nil {
		t.Fatal(err)
	}
	back, err := ReadFragment(answer.Fragment())
	if err != nil || back.Ufrag != answer.Ufrag || back.Pwd != answer.Pwd || len(back.Candidates) != 3 || back.Candidates[0].MID != "audio0" {
		t.Errorf("%+v, %v of\n%s", back, err, answer.Fragment())
	}
}

func FuzzReadFragment(f *testing.F) {
	f.Add("a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 1 typ host\r\n")
	f.Add("a=ice-ufrag:x\na=ice-pwd:y")
	f.Add("m=\r\na=mid:\r\na=candidate:")
	offer := load(f, "obs.offer.sdp")
	f.Fuzz(func(t *testing.T, text string) {
		fragment, err := ReadFragment(text)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("refused with %v", err)
			}
			return
		}
		if len(fragment.Candidates) > maxCandidates {
			t.Errorf("%d candidates", len(fragment.Candidates))
		}
		if fragment.Ufrag == "" {
			return
		}
		// What was read is fit to be written: no line can be smuggled in.
		d, err := Read(Restarted(offer, fragment))
		if err != nil || d.Ufrag != fragment.Ufrag || d.Pwd != fragment.Pwd || len(d.Media) != 2 {
			t.Errorf("restarted by %+v: %+v, %v", fragment, d, err)
		}
	})
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"obs.offer.sdp", "gstreamer.offer.sdp", "aiortc.offer.sdp", "gstreamer.answer.sdp"} {
		f.Add(load(f, name))
	}
	f.Add("v=0\r\nm=audio 0 x 0\r\na=bundle-only\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := Read(text)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("refused with %v", err)
			}
			return
		}
		if _, err := d.Played(); err != nil && !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrRole) && !errors.Is(err, ErrTooMany) {
			t.Errorf("refused with %v", err)
		}
		once := ReceiveOnly(text)
		if _, err := Read(once); err != nil {
			t.Errorf("cannot be read any more: %v", err)
		}
		if twice := ReceiveOnly(once); twice != once {
			t.Errorf("changed twice:\n%q\n%q", once, twice)
		}
	})
}
