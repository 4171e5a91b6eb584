package demux

import (
	"encoding/binary"
	"testing"
)

// stun makes a STUN message with empty attributes.
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
				t.Errorf("%s after %d bytes: %d, more %v; want %d", c.name, n, got, more, c.want)
			}
			break
		}
	}
}

func FuzzStream(f *testing.F) {
	f.Add(stun(0x0001, 0x0006))
	f.Add(append([]byte{0, 20}, stun(0x0001)...))
	f.Add([]byte{22, 3, 1})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		k, more := Stream(b)
		switch {
		case k > HTTP, more && len(b) >= StreamBytes, more && k != Unknown:
			t.Fatalf("%d, more %v", k, more)
		case more:
			return
		}
		if again, _ := Stream(append(b[:len(b):len(b)], "what follows"...)); again != k {
			t.Errorf("%d becomes %d with what follows", k, again)
		}
	})
}
