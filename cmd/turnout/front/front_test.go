package front

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The first bytes of what is not HTTP: a Binding request, and the same framed as ICE over TCP frames it.
var (
	stun = append([]byte{0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42}, bytes.Repeat([]byte{7}, 12)...)
	ice  = append([]byte{0, 20}, stun...)
)

// rig is a Front whose TURN and ICE say who they are and what they read.
type rig struct {
	t     *testing.T
	front *Front
	roots *x509.CertPool
}

func newRig(t *testing.T, change ...func(*Config)) *rig {
	t.Helper()
	cert, roots := selfSigned(t)
	cfg := Config{Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return cert, nil }}
	for _, f := range change {
		f(&cfg)
	}
	f, err := Listen("127.0.0.1:0", cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, front: f, roots: roots}
	say := func(who string) http.Handler {
		return Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, who+" "+r.Proto)
			if r.TLS != nil {
				_, _ = io.WriteString(w, " inside TLS for "+r.TLS.ServerName)
			}
		}))
	}
	var servers []*http.Server
	ended := make(chan error, 2)
	for who, l := range map[string]net.Listener{"https": f.HTTPS(), "http": f.HTTP()} {
		s := &http.Server{Handler: say(who), ConnContext: ConnContext}
		servers = append(servers, s)
		go func() { ended <- s.Serve(l) }()
	}
	f.Serve(Destinations{
		TURN: func(c net.Conn, secure bool) error {
			who := "turn"
			if secure {
				who = "turns"
			}
			return answer(c, who, len(stun))
		},
		ICE: func(c net.Conn) error { return answer(c, "ice", len(ice)) },
	})
	t.Cleanup(func() {
		if err := errors.Join(f.Close(), f.Close()); err != nil {
			t.Error(err)
		}
		for _, s := range servers {
			_ = s.Close()
			if err := <-ended; !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
		}
	})
	return r
}

