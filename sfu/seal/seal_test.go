package seal

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/pion/srtp/v3"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestKnownAnswers are the examples of RFC 7714 §16 and §17, whose keys are session keys.
func TestKnownAnswers(t *testing.T) {
	const (
		rtp  = "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070 61727465 73207472 6573"
		rtcp = "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef deadbeef deadbeef deadbeef"
	)
	for key, want := range map[string][2]string{
		"000102030405060708090a0b0c0d0e0f": {
			"8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce",
			"81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4",
		},
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f": {
			"8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02 76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13",
			"81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50 a2eaa5c1 110555be 8415f658 c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be 800005d4",
		},
	} {
		aead, err := gcm(unhex(t, key))
		if err != nil {
			t.Fatal(err)
		}
		salted := sealing{AEAD: aead, salt: [saltSize]byte(unhex(t, "517569642070726f2071756f"))}
		g := &GCM{media: salted, control: salted, sent: 0x5d4 - 1}
		plain, b := unhex(t, rtp), make([]byte, 200)
		copy(b, plain[:12])
		if got, err := g.RTP(new(Stream), b, 12, plain[12:]); err != nil || !bytes.Equal(got, unhex(t, want[0])) {
			t.Errorf("RTP with a key of %d bytes: % x, %v", len(key)/2, got, err)
		}
		if got, err := g.RTCP(b, unhex(t, rtcp)); err != nil || !bytes.Equal(got, unhex(t, want[1])) {
			t.Errorf("RTCP with a key of %d bytes: % x, %v", len(key)/2, got, err)
		}
	}
}

// everySealer runs a test with each implementation and profile, and with a context that decrypts.
func everySealer(t *testing.T, f func(t *testing.T, s Sealer, peer *srtp.Context)) {
	key, salt := bytes.Repeat([]byte{3, 1, 4, 1}, 8), []byte("fourteen bytes")
	for name, c := range map[string]struct {
		profile   srtp.ProtectionProfile
		key, salt []byte
		ours      bool
	}{
		"GCM 128":    {srtp.ProtectionProfileAeadAes128Gcm, key[:16], salt[:12], true},
		"GCM 256":    {srtp.ProtectionProfileAeadAes256Gcm, key, salt[:12], true},
		"CM SHA1 80": {srtp.ProtectionProfileAes128CmHmacSha1_80, key[:16], salt, false},
	} {
		t.Run(name, func(t *testing.T) {
			context := func() *srtp.Context {
				ctx, err := srtp.CreateContext(c.key, c.salt, c.profile, srtp.SRTPReplayProtection(1<<10), srtp.SRTCPReplayProtection(64))
				if err != nil {
					t.Fatal(err)
				}
				return ctx
			}
			if !c.ours {
				f(t, &Foreign{Context: context()}, context())
				return
			}
			g, err := NewGCM(new(GCM), c.key, c.salt)
			if err != nil {
				t.Fatal(err)
			}
			f(t, g, context())
		})
	}
}

// packet is an RTP packet with some header extensions, and the size of its header.
func packet(rng *rand.Rand, ssrc uint32, seq uint16) (b []byte, header int) {
	words := rng.IntN(4)
	header = 12
	b = make([]byte, 12, 1500)
	b[0], b[1] = 0x80, 96
	if words > 0 {
		b[0] |= 0x10
		header = 16 + 4*words
		b = append(b, 0xbe, 0xde, 0, byte(words))
		b = append(b, make([]byte, 4*words)...)
	}
	binary.BigEndian.PutUint16(b[2:], seq)
	binary.BigEndian.PutUint32(b[4:], rng.Uint32())
	binary.BigEndian.PutUint32(b[8:], ssrc)
	for range rng.IntN(1200) {
		b = append(b, byte(rng.Uint32()))
	}
	return b, header
}

