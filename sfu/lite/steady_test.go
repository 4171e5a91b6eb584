package lite

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"hash/crc32"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/turnout-rtc/turnout/sfu/lite/answer"
	"github.com/turnout-rtc/turnout/sfu/lite/record"
	"github.com/turnout-rtc/turnout/sfu/sctp/dcep"
)

// agreed is what a handshake that never was came to, by the names of pion's state.
type agreed struct {
	HandshakeComplete         bool
	LocalEpoch, RemoteEpoch   uint16
	LocalRandom, RemoteRandom [32]byte
	CipherSuiteID             uint16
	MasterSecret              []byte
	SequenceNumber            uint64
	IsClient                  bool
}

func (a agreed) MarshalBinary() ([]byte, error) {
	type plain agreed // without this method
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(plain(a))
	return b.Bytes(), err
}

func layer(t testing.TB, client bool) *record.Layer {
	t.Helper()
	a := agreed{HandshakeComplete: true, LocalEpoch: 1, RemoteEpoch: 1, CipherSuiteID: uint16(record.Suites()[0]),
		MasterSecret: make([]byte, 48), SequenceNumber: 1, IsClient: client, LocalRandom: [32]byte{1}, RemoteRandom: [32]byte{2}}
	if client {
		a.LocalRandom, a.RemoteRandom = a.RemoteRandom, a.LocalRandom
	}
	secrets, err := record.Export(a, 0)
	if err != nil {
		t.Fatal(err)
	}
	l, err := record.New(secrets)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// handmade is a peer that allocates nothing, with one data channel.
type handmade struct {
	t       testing.TB
	conn    *connection // the server's end
	channel *Channel
	sock    *net.UDPConn
	records *record.Layer
	out     *Outlet

	tag    uint32 // of packets to the server
	sent   uint32 // its last number
	heard  uint32 // the server's
	packet []byte
	buf    [2000]byte
}

func newHandmade(t testing.TB) *handmade {
	t.Helper()
	s, err := Open(Config{UDP: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}, Media: func([]Received) {}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	sock, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sock.Close() })
	_ = sock.SetReadDeadline(time.Now().Add(time.Minute))
	p := &handmade{t: t, sock: sock, records: layer(t, true), out: s.NewOutlet()}
	x, err := s.NewTransport(func(e Event) {
		if o, ok := e.(ChannelOpened); ok {
			p.channel = o.Channel
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	x.data.Store(&answer.Data{})
	x.path.Store(&Path{Socket: s.port(0).sock, Remote: sock.LocalAddr().(*net.UDPAddr).AddrPort()})
	c := newConnection(x, layer(t, false))
	x.conn.Store(c)
	p.conn = c
	p.connect()
	return p
}

// connect is the handshake (RFC 9260 §5.1), and opens the channel.
func (p *handmade) connect() {
	const init, cookieEcho, cookie = 1, 10, 7
	p.begin()
	p.chunk(init, 0, []byte{0, 0, 0, 9, 0, 16, 0, 0, 0, 99, 0, 99, 0, 0, 0, 1})
	p.send()
	ack := p.receive()
	p.tag = binary.BigEndian.Uint32(ack[4:])
	p.heard = binary.BigEndian.Uint32(ack[16:]) - 1
	echo := []byte(nil)
	for b := ack[20:]; len(b) >= 4; b = b[(binary.BigEndian.Uint16(b[2:])+3)&^3:] {
		if binary.BigEndian.Uint16(b) == cookie {
			echo = bytes.Clone(b[4:binary.BigEndian.Uint16(b[2:])])
		}
	}
	p.begin()
	p.chunk(cookieEcho, 0, echo)
	p.sendData(dcep.Control, dcep.AppendOpen(nil, dcep.Open{Label: "x"}))
	p.receive() // COOKIE ACK, DATA_CHANNEL_ACK
	if p.channel != nil {
		p.t.Fatal("the channel was told before it was open here")
	}
	p.heard++
	p.report()
	if p.channel == nil {
		p.t.Fatal("the channel was not told")
	}
}

func (p *handmade) begin() {
	p.packet = append(p.buf[:0], make([]byte, record.Prefix+12)...)
	h := p.packet[record.Prefix:]
	binary.BigEndian.PutUint16(h, 5000)
	binary.BigEndian.PutUint16(h[2:], 5000)
	binary.BigEndian.PutUint32(h[4:], p.tag)
}

func (p *handmade) chunk(kind, flags byte, value []byte) {
	p.packet = append(p.packet, kind, flags, byte((len(value)+4)>>8), byte(len(value)+4))
	p.packet = append(p.packet, value...)
	for len(value)%4 != 0 {
		p.packet, value = append(p.packet, 0), append(value, 0)
	}
}

// sendData sends a message, whole, after what was begun.
func (p *handmade) sendData(ppid uint32, b []byte) {
	const data, whole = 0, 3
	p.sent++
	v := binary.BigEndian.AppendUint32(nil, p.sent)
	v = binary.BigEndian.AppendUint32(v, 0) // stream, number on it
	p.chunk(data, whole, append(binary.BigEndian.AppendUint32(v, ppid), b...))
	p.send()
}

// report acknowledges everything.
func (p *handmade) report() {
	const sack = 3
	p.begin()
	v := [12]byte{4: 0, 5: 16}
	binary.BigEndian.PutUint32(v[:], p.heard)
	p.chunk(sack, 0, v[:])
	p.send()
}

// send has the server receive the packet.
func (p *handmade) send() {
	h := p.packet[record.Prefix:]
	binary.LittleEndian.PutUint32(h[8:], crc32.Checksum(h, crc32.MakeTable(crc32.Castagnoli)))
	n := len(h)
	b := append(p.packet, make([]byte, 16)...)
	if _, err := p.records.Seal(b, record.Data, n); err != nil {
		p.t.Fatal(err)
	}
	now := time.Now()
	if p.conn.receive(now, b) {
		told := p.conn.pour(now, p.out)
		p.out.Flush()
		if told {
			p.conn.tell()
		}
	}
}

// receive is the chunks of the server's next packet.
func (p *handmade) receive() []byte {
	n, err := p.sock.Read(p.buf[:])
	if err != nil {
		p.t.Fatal(err)
	}
	_, packet, _, err := p.records.Open(p.buf[:n])
	if err != nil {
		p.t.Fatal(err)
	}
	return packet[12:]
}

// round is a message to the peer, and its report.
func (p *handmade) round(message []byte) {
	if err := p.channel.Send(message); err != nil {
		p.t.Fatal(err)
	}
	p.receive()
	p.heard++
	p.report()
	if n := p.channel.BufferedAmount(); n != 0 {
		p.t.Fatalf("%d bytes are not acknowledged", n)
	}
}

func TestSendingOnAChannelAllocatesNothing(t *testing.T) {
	p := newHandmade(t)
	p.channel.OnDrain(1000, func() {})
	message := make([]byte, 100)
	if n := testing.AllocsPerRun(1000, func() { p.round(message) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkChannelSend is a message to a peer that reports it, with both system calls and the pump's wake-up.
func BenchmarkChannelSend(b *testing.B) {
	p := newHandmade(b)
	message := make([]byte, 100)
	b.ReportAllocs()
	for b.Loop() {
		p.round(message)
	}
}
