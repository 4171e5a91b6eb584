package frame

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/pion/stun/v4"
)

var peers = []netip.AddrPort{
	netip.MustParseAddrPort("203.0.113.7:5004"), netip.MustParseAddrPort("[2001:db8::7]:65535"), netip.MustParseAddrPort("0.0.0.0:0"),
}

// data is a raw attribute for pion's encoder, which serves as the independent side of these tests.
type raw struct {
	kind  stun.AttrType
	value []byte
}

func (r raw) AddTo(m *stun.Message) error {
	m.Add(r.kind, r.value)
	return nil
}

type peerAddress netip.AddrPort

func (p peerAddress) AddTo(m *stun.Message) error {
	a := netip.AddrPort(p)
	return stun.XORMappedAddress{IP: a.Addr().AsSlice(), Port: int(a.Port())}.AddToAs(m, stun.AttrXORPeerAddress)
}

func build(t testing.TB, set ...stun.Setter) []byte {
	t.Helper()
	m, err := stun.Build(append([]stun.Setter{stun.TransactionID}, set...)...)
	if err != nil {
		t.Fatal(err)
	}
	return m.Raw
}

func TestSendIsReadAsOthersWriteIt(t *testing.T) {
	send := stun.NewType(stun.MethodSend, stun.ClassIndication)
	for _, want := range peers {
		for n := range 9 {
			payload := bytes.Repeat([]byte{7}, n)
			b := build(t, send, raw{0x8022, []byte("agent")}, peerAddress(want), raw{stun.AttrDontFragment, nil}, raw{stun.AttrData, payload}, stun.Fingerprint)
			peer, data, ok := Send(b)
			if !ok || peer != want || !bytes.Equal(data, payload) {
				t.Errorf("%v, %d bytes: got %v, %v, %v", want, n, peer, data, ok)
			}
			if got, ok := PeerAddress(b); !ok || got != want {
				t.Errorf("PeerAddress: %v, %v", got, ok)
			}
		}
	}
}

func TestRequestsSayWhatTheyWant(t *testing.T) {
	bind := stun.NewType(stun.MethodChannelBind, stun.ClassRequest)
	if n := ChannelNumber(build(t, bind, raw{stun.AttrChannelNumber, []byte{0x40, 7, 0, 0}})); n != 0x4007 {
		t.Errorf("channel %x", n)
	}
	for _, c := range []struct {
		value []byte
		want  bool
	}{{nil, false}, {[]byte{0}, false}, {[]byte{0x80}, true}, {[]byte{0x7f}, false}} {
		if got := EvenPortPair(build(t, bind, raw{stun.AttrEvenPort, c.value})); got != c.want {
			t.Errorf("EVEN-PORT %v: %v", c.value, got)
		}
	}
	if ChannelNumber(build(t, bind)) != 0 || EvenPortPair(build(t, bind)) {
		t.Error("found what is not there")
	}
}