// TestPeersReadWhatIsSealed sends several streams, out of order and over many rollovers, with RTCP in between.
func TestPeersReadWhatIsSealed(t *testing.T) {
	everySealer(t, func(t *testing.T, s Sealer, peer *srtp.Context) {
		rng := rand.New(rand.NewPCG(1, 2))
		var streams [3]Stream
		numbers := [3]uint16{0, 65530, uint16(rng.Uint32())}
		sealed := make([]byte, 2000)
		for i := range 4000 {
			k := rng.IntN(len(streams))
			numbers[k] += uint16(2 + rng.IntN(300))
			for _, seq := range []uint16{numbers[k], numbers[k] - 1} { // the second one late
				if i < 10 && seq != numbers[k] {
					continue // it may be from before the begin
				}
				plain, header := packet(rng, uint32(100+k), seq)
				copy(sealed, plain[:header])
				b, err := s.RTP(&streams[k], sealed, header, plain[header:])
				if err != nil {
					t.Fatal(err)
				}
				if got, err := peer.DecryptRTP(nil, b, nil); err != nil || !bytes.Equal(got, plain) {
					t.Fatalf("packet %d of stream %d: %v", seq, k, err)
				}
			}
			if i%10 == 0 {
				plain := binary.BigEndian.AppendUint32([]byte{0x80, 201, 0, 1}, uint32(k))
				b, err := s.RTCP(sealed, plain)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := peer.DecryptRTCP(nil, b, nil); err != nil || !bytes.Equal(got, plain) {
					t.Fatalf("compound packet: % x, %v", got, err)
				}
			}
		}
	})
}

func TestNumbersAreNeverGuessedBack(t *testing.T) {
	var s Stream
	for _, c := range []struct {
		seq  uint16
		want uint64
		err  error
	}{
		{5, 5, nil}, {3, 3, nil}, {65535, 0, ErrBehind}, {32000, 32000, nil}, {64000, 64000, nil}, {10, 65546, nil},
		{65000, 65000, nil}, {9, 65545, nil},
	} {
		if n, err := s.number(c.seq); n != c.want || !errors.Is(err, c.err) {
			t.Errorf("%d is %d, %v; want %d, %v", c.seq, n, err, c.want, c.err)
		}
	}
	s = Stream{highest: most, begun: true}
	if _, err := s.number(0); !errors.Is(err, ErrExhausted) {
		t.Errorf("after the last number: %v", err)
	}
	if n, err := s.number(65535); n != most || err != nil {
		t.Errorf("the last number: %d, %v", n, err)
	}
	g := &GCM{sent: mostControl}
	if _, err := g.RTCP(nil, make([]byte, 8)); !errors.Is(err, ErrExhausted) {
		t.Errorf("after the last compound packet: %v", err)
	}
}

func TestWhatIsNoKeyIsRefused(t *testing.T) {
	if _, err := NewGCM(new(GCM), make([]byte, 16), make([]byte, 14)); err == nil {
		t.Error("a salt of 14 bytes was taken")
	}
	if _, err := NewGCM(new(GCM), make([]byte, 15), make([]byte, 12)); err == nil {
		t.Error("a key of 15 bytes was taken")
	}
	g, err := NewGCM(new(GCM), make([]byte, 16), make([]byte, 12))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.RTCP(make([]byte, 100), make([]byte, 7)); err == nil {
		t.Error("7 bytes of RTCP were taken")
	}
}

func TestSealingAllocatesNothing(t *testing.T) {
	g, err := NewGCM(new(GCM), make([]byte, 16), make([]byte, 12))
	if err != nil {
		t.Fatal(err)
	}
	var s Stream
	b, payload, control := make([]byte, 1500), make([]byte, 1100), make([]byte, 28)
	seq := uint16(0)
	if n := testing.AllocsPerRun(100, func() {
		seq++
		b[0] = 0x80
		binary.BigEndian.PutUint16(b[2:], seq)
		_, _ = g.RTP(&s, b, 12, payload)
		_, _ = g.RTCP(b, control)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkRTP is a full packet of video, with each implementation.
func BenchmarkRTP(b *testing.B) {
	g, err := NewGCM(new(GCM), make([]byte, 16), make([]byte, 12))
	if err != nil {
		b.Fatal(err)
	}
	ctx, err := srtp.CreateContext(make([]byte, 16), make([]byte, 12), srtp.ProtectionProfileAeadAes128Gcm)
	if err != nil {
		b.Fatal(err)
	}
	header := append([]byte{0x90, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0xbe, 0xde, 0, 3}, 0x40, '3', 0x51, 1, 2, 0x62, 1, 2, 3, 0, 0, 0)
	for name, s := range map[string]Sealer{"ours": g, "pion": &Foreign{Context: ctx}} {
		b.Run(name, func(b *testing.B) {
			var stream Stream
			place, payload := make([]byte, 1500), make([]byte, 1100)
			seq := uint16(0)
			b.ReportAllocs()
			for b.Loop() {
				copy(place, header)
				seq++
				binary.BigEndian.PutUint16(place[2:], seq)
				if _, err := s.RTP(&stream, place, len(header), payload); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
