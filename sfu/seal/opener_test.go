package seal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/pion/srtp/v3"
)

// opened are an opener and a context of pion's that seals for it.
func opened(t testing.TB, key []byte, profile srtp.ProtectionProfile) (*Opener, *srtp.Context) {
	t.Helper()
	salt := []byte("twelve bytes")
	peer, err := srtp.CreateContext(key, salt, profile)
	if err != nil {
		t.Fatal(err)
	}
	o, err := NewOpener(new(Opener), key, salt)
	if err != nil {
		t.Fatal(err)
	}
	return o, peer
}

// compound is RTCP of an SSRC with a body.
func compound(ssrc uint32, body []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0x81, 201, 0, byte(1 + len(body)/4)}, ssrc), body...)
}

// TestOpenerReadsWhatPeersSeal sends compounds of several SSRCs, out of order, twice, and with a bit turned over.
func TestOpenerReadsWhatPeersSeal(t *testing.T) {
	for profile, size := range map[srtp.ProtectionProfile]int{srtp.ProtectionProfileAeadAes128Gcm: 16, srtp.ProtectionProfileAeadAes256Gcm: 32} {
		rng := rand.New(rand.NewPCG(5, 6))
		o, peer := opened(t, bytes.Repeat([]byte{9, 8, 7, 6}, size/4), profile)
		type packet struct{ plain, sealed []byte }
		var waiting []packet
		for range 3000 {
			plain := compound(uint32(rng.IntN(4)), make([]byte, 4*rng.IntN(20)))
			sealed, err := peer.EncryptRTCP(nil, plain, nil)
			if err != nil {
				t.Fatal(err)
			}
			if waiting = append(waiting, packet{plain, sealed}); len(waiting) < 20 {
				continue
			}
			i := rng.IntN(len(waiting))
			p := waiting[i]
			waiting = append(waiting[:i], waiting[i+1:]...)
			if len(waiting) > 30 { // what is left behind for too long is refused
				t.Fatal("more waits than should")
			}
			bad := bytes.Clone(p.sealed)
			bad[rng.IntN(len(bad))] ^= 1 << rng.IntN(8)
			if _, err := o.RTCP(bad); err == nil {
				t.Fatal("a packet that was changed was read")
			}
			got, err := o.RTCP(bytes.Clone(p.sealed))
			if errors.Is(err, ErrReplayed) {
				continue // it waited for too long
			}
			if err != nil || !bytes.Equal(got, p.plain) {
				t.Fatalf("% x, %v", got, err)
			}
			if _, err := o.RTCP(bytes.Clone(p.sealed)); !errors.Is(err, ErrReplayed) {
				t.Fatalf("the same again: %v", err)
			}
		}
		if len(o.reporters) != 4 {
			t.Errorf("%d SSRCs are known", len(o.reporters))
		}
	}
}

func TestLateReportsAreReadOnce(t *testing.T) {
	o, peer := opened(t, make([]byte, 16), srtp.ProtectionProfileAeadAes128Gcm)
	var all [][]byte
	for range 200 {
		b, err := peer.EncryptRTCP(nil, compound(7, nil), nil)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	for _, c := range []struct {
		n   int
		err error
	}{{0, nil}, {63, nil}, {0, ErrReplayed}, {1, nil}, {1, ErrReplayed}, {62, nil}, {64, nil}, {0, ErrReplayed}, {199, nil}, {135, ErrReplayed}, {136, nil}, {136, ErrReplayed}, {199, ErrReplayed}, {198, nil}} {
		if _, err := o.RTCP(bytes.Clone(all[c.n])); !errors.Is(err, c.err) {
			t.Errorf("packet %d: %v, not %v", c.n, err, c.err)
		}
	}
}

func TestReportersAreLimited(t *testing.T) {
	o, peer := opened(t, make([]byte, 16), srtp.ProtectionProfileAeadAes128Gcm)
	for ssrc := range uint32(maxReporters + 1) {
		b, err := peer.EncryptRTCP(nil, compound(ssrc, nil), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := o.RTCP(b); errors.Is(err, ErrTooMany) != (ssrc == maxReporters) {
			t.Errorf("SSRC %d: %v", ssrc, err)
		}
	}
}

func TestOpeningAllocatesNothing(t *testing.T) {
	o, peer := opened(t, make([]byte, 16), srtp.ProtectionProfileAeadAes128Gcm)
	var all [200][]byte
	for i := range all {
		all[i], _ = peer.EncryptRTCP(nil, compound(7, make([]byte, 40)), nil)
	}
	_, _ = o.RTCP(all[0])
	i := 0
	if n := testing.AllocsPerRun(100, func() {
		i++
		if _, err := o.RTCP(all[i]); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzOpener opens anything: what nobody has sealed is refused.
func FuzzOpener(f *testing.F) {
	_, peer := opened(f, make([]byte, 16), srtp.ProtectionProfileAeadAes128Gcm)
	b, _ := peer.EncryptRTCP(nil, compound(7, make([]byte, 8)), nil)
	f.Add(b)
	f.Add(b[:len(b)-1])
	f.Add(b[:28])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		o, peer := opened(t, make([]byte, 16), srtp.ProtectionProfileAeadAes128Gcm)
		want, failed := peer.DecryptRTCP(nil, raw, nil)
		got, err := o.RTCP(bytes.Clone(raw))
		if err == nil && (failed != nil || !bytes.Equal(got, want)) {
			t.Errorf("% x was read as % x", raw, got)
		}
	})
}