func TestSendRefusesWhatItDoesNotUnderstand(t *testing.T) {
	send := stun.NewType(stun.MethodSend, stun.ClassIndication)
	peer, data := peerAddress(peers[0]), raw{stun.AttrData, []byte("x")}
	whole := build(t, send, peer, data)
	for name, b := range map[string][]byte{
		"no peer":            build(t, send, data),
		"no data":            build(t, send, peer),
		"empty peer":         build(t, send, raw{stun.AttrXORPeerAddress, nil}, data),
		"short peer":         build(t, send, raw{stun.AttrXORPeerAddress, make([]byte, 7)}, data),
		"strange family":     build(t, send, raw{stun.AttrXORPeerAddress, []byte{0, 3, 0, 0, 0, 0, 0, 0}}, data),
		"unknown and needed": build(t, send, peer, data, raw{0x7001, nil}),
		"a request":          build(t, stun.NewType(stun.MethodAllocate, stun.ClassRequest), peer, data),
		"cut":                whole[:len(whole)-1],
		"longer":             append(bytes.Clone(whole), 0),
		"empty":              nil,
	} {
		if _, _, ok := Send(b); ok {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestDataIsReadByOthers(t *testing.T) {
	for _, peer := range peers {
		for n := range 9 {
			buf := bytes.Repeat([]byte{0xEE}, Headroom+n+Tailroom)
			payload := bytes.Repeat([]byte{9}, n)
			copy(buf[Headroom:], payload)
			m := &stun.Message{Raw: PutData(buf, Headroom, n, peer, [12]byte{1, 2, 3})}
			if err := m.Decode(); err != nil {
				t.Fatal(err)
			}
			var from stun.XORMappedAddress
			if err := from.GetFromAs(m, stun.AttrXORPeerAddress); err != nil {
				t.Fatal(err)
			}
			ip, _ := netip.AddrFromSlice(from.IP)
			data, err := m.Get(stun.AttrData)
			if err != nil || !bytes.Equal(data, payload) || netip.AddrPortFrom(ip.Unmap(), uint16(from.Port)) != peer {
				t.Errorf("%v, %d bytes: %v %v %v", peer, n, from, data, err)
			}
			if m.Type != stun.NewType(stun.MethodData, stun.ClassIndication) || m.TransactionID != [12]byte{1, 2, 3} {
				t.Errorf("%v", m)
			}
		}
	}
}

func TestChannelRoundTrip(t *testing.T) {
	for n := range 9 {
		for _, padded := range []bool{false, true} {
			buf := bytes.Repeat([]byte{0xEE}, Headroom+n+Tailroom)
			m := PutChannel(buf, Headroom, n, 0x4001, padded)
			number, payload, ok := Channel(m)
			if !ok || number != 0x4001 || len(payload) != n {
				t.Errorf("%d bytes: %x %d %v", n, number, len(payload), ok)
			}
			if padded && len(m)%4 != 0 || !padded && len(m) != ChannelHeader+n {
				t.Errorf("%d bytes, padded %v: %d", n, padded, len(m))
			}
		}
	}
	for _, b := range [][]byte{nil, {0x40, 0, 0}, {0x40, 0, 0, 1}, {0x80, 0, 0, 0}, {0, 0, 0, 0}} {
		if _, _, ok := Channel(b); ok {
			t.Errorf("%v accepted", b)
		}
	}
}

// A stream cut anywhere gives the same messages as the whole.
func TestLengthFindsTheBordersHoweverTheStreamIsCut(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		var stream []byte
		var want []int
		for range 1 + rng.IntN(5) {
			var m []byte
			if rng.IntN(2) == 0 {
				m = build(t, stun.BindingRequest, raw{0x8022, make([]byte, rng.IntN(700))})
			} else {
				n := rng.IntN(1500)
				m = bytes.Clone(PutChannel(make([]byte, Headroom+n+Tailroom), Headroom, n, 0x4000, true))
			}
			stream, want = append(stream, m...), append(want, len(m))
		}
		var got []int
		for from, to := 0, 0; to < len(stream); {
			to = min(len(stream), to+1+rng.IntN(500))
			for {
				n, err := Length(stream[from:to])
				if err != nil {
					t.Fatal(err)
				}
				if n == 0 || n > to-from {
					break
				}
				got, from = append(got, n), from+n
			}
		}
		if len(got) != len(want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}

func TestLengthRefusesWhatCannotBeRead(t *testing.T) {
	for _, c := range []struct {
		b    []byte
		want error
	}{
		{[]byte("GET / HTTP/1.1"), ErrTooLong}, // "G" is 0x47, a channel number: but an absurdly long one
		{[]byte{22, 3, 1, 2}, ErrNotTURN},
		{[]byte{0x80, 0, 0, 0}, ErrNotTURN},
		{[]byte{0, 1, 0, 3}, ErrNotTURN},
		{[]byte{0, 1, 0, 0, 1, 2, 3, 4}, ErrNotTURN},
		{[]byte{0x40, 0, 0xff, 0xfc}, ErrTooLong},
		{[]byte{0x40, 0, 0xff, 0xff}, ErrTooLong},
		{[]byte{0, 1, 0xff, 0xfc}, ErrTooLong},
	} {
		if n, err := Length(c.b); !errors.Is(err, c.want) {
			t.Errorf("%v: %d, %v", c.b, n, err)
		}
	}
}

func TestNothingIsAllocated(t *testing.T) {
	b := build(t, stun.NewType(stun.MethodSend, stun.ClassIndication), peerAddress(peers[1]), raw{stun.AttrData, make([]byte, 100)})
	buf := make([]byte, Headroom+100+Tailroom)
	if n := testing.AllocsPerRun(100, func() {
		Send(b)
		PutData(buf, Headroom, 100, peers[1], [12]byte{})
		Channel(PutChannel(buf, Headroom, 100, 0x4000, true))
		_, _ = Length(b)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzFrame(f *testing.F) {
	f.Add(build(f, stun.NewType(stun.MethodSend, stun.ClassIndication), peerAddress(peers[0]), raw{stun.AttrData, []byte("abc")}))
	f.Add(build(f, stun.NewType(stun.MethodSend, stun.ClassIndication), raw{stun.AttrXORPeerAddress, nil}, raw{stun.AttrData, nil}))
	f.Add([]byte{0x40, 0, 0, 5, 1, 2, 3, 4, 5, 0, 0, 0})
	f.Add([]byte{0x40, 0, 0xff, 0xfc, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, err := Length(b); err == nil && (n < 0 || n > Max || n > 0 && n < ChannelHeader) {
			t.Errorf("Length = %d", n)
		}
		if _, payload, ok := Channel(b); ok && len(payload) > len(b)-ChannelHeader {
			t.Error("payload is longer than the message")
		}
		if peer, data, ok := Send(b); ok {
			if !peer.IsValid() || len(data) > len(b) {
				t.Errorf("peer %v, %d bytes", peer, len(data))
			}
			m := &stun.Message{Raw: b}
			if err := m.Decode(); err != nil {
				t.Errorf("pion does not read it: %v", err)
			}
		}
		PeerAddress(b)
		EvenPortPair(b)
		ChannelNumber(b)
	})
}
