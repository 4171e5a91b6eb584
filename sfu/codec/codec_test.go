package codec

import (
	"bytes"
	"testing"

	"github.com/pion/rtp/codecs"
)

func TestKeyFramesAreFoundAtTheirFirstPacket(t *testing.T) {
	for _, c := range []struct {
		name    string
		codec   Codec
		payload []byte
		want    bool
	}{
		{"opus", Opus, []byte{0xf8}, true},
		{"vp8 key", VP8, []byte{0x10, 0x00}, true},
		{"vp8 key with picture id", VP8, []byte{0x90, 0x80, 0x81, 0x02, 0x00}, true},
		{"vp8 delta", VP8, []byte{0x10, 0x01}, false},
		{"vp8 continuation of a key frame", VP8, []byte{0x00, 0x00}, false},
		{"vp8 second partition", VP8, []byte{0x11, 0x00}, false},
		{"vp9 key", VP9, []byte{0x8c, 0x85, 0x01, 0x00}, true},
		{"vp9 key, lowest layer, flexible", VP9, []byte{0xb8, 0x05, 0x00, 0x00}, true},
		{"vp9 key, upper spatial layer", VP9, []byte{0xb8, 0x05, 0x02, 0x00}, false},
		{"vp9 inter", VP9, []byte{0xcc, 0x85, 0x01, 0x00}, false},
		{"vp9 not the first packet", VP9, []byte{0x84, 0x85, 0x01, 0x00}, false},
		{"h264 sps", H264, []byte{0x67, 1, 2}, true},
		{"h264 idr", H264, []byte{0x65, 0x88, 2}, true},
		{"h264 second slice of an idr", H264, []byte{0x65, 0x18, 2}, false},
		{"h264 slice", H264, []byte{0x61, 1, 2}, false},
		{"h264 stap-a sps pps", H264, []byte{0x78, 0, 2, 0x67, 1, 0, 2, 0x68, 1}, true},
		{"h264 stap-a sei, then sps", H264, []byte{0x78, 0, 2, 0x66, 1, 0, 2, 0x67, 1}, true},
		{"h264 stap-a sei", H264, []byte{0x78, 0, 2, 0x66, 1}, false},
		{"h264 fu-a begin of idr", H264, []byte{0x7c, 0x85, 0x88}, true},
		{"h264 fu-a begin of the second slice of an idr", H264, []byte{0x7c, 0x85, 0x18}, false},
		{"h264 fu-a cut off", H264, []byte{0x7c, 0x85}, false},
		{"h264 stap-a in a stap-a", H264, []byte{0x78, 0, 5, 0x78, 0, 2, 0x67, 1}, false},
		{"h265 vps", H265, []byte{0x40, 0x01, 0x0c}, true},
		{"h265 sps", H265, []byte{0x42, 0x01, 0x01}, true},
		{"h265 pps", H265, []byte{0x44, 0x01, 0xc0}, false},
		{"h265 idr", H265, []byte{0x26, 0x01, 0xaf}, true},
		{"h265 second slice of an idr", H265, []byte{0x26, 0x01, 0x2f}, false},
		{"h265 cra", H265, []byte{0x2a, 0x01, 0xaf}, true},
		{"h265 trailing picture", H265, []byte{0x02, 0x01, 0xd0}, false},
		{"h265 ap vps sps", H265, []byte{0x60, 0x01, 0, 3, 0x40, 0x01, 0x0c, 0, 3, 0x42, 0x01, 0x01}, true},
		{"h265 ap sei, then idr", H265, []byte{0x60, 0x01, 0, 3, 0x4e, 0x01, 0x01, 0, 3, 0x26, 0x01, 0xaf}, true},
		{"h265 ap sei", H265, []byte{0x60, 0x01, 0, 3, 0x4e, 0x01, 0x01}, false},
		{"h265 fu begin of idr", H265, []byte{0x62, 0x01, 0x93, 0xaf}, true},
		{"h265 fu end of idr", H265, []byte{0x62, 0x01, 0x53, 0xaf}, false},
		{"h265 no temporal id", H265, []byte{0x26, 0x00, 0xaf}, false},
		{"red", RED, []byte{0x6f, 1}, true},
		{"h264 fu-a end of idr", H264, []byte{0x7c, 0x45, 1}, false},
		{"av1 new sequence", AV1, []byte{0x18, 1}, true},
		{"av1 same sequence", AV1, []byte{0x10, 1}, false},
		{"unknown", Unknown, []byte{0x10, 0x00}, false},
	} {
		if got := c.codec.KeyFrame(c.payload); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestFromMimeIgnoresCase(t *testing.T) {
	for mime, want := range map[string]Codec{
		"audio/OPUS": Opus, "video/vp8": VP8, "VIDEO/VP9": VP9, "video/H264": H264, "video/AV1": AV1, "video/H265": H265, "audio/red": RED, "video/rtx": Unknown,
	} {
		if got := FromMime(mime); got != want {
			t.Errorf("%s is %d", mime, got)
		}
	}
}

func TestAppendPictureChangesOnlyTheIDs(t *testing.T) {
	for _, c := range []struct {
		name     string
		codec    Codec
		in, want []byte
	}{
		{"vp8, 15 bits, tl0", VP8, []byte{0x90, 0xe0, 0x81, 0x02, 0x09, 0x40, 0xaa}, []byte{0x90, 0xe0, 0x92, 0x34, 0x56, 0x40, 0xaa}},
		{"vp8, 7 bits, tl0, key", VP8, []byte{0x90, 0xf0, 0x01, 0x09, 0x41, 0xaa}, []byte{0x90, 0xf0, 0x92, 0x34, 0x56, 0x47, 0xaa}},
		{"vp8, 7 bits grow", VP8, []byte{0x90, 0x80, 0x01, 0xaa}, []byte{0x90, 0x80, 0x92, 0x34, 0xaa}},
		{"vp8, tl0 alone", VP8, []byte{0x90, 0x60, 0x09, 0x40, 0xaa}, []byte{0x90, 0x60, 0x56, 0x40, 0xaa}},
		{"vp8, none", VP8, []byte{0x10, 0xaa}, []byte{0x10, 0xaa}},
		{"vp9, 15 bits, tl0", VP9, []byte{0xa8, 0x81, 0x02, 0x00, 0x09, 0xaa}, []byte{0xa8, 0x92, 0x34, 0x00, 0x56, 0xaa}},
		{"vp9, flexible", VP9, []byte{0xb8, 0x81, 0x02, 0x00, 0xaa}, []byte{0xb8, 0x92, 0x34, 0x00, 0xaa}},
	} {
		p, ok := c.codec.ReadPicture(c.in)
		if !ok {
			t.Errorf("%s: not read", c.name)
			continue
		}
		if got := AppendPicture([]byte("x"), c.in, &p, Counters{0x1234, 0x56, 7}); !bytes.Equal(got[1:], c.want) {
			t.Errorf("%s: % x, not % x", c.name, got[1:], c.want)
		}
	}
}

func FuzzPayload(f *testing.F) {
	for _, b := range [][]byte{
		{0x90, 0xe0, 0x81, 0x02, 0x09, 0x40, 0xaa}, {0xa8, 0x81, 0x02, 0x00, 0x09, 0xaa}, {0x78, 0, 2, 0x66, 1, 0, 2, 0x67, 1},
		{0x90, 0xff}, {0xff}, {}, {0x7c}, {0x78, 0, 0, 0},
	} {
		for c := Unknown; c <= RED; c++ {
			f.Add(uint8(c), b, uint16(0x1234), uint8(7))
		}
	}
	f.Fuzz(func(t *testing.T, codec uint8, b []byte, id uint16, tl0 uint8) {
		c, id := Codec(codec%8), id&0x7fff
		if f := c.ReadFrame(b); f.Key && c != VP9 && !c.KeyFrame(b) {
			t.Errorf("% x: %+v", b, f)
		}
		p, ok := c.ReadPicture(b)
		if !ok {
			return
		}
		out := AppendPicture(nil, b, &p, Counters{id, tl0, tl0 & 0x1f})
		again, ok := c.ReadPicture(out)
		if !ok {
			t.Fatalf("% x became % x, which cannot be read", b, out)
		}
		if p.Bits != 0 && again.ID != id || p.HasTL0() && again.TL0 != tl0 || p.HasKey() && again.Key != tl0&0x1f {
			t.Fatalf("% x became % x, with %+v", b, out, again)
		}
		if c.KeyFrame(b) != c.KeyFrame(out) || !bytes.Equal(b[p.header:], out[again.header:]) {
			t.Fatalf("% x became % x: the picture has changed", b, out)
		}
	})
}

// FuzzVP8AgainstPion compares with an independent parser.
func FuzzVP8AgainstPion(f *testing.F) {
	f.Add([]byte{0x90, 0xf0, 0x81, 0x02, 0x09, 0x40, 0xaa})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, ok := VP8.ReadPicture(b)
		var other codecs.VP8Packet
		if _, err := other.Unmarshal(b); err != nil || !ok {
			return
		}
		if p.ID != other.PictureID || p.TL0 != other.TL0PICIDX {
			t.Errorf("% x: %+v, pion %+v", b, p, other)
		}
	})
}