// answer reads all of the first message and sends it back behind a name.
func answer(c net.Conn, who string, size int) error {
	defer c.Close()
	if _, ok := c.RemoteAddr().(*net.TCPAddr); !ok {
		return errors.New("no TCP address")
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(c, b); err != nil {
		return err
	}
	_, err := c.Write(append([]byte(who+":"), b...))
	return err
}

func selfSigned(t *testing.T) (*tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"meet.test"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, roots
}

func (r *rig) dial() net.Conn {
	r.t.Helper()
	c, err := net.Dial("tcp", r.front.Addr().String())
	if err != nil {
		r.t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	r.t.Cleanup(func() { _ = c.Close() })
	return c
}

func (r *rig) secure(protocols ...string) *tls.Conn {
	return tls.Client(r.dial(), &tls.Config{RootCAs: r.roots, ServerName: "meet.test", NextProtos: protocols})
}

const get = "GET / HTTP/1.1\r\nHost: meet.test\r\nConnection: close\r\n\r\n"

func TestEveryProtocolOfThePortFindsItsServer(t *testing.T) {
	r := newRig(t)
	for name, c := range map[string]struct {
		conn net.Conn
		say  string
		want string
	}{
		"TURN":                           {r.dial(), string(stun), "turn:" + string(stun)},
		"ICE over TCP":                   {r.dial(), string(ice), "ice:" + string(ice)},
		"HTTP":                           {r.dial(), get, "http HTTP/1.1"},
		"TURN inside TLS":                {r.secure(), string(stun), "turns:" + string(stun)},
		"TURN by name":                   {r.secure("stun.turn"), string(stun), "turns:" + string(stun)},
		"TURN by one of its names":       {r.secure("http/1.1", "stun.turn", "stun.nat-discovery"), string(stun), "turns:" + string(stun)},
		"TURN under an unknown name":     {r.secure("stun.nat-discovery", "x"), string(stun), "turns:" + string(stun)},
		"HTTPS":                          {r.secure("http/1.1"), get, "https HTTP/1.1 inside TLS for meet.test"},
		"HTTPS of a client without ALPN": {r.secure(), get, "https HTTP/1.1 inside TLS for meet.test"},
	} {
		if _, err := io.WriteString(c.conn, c.say); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got, _ := io.ReadAll(c.conn)
		if !strings.Contains(string(got), c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	client := http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: r.roots, ServerName: "meet.test"}, ForceAttemptHTTP2: true,
	}}
	defer client.CloseIdleConnections()
	res, err := client.Get("https://" + r.front.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); string(body) != "https HTTP/2.0 inside TLS for meet.test" {
		t.Errorf("HTTP/2: %s", body)
	}
	s := r.front.Stats()
	if s.Handed["turn"] != 5 || s.Handed["https"] != 3 || s.Handed["http"] != 1 || s.Handed["ice"] != 1 {
		t.Errorf("%+v", s)
	}
}

// TestFirstBytesMayComeOneByOne is about networks that cut as they like.
func TestFirstBytesMayComeOneByOne(t *testing.T) {
	r := newRig(t)
	c := r.dial()
	_ = c.(*net.TCPConn).SetNoDelay(true)
	for i := range stun {
		if _, err := c.Write(stun[i : i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := io.ReadAll(c); string(got) != "turn:"+string(stun) {
		t.Errorf("%q", got)
	}
}

func TestWhatNobodyTakesIsClosedAndCounted(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Timeout = 500 * time.Millisecond })
	secure := func() net.Conn {
		c := r.secure()
		if err := c.Handshake(); err != nil {
			t.Fatal(err)
		}
		return c
	}
	for name, c := range map[string]struct {
		dial   func() net.Conn
		say    string
		reason string
	}{
		"silence":            {r.dial, "", "silent"},
		"half a message":     {r.dial, "\x00\x01", "silent"},
		"zeros":              {r.dial, strings.Repeat("\x00", 20), "unknown"},
		"a broken handshake": {r.dial, "\x16\x03\x01\x00\x05hello", "handshake"},
		"half a handshake":   {r.dial, "\x16\x03\x01", "handshake"},
		"silence inside TLS": {secure, "", "silent"},
		"ICE inside TLS":     {secure, string(ice), "unknown"},
		"TLS inside TLS":     {secure, "\x16\x03\x01\x00\x05hello", "unknown"},
	} {
		before := r.front.Stats().Refused[c.reason]
		conn := c.dial()
		_, _ = io.WriteString(conn, c.say)
		_, _ = io.Copy(io.Discard, conn) // until it is closed
		for deadline := time.Now().Add(5 * time.Second); r.front.Stats().Refused[c.reason] != before+1; {
			if time.Now().After(deadline) {
				t.Errorf("%s: %+v, want one more %s", name, r.front.Stats().Refused, c.reason)
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
	for deadline := time.Now().Add(5 * time.Second); r.front.Stats().Undecided > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%+v", r.front.Stats())
		}
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	r := newRig(t)
	c := tls.Client(r.dial(), &tls.Config{RootCAs: r.roots, ServerName: "meet.test", MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10})
	if err := c.Handshake(); err == nil {
		t.Error("TLS 1.1 was taken")
	}
}

func TestTheUndecidedAreLimited(t *testing.T) {
	r := newRig(t, func(c *Config) { c.PerSource = 3 })
	var open []net.Conn
	for range 10 {
		open = append(open, r.dial())
	}
	for deadline := time.Now().Add(5 * time.Second); r.front.Stats().Refused["source_full"] != 7; {
		if time.Now().After(deadline) {
			t.Fatalf("%+v", r.front.Stats())
		}
		time.Sleep(time.Millisecond)
	}
	for _, c := range open { // makes room
		_ = c.Close()
	}
	for deadline := time.Now().Add(5 * time.Second); r.front.Stats().Undecided > 0; {
		if time.Now().After(deadline) {
			t.Fatalf("%+v", r.front.Stats())
		}
		time.Sleep(time.Millisecond)
	}
	c := r.dial()
	_, _ = c.Write(stun)
	if got, _ := io.ReadAll(c); string(got) != "turn:"+string(stun) {
		t.Errorf("%q", got)
	}
}
