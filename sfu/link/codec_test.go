package link

import "testing"

func TestStreamsAreTheSameForTheirDecoder(t *testing.T) {
	for _, c := range []struct {
		a, b Codec
		want bool
	}{
		{Codec{Mime: "video/VP8"}, Codec{Mime: "video/vp8"}, true},
		{Codec{Mime: "video/VP8"}, Codec{Mime: "video/VP9"}, false},
		{Codec{Mime: "video/VP9"}, Codec{Mime: "video/VP9", Fmtp: "profile-id=0"}, true},
		{Codec{Mime: "video/VP9", Fmtp: "profile-id=2"}, Codec{Mime: "video/VP9"}, false},
		{Codec{Mime: "video/H264", Fmtp: "a=b; packetization-mode=1"}, Codec{Mime: "video/H264", Fmtp: "packetization-mode=1"}, true},
		{Codec{Mime: "video/H264", Fmtp: "packetization-mode=1"}, Codec{Mime: "video/H264"}, false},
		{Codec{Mime: "video/AV1", Fmtp: "level-idx=5;profile=0;tier=0"}, Codec{Mime: "video/AV1"}, true},
		{Codec{Mime: "video/AV1", Fmtp: "profile=1"}, Codec{Mime: "video/AV1"}, false},
		{Codec{Mime: "video/H265", Fmtp: "level-id=93;profile-id=1;tier-flag=0;tx-mode=SRST"}, Codec{Mime: "video/H265"}, true},
		{Codec{Mime: "video/H265", Fmtp: "profile-id=2"}, Codec{Mime: "video/H265"}, false},
		{Codec{Mime: "audio/red", Fmtp: "111/111"}, Codec{Mime: "audio/RED", Fmtp: "109/109"}, true},
	} {
		if got := SameStream(c.a, c.b); got != c.want {
			t.Errorf("%v and %v: %v", c.a, c.b, got)
		}
	}
	if !SameParameters("A=1; b=2", "b=2;a=1") || SameParameters("a=1", "a=2") {
		t.Error("parameters are compared wrongly")
	}
}

func TestPrimaryBlockOfREDIsItsLast(t *testing.T) {
	for fmtp, want := range map[string]uint8{"111/111": 111, "96/ 97": 97, "": 0, "111/": 0, "1/300": 0, "x": 0} {
		if got := PrimaryOf(Codec{Mime: "audio/RED", Fmtp: fmtp}); got != want {
			t.Errorf("%q: %d", fmtp, got)
		}
	}
}
