package sfu

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/selfsign"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
	"github.com/pion/stun/v4"
)

// wirePatience is how long a wire waits for what must happen.
const wirePatience = 10 * time.Second

// wire is a participant of nothing but a socket and keys: it costs next to nothing beside what is measured. Nobody reads what is
// sent to it, but for whom wants to.
type wire struct {
	t         testing.TB
	conn      *net.UDPConn
	transport *Transport
	events    chan Event
	published []*Publication
	slots     []Slot
	ctx, in   *srtp.Context
	began     time.Time // when the answer was applied

	header rtp.Header
	sealed []byte
}

// certificate is shared by all wires of a test: making one takes longer than the rest of a join.
func certificate(t testing.TB) tls.Certificate {
	t.Helper()
	c, err := selfsign.GenerateSelfSigned()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wireOffer writes an offer with a publication for every one of publish and slots, each "audio" or "video".
func wireOffer(cert tls.Certificate, publish, slots []string) (text string, named []Announcement) {
	sum := sha256.Sum256(cert.Certificate[0])
	hexed := strings.ToUpper(hex.EncodeToString(sum[:]))
	var pairs, mids []string
	for i := 0; i < len(hexed); i += 2 {
		pairs = append(pairs, hexed[i:i+2])
	}
	var b strings.Builder
	for i, kind := range append(append([]string(nil), publish...), slots...) {
		direction := "recvonly"
		if i < len(publish) {
			direction = "sendonly"
			named = append(named, Announcement{MID: fmt.Sprint(i), ID: kind})
		}
		codec := "111\r\na=rtpmap:111 opus/48000/2\r\n"
		if kind == "video" {
			codec = "96 97\r\na=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n"
		}
		fmt.Fprintf(&b, "m=%s 9 UDP/TLS/RTP/SAVPF %s", kind, codec)
		fmt.Fprintf(&b, "c=IN IP4 0.0.0.0\r\na=mid:%d\r\na=%s\r\na=rtcp-mux\r\na=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n", i, direction)
		fmt.Fprintf(&b, "a=ice-ufrag:wire\r\na=ice-pwd:passwordofthewirepassword\r\na=setup:actpass\r\na=fingerprint:sha-256 %s\r\n", strings.Join(pairs, ":"))
		if direction == "sendonly" {
			fmt.Fprintf(&b, "a=ssrc:%d cname:wire\r\n", i+1)
		}
		mids = append(mids, fmt.Sprint(i))
	}
	return "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE " + strings.Join(mids, " ") + "\r\n" + b.String(), named
}

// newWire connects a participant.
func newWire(t testing.TB, e *Engine, r *Router, cert tls.Certificate, publish, slots []string) *wire {
	t.Helper()
	w, sdp := joinWire(t, r, cert, publish, slots)
	w.handshake(e, cert, line(sdp, "a=ice-ufrag:"), line(sdp, "a=ice-pwd:"))
	w.connected()
	return w
}

func (w *wire) connected() {
	for w.next() != (StateChanged{State: StateConnected}) {
		continue
	}
}

// joinWire makes a participant that has not connected yet, and its answer.
func joinWire(t testing.TB, r *Router, cert tls.Certificate, publish, slots []string) (w *wire, sdp string) {
	t.Helper()
	w = &wire{t: t, events: make(chan Event, 256)}
	var err error
	if w.transport, err = r.NewTransport("wire", func(ev Event) { w.events <- ev }); err != nil {
		t.Fatal(err)
	}
	if w.conn, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.conn.Close() })
	text, named := wireOffer(cert, publish, slots)
	w.transport.Negotiate(Offer{Rev: 1, SDP: text, Publications: named})
	for sdp == "" {
		switch ev := w.next().(type) {
		case Answered:
			sdp, w.published, w.slots = ev.SDP, ev.Published, ev.Slots
		case Refused:
			t.Fatal(ev.Err)
		}
	}
	w.began = time.Now()
	w.transport.Ready(1)
	return w, sdp
}

func (w *wire) next() Event {
	select {
	case ev := <-w.events:
		return ev
	case <-time.After(wirePatience):
		w.t.Fatal("no event came")
		return nil
	}
}

func line(sdp, key string) string {
	_, rest, _ := strings.Cut(sdp, key)
	value, _, _ := strings.Cut(rest, "\r\n")
	return value
}

