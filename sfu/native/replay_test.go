package native

import (
	"bytes"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/rtp"

	"github.com/turnout-rtc/turnout/sfu/link"
	"github.com/turnout-rtc/turnout/sfu/lite/answer"
	"github.com/turnout-rtc/turnout/sfu/srtpkeys"
)

func TestReplayedAndForgedPacketsAreCountedAndReachNobody(t *testing.T) {
	keys, err := srtpkeys.Export(exporter{}, dtls.SRTP_AEAD_AES_128_GCM)
	if err != nil {
		t.Fatal(err)
	}
	p := newPeer(&Host{}, link.Handlers{})
	if p.in, err = keys.Inbound(); err != nil {
		t.Fatal(err)
	}
	p.streams.describe(&answer.Description{Media: []answer.Media{publication("1", true, nil, answer.Source{SSRC: 200, RTX: 201})}})
	theirs, err := keys.Outbound() // the exporter gives both directions the same key
	if err != nil {
		t.Fatal(err)
	}
	sealed := func(seq uint16) []byte {
		t.Helper()
		plain, err := (&rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 96, SSRC: 200, SequenceNumber: seq}, Payload: []byte("frame")}).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		b, err := theirs.EncryptRTP(nil, plain, nil)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	now := time.Unix(1e9, 0)
	opens := func(b []byte) bool {
		track, _, _ := p.open(now, b, nil)
		return track != nil
	}
	first, second := sealed(1), sealed(2)
	forged := bytes.Clone(second)
	forged[len(forged)-1] ^= 1
	for i, c := range []struct {
		b     []byte
		opens bool
		want  uint64 // not decrypted, so far
	}{
		{first, true, 0},
		{first, false, 1},  // again
		{forged, false, 2}, // which must not make the true one a replay
		{second, true, 2},
		{second, false, 3},
		{first, false, 4},
		{second[:20], false, 5},
	} {
		if opens(c.b) != c.opens || p.host.count.undecrypted.Load() != c.want {
			t.Errorf("packet %d: opened %v, and %d were not decrypted, want %d", i, !c.opens, p.host.count.undecrypted.Load(), c.want)
		}
	}
}
