package demux

import (
	"encoding/binary"
	"testing"
)

// message makes a STUN message with empty attributes.
func stun(kind uint16, attrs ...uint16) []byte {
	b := make([]byte, 20+4*len(attrs))
	binary.BigEndian.PutUint16(b, kind)
	binary.BigEndian.PutUint16(b[2:], uint16(4*len(attrs)))
	binary.BigEndian.PutUint32(b[4:], magic)
	for i, a := range attrs {
		binary.BigEndian.PutUint16(b[20+4*i:], a)
	}
	return b
}

func TestDatagramGoesToWhomItIsFor(t *testing.T) {
	for _, c := range []struct {
		name string
		b    []byte
		want Kind
	}{
		{"plain binding request", stun(0x0001), TURN},
		{"binding request with software", stun(0x0001, 0x8022), TURN},
		{"connectivity check", stun(0x0001, 0x8022, attrUsername), ICE},
		{"connectivity check without user", stun(0x0001, attrPriority), ICE},
		{"binding success", stun(0x0101), ICE},
		{"binding error", stun(0x0111), ICE},
		{"binding indication", stun(0x0011), ICE},
		{"allocate", stun(0x0003), TURN},
		{"refresh", stun(0x0004, attrUsername), TURN},
		{"send indication", stun(0x0016), TURN},
		{"channel bind", stun(0x0009), TURN},
		{"channel data", []byte{0x40, 0, 0, 0}, TURN},
		{"last channel", []byte{0x4f, 0xff, 0, 0}, TURN},
		{"a channel of RFC 5766", []byte{0x7f, 0xff, 0, 0}, TURN},
		{"dtls", []byte{22, 0xfe, 0xfd, 0}, DTLS},
		{"rtp", []byte{0x80, 96, 0, 0}, SRTP},
		{"rtcp", []byte{0x81, 200, 0, 0}, SRTP},
		{"zrtp", []byte{16, 0, 0, 0}, Unknown},
		{"short", []byte{0, 1, 0}, Unknown},
		{"wrong cookie", append([]byte{0, 1, 0, 0, 1, 2, 3, 4}, make([]byte, 12)...), Unknown},
		{"wrong length", append(stun(0x0001), 0), Unknown},
	} {
		if got := Datagram(c.b); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestStreamGoesToWhomItIsFor(t *testing.T) {
	ice := append([]byte{0, 20}, stun(0x0001)...)
	for _, c := range []struct {
		name string
		b    []byte
		want Kind
	}{
		{"get", []byte("GET / HTTP/1.1"), HTTP}, {"http/2", []byte("PRI * HTTP/2.0"), HTTP}, {"connect", []byte("CONNECT a:1"), HTTP},
		{"client hello", []byte{22, 3, 1, 2, 0, 1}, TLS},
		{"allocate", stun(0x0003), TURN}, {"binding", stun(0x0001), TURN}, {"connectivity check", ice, ICE},
		{"zeros", make([]byte, 20), Unknown},
	} {
		for n := 0; ; n++ {
			got, more := Stream(c.b[:min(n, len(c.b))])
			if more && n < StreamBytes {
				continue
			}
			if got != c.want || more {
				t.Errorf("%s after %d bytes: %s, more %v; want %s", c.name, n, got, more, c.want)
			}
			break
		}
	}
}

func TestClassifyingAllocatesNothing(t *testing.T) {
	b := stun(0x0001, 0x8022, attrUsername)
	if n := testing.AllocsPerRun(100, func() { Datagram(b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzDatagram(f *testing.F) {
	f.Add(stun(0x0001, attrUsername))
	f.Add(stun(0x0016))
	f.Add([]byte{0x40, 0, 0, 4, 1, 2, 3, 4})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, more := Stream(b); int(k) >= len(names) || more && len(b) >= StreamBytes {
			t.Errorf("stream %d, more %v", k, more)
		}
		k := Datagram(b)
		if int(k) >= len(names) || k == HTTP {
			t.Fatalf("kind %d", k)
		}
		if len(b) > 0 && k != Unknown && (k == SRTP) != (b[0]>>6 == 2) {
			t.Errorf("first byte %d: %s", b[0], k)
		}
	})
}