// once is a socket that DTLS reads and writes while it shakes hands. What is no DTLS is left out.
type once struct {
	*net.UDPConn
	mute *atomic.Bool // it says no farewell: the server goes on with the keys
}

func (o once) WriteTo(b []byte, to net.Addr) (int, error) {
	if o.mute.Load() {
		return len(b), nil
	}
	return o.UDPConn.WriteTo(b, to)
}

func (o once) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := o.UDPConn.ReadFrom(b)
		if err != nil || n > 0 && b[0] >= 20 && b[0] < 64 {
			return n, from, err
		}
	}
}

// check is a connectivity check that nominates its path.
func check(ufrag, pwd string) []byte {
	return stun.MustBuild(stun.TransactionID, stun.BindingRequest, stun.NewUsername(ufrag+":wire"),
		stun.RawAttribute{Type: stun.AttrUseCandidate}, stun.NewShortTermIntegrity(pwd), stun.Fingerprint).Raw
}

func (w *wire) handshake(e *Engine, cert tls.Certificate, ufrag, pwd string) {
	to := net.UDPAddrFromAddrPort(e.Advertised()[0].Addr)
	if _, err := w.conn.WriteTo(check(ufrag, pwd), to); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.conn.Read(make([]byte, 1500)); err != nil { // the path is known now
		w.t.Fatal(err)
	}
	var mute atomic.Bool
	conn := w.secure(once{w.conn, &mute}, to, cert)
	mute.Store(true)
	from := w.conn.LocalAddr().(*net.UDPAddr)
	_ = conn.Close() // and with it the socket
	var err error
	if w.conn, err = net.DialUDP("udp4", from, to); err != nil {
		w.t.Fatal(err)
	}
}

// secure shakes hands and makes the keys.
func (w *wire) secure(over net.PacketConn, to net.Addr, cert tls.Certificate) *dtls.Conn {
	conn, err := dtls.ClientWithOptions(over, to, dtls.WithCertificates(cert), dtls.WithInsecureSkipVerify(true),
		dtls.WithExtendedMasterSecret(dtls.RequireExtendedMasterSecret), dtls.WithSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM))
	if err != nil {
		w.t.Fatal(err)
	}
	if err := conn.Handshake(); err != nil {
		w.t.Fatal(err)
	}
	state, _ := conn.ConnectionState()
	b, err := state.ExportKeyingMaterial("EXTRACTOR-dtls_srtp", nil, 2*16+2*12)
	if err != nil {
		w.t.Fatal(err)
	}
	w.ctx, err = srtp.CreateContext(b[:16], b[32:44], srtp.ProtectionProfileAeadAes128Gcm)
	if err != nil {
		w.t.Fatal(err)
	}
	w.in, err = srtp.CreateContext(b[16:32], b[44:56], srtp.ProtectionProfileAeadAes128Gcm)
	if err != nil {
		w.t.Fatal(err)
	}
	return conn
}

// send sends an RTP packet.
func (w *wire) send(raw []byte) {
	var err error
	if w.sealed, err = w.ctx.EncryptRTP(w.sealed[:0], raw, &w.header); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.conn.Write(w.sealed); err != nil {
		w.t.Fatal(err)
	}
}

// wireEngine is an engine on loopback, also for benchmarks.
func wireEngine(t testing.TB, change ...func(*Config)) *Engine {
	t.Helper()
	cfg := Config{UDP: "127.0.0.1:0"}
	for _, f := range change {
		f(&cfg)
	}
	e, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// receive reads the next RTP packet that comes within a while, decrypted; nil for none. RTCP is left out.
func (w *wire) receive(within time.Duration) *rtp.Packet {
	w.t.Helper()
	buf := make([]byte, 2000)
	_ = w.conn.SetReadDeadline(time.Now().Add(within))
	for {
		n, err := w.conn.Read(buf)
		if err != nil {
			return nil
		}
		if buf[0]>>6 != 2 || buf[1] >= 192 && buf[1] < 224 { // RFC 5761 §4
			continue
		}
		plain, err := w.in.DecryptRTP(nil, buf[:n], nil)
		if err != nil {
			w.t.Fatal(err)
		}
		p := &rtp.Packet{}
		if err := p.Unmarshal(plain); err != nil {
			w.t.Fatal(err)
		}
		return p
	}
}
