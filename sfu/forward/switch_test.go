package forward

import (
	"bytes"
	"testing"
	"time"
)

func TestFirstPacketOfASourceIsNamed(t *testing.T) {
	r := NewRewriter(0, 0)
	for i, c := range []struct {
		source SourceID
		seq    uint16
		begins bool
	}{{1, 1, true}, {1, 2, false}, {2, 9, true}, {2, 10, false}, {1, 3, true}} {
		r.Switch(audio(c.source))
		now := start.Add(time.Duration(i) * 20 * time.Millisecond)
		if _, out, v := r.Forward(now, c.source, opus(c.seq, uint32(c.seq)*960), nil); v != Send || out.Begins != c.begins {
			t.Errorf("packet %d: verdict %d, begins %v", i, v, out.Begins)
		}
	}
	r.Stop()
	r.Switch(audio(1))
	if _, out, _ := r.Forward(start.Add(time.Second), 1, opus(4, 4*960), nil); !out.Begins {
		t.Error("a source that begins anew does not begin")
	}
}

func TestPlayoutDelayEndsWithItsSource(t *testing.T) {
	r := NewRewriter(0, 0)
	wants, none := []byte{1, 2, 3}, []byte{0, 0x0f, 0xff}
	for i, c := range []struct {
		source SourceID
		has    []byte
		want   []byte
	}{
		{1, nil, nil}, // nobody has asked for any
		{2, wants, wants},
		{2, nil, nil}, // it stays
		{3, nil, none},
		{3, nil, none}, // the one before may be lost
		{2, wants, wants},
		{2, nil, nil},
		{1, nil, none},
		{1, wants, wants}, // it changes its mind
		{1, nil, nil},
	} {
		r.Switch(audio(c.source))
		in := opus(uint16(i), uint32(i)*960)
		if c.has != nil {
			in.Extensions.there |= hasPlayoutDelay
			copy(in.Extensions.playoutDelay[:], c.has)
		}
		_, out, v := r.Forward(start.Add(time.Duration(i)*20*time.Millisecond), c.source, in, nil)
		if got := out.Extensions.PlayoutDelay(); v != Send || !bytes.Equal(got, c.want) {
			t.Errorf("packet %d: verdict %d, % x, not % x", i, v, got, c.want)
		}
		if in.Extensions.there&hasPlayoutDelay != 0 != (c.has != nil) {
			t.Errorf("packet %d: what came has changed, and others get it too", i)
		}
	}
}