func TestFramesTellTheirLayers(t *testing.T) {
	for _, c := range []struct {
		name    string
		codec   Codec
		payload []byte
		want    Frame
	}{
		{"vp8 without layers", VP8, []byte{0x10, 0x01}, Frame{Begin: true}},
		{"vp8 key", VP8, []byte{0x90, 0xe0, 0x81, 0x02, 0x09, 0x00, 0x00}, Frame{Begin: true, Key: true, Sync: true, Up: true, Alone: true}},
		{"vp8 T2", VP8, []byte{0x80, 0xe0, 0x81, 0x02, 0x09, 0x80, 0x01}, Frame{Layer: Layer{0, 2}}},
		{"vp8 T1, sync", VP8, []byte{0x90, 0x20, 0x60, 0x01}, Frame{Layer: Layer{0, 1}, Begin: true, Sync: true}},
		{"vp9 key", VP9, []byte{0xac, 0x05, 0x00, 0x00, 1}, Frame{Begin: true, End: true, Key: true, Sync: true, Up: true, Alone: true}},
		{"vp9 S1 of a key picture", VP9, []byte{0xa8, 0x05, 0x03, 0x00, 1}, Frame{Layer: Layer{1, 0}, Begin: true, Sync: true, Up: true, Alone: true}},
		{"vp9 S1 T2, switching up", VP9, []byte{0xe4, 0x05, 0x53, 0x00, 1}, Frame{Layer: Layer{1, 2}, End: true, Sync: true, Up: true}},
		{"h264", H264, []byte{0x67, 1}, Frame{Key: true}},
		{"h265 idr", H265, []byte{0x26, 0x01, 0xaf}, Frame{Begin: true, Key: true, Sync: true, Up: true, Alone: true}},
		{"h265 T2, step up to all", H265, []byte{0x04, 0x03, 0x80}, Frame{Layer: Layer{0, 2}, Begin: true, Sync: true, Up: true}},
		{"h265 T1, step up to it", H265, []byte{0x0a, 0x02, 0x80}, Frame{Layer: Layer{0, 1}, Begin: true, Sync: true}},
		{"h265 T1, middle of a fragment", H265, []byte{0x62, 0x02, 0x01, 0x80}, Frame{Layer: Layer{0, 1}}},
	} {
		if got := c.codec.ReadFrame(c.payload); got != c.want {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}
