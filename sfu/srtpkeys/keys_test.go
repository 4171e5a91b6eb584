package srtpkeys

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/pion/dtls/v3"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"

	"github.com/turnout-rtc/turnout/sfu/seal"
)

// counting exports 0, 1, 2, ... and checks how it is asked.
type counting struct{ t *testing.T }

func (c counting) ExportKeyingMaterial(l string, ctx []byte, n int) ([]byte, error) {
	if l != "EXTRACTOR-dtls_srtp" || ctx != nil {
		c.t.Errorf("label %q, context %v", l, ctx)
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b, nil
}

func TestBothEndsUnderstandEachOther(t *testing.T) {
	for _, profile := range Profiles() {
		k, err := Export(counting{t}, profile)
		if err != nil {
			t.Fatal(err)
		}
		// The client's end, after RFC 5764 §4.2: client key, server key, client salt, server salt.
		p := srtp.ProtectionProfile(profile)
		key, _ := p.KeyLen()
		salt, _ := p.SaltLen()
		b, _ := counting{t}.ExportKeyingMaterial(label, nil, 2*(key+salt))
		client, err := srtp.CreateContext(b[:key], b[2*key:2*key+salt], p)
		if err != nil {
			t.Fatal(err)
		}
		server, err := srtp.CreateContext(b[key:2*key], b[2*key+salt:], p)
		if err != nil {
			t.Fatal(err)
		}
		in, err := k.Inbound()
		if err != nil {
			t.Fatal(err)
		}
		out, err := k.Sealer(new(seal.GCM))
		if err != nil {
			t.Fatal(err)
		}
		plain, _ := (&rtp.Packet{Header: rtp.Header{Version: 2, SSRC: 7, SequenceNumber: 9}, Payload: []byte("media")}).Marshal()
		sealed, _ := client.EncryptRTP(nil, plain, nil)
		if got, err := in.DecryptRTP(nil, sealed, nil); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%v inbound: %v", profile, err)
		}
		if _, err := in.DecryptRTP(nil, sealed, nil); err == nil {
			t.Errorf("%v: a replayed packet was accepted", profile)
		}
		sealed = sealedBy(t, out, plain)
		if got, err := server.DecryptRTP(nil, sealed, nil); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%v outbound: %v", profile, err)
		}
	}
}

// sealedBy is a packet with a header of 12 bytes, sealed.
func sealedBy(t *testing.T, s seal.Sealer, plain []byte) []byte {
	t.Helper()
	b := make([]byte, len(plain)+seal.Extra)
	copy(b, plain[:12])
	sealed, err := s.RTP(new(seal.Stream), b, 12, plain[12:])
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestReportsOfThePeerAreOpened(t *testing.T) {
	for _, profile := range Profiles() {
		k, err := Export(counting{t}, profile)
		if err != nil {
			t.Fatal(err)
		}
		peer, err := k.OfClient().Outbound()
		if err != nil {
			t.Fatal(err)
		}
		plain := []byte{0x80, 201, 0, 1, 0, 0, 0, 7}
		sealed, _ := peer.EncryptRTCP(nil, plain, nil)
		o, err := k.Opener(new(seal.Opener))
		if err != nil || (o == nil) != (profile == dtls.SRTP_AES128_CM_HMAC_SHA1_80) {
			t.Fatalf("%v: %v, %v", profile, o, err)
		}
		if o == nil {
			continue
		}
		if got, err := o.RTCP(sealed); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%v: % x, %v", profile, got, err)
		}
	}
}

func TestTheClientsKeysAreTheServersTheOtherWayRound(t *testing.T) {
	for _, profile := range Profiles() {
		k, err := Export(counting{t}, profile)
		if err != nil {
			t.Fatal(err)
		}
		plain, _ := (&rtp.Packet{Header: rtp.Header{Version: 2, SSRC: 7, SequenceNumber: 9}, Payload: []byte("media")}).Marshal()
		for _, ends := range [][2]Keys{{k, k.OfClient()}, {k.OfClient(), k}} {
			out, err := ends[0].Sealer(new(seal.GCM))
			if err != nil {
				t.Fatal(err)
			}
			in, err := ends[1].Inbound()
			if err != nil {
				t.Fatal(err)
			}
			sealed := sealedBy(t, out, plain)
			if got, err := in.DecryptRTP(nil, sealed, nil); err != nil || !bytes.Equal(got, plain) {
				t.Errorf("%v: %v", profile, err)
			}
		}
	}
}

func TestKeysAreNeverPrinted(t *testing.T) {
	k, _ := Export(counting{t}, Profiles()[0])
	var b strings.Builder
	slog.New(slog.NewTextHandler(&b, nil)).Info("keys", "k", k)
	fmt.Fprintf(&b, "%v %+v %#v %s", k, k, k, k)
	if s := b.String(); strings.Contains(s, "1 2 3") || strings.Contains(s, "0x1") || strings.Contains(s, "AQID") {
		t.Errorf("printed as %s", s)
	}
}

func TestNoProfileIsAnError(t *testing.T) {
	if _, err := Export(counting{t}, 0); !errors.Is(err, ErrNoProfile) {
		t.Error(err)
	}
	if _, err := Export(counting{t}, dtls.SRTPProtectionProfile(0xfff0)); err == nil {
		t.Error("an unknown profile was accepted")
	}
}
