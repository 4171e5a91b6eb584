package turn

import (
	"net"
	"testing"

	"github.com/pion/stun/v4"
)

// FuzzSocket sends anything to a socket: it must go on serving, and answer the Binding request that follows.
func FuzzSocket(f *testing.F) {
	seed := func(method stun.Method, class stun.MessageClass, set ...stun.Setter) {
		m, err := stun.Build(append([]stun.Setter{stun.TransactionID, stun.NewType(method, class)}, set...)...)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(m.Raw)
	}
	seed(stun.MethodAllocate, stun.ClassRequest, protocolUDP)
	seed(stun.MethodAllocate, stun.ClassRequest, protocolTCP, stun.NewUsername("1:a"), stun.NewRealm("r"), stun.NewNonce("n"), stun.MessageIntegrity("k"))
	seed(stun.MethodSend, stun.ClassIndication, peerAt("127.0.0.1:9"), attr{stun.AttrData, []byte("abc")})
	seed(stun.MethodSend, stun.ClassIndication, attr{stun.AttrXORPeerAddress, nil}, attr{stun.AttrData, nil})
	seed(stun.MethodChannelBind, stun.ClassRequest, channel(0x4000), peerAt("127.0.0.1:9"))
	seed(stun.MethodConnect, stun.ClassRequest, peerAt("127.0.0.1:9"))
	f.Add([]byte{0x40, 0, 0, 4, 1, 2, 3, 4})
	f.Add([]byte{})
	s, err := New(loopback(), nil, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Close() })
	p := newPipe()
	if err := s.AdoptPacketConn(p); err != nil {
		f.Fatal(err)
	}
	from := net.Addr(udpAddr("127.0.0.1:5000"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p.in <- packet{b, from}
		p.in <- packet{(&raw{t: t}).build(stun.MethodBinding), from}
		for m := range p.out {
			if m.b[0] == 1 && m.b[1] == 1 {
				return
			}
		}
	})
}
