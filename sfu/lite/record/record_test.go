package record

import (
	"bytes"
	"context"
	cryptorand "crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/selfsign"
)

const patience = 20 * time.Second

// wire is one end of a network that loses nothing. It remembers what was written to it.
type wire struct {
	in    chan []byte
	taken chan []byte // in place of in, once muted
	to    *wire
	done  chan struct{}
	end   func()

	mu    sync.Mutex
	wrote [][]byte
	until time.Time
	muted bool // what pion writes is lost
	look  chan struct{}
}

func network() (*wire, *wire) {
	end := func() *wire {
		w := &wire{in: make(chan []byte, 100), taken: make(chan []byte, 100), done: make(chan struct{}), look: make(chan struct{}, 1)}
		w.end = sync.OnceFunc(func() { close(w.done) })
		return w
	}
	a, b := end(), end()
	a.to, b.to = b, a
	return a, b
}

var nowhere = &net.UDPAddr{IP: net.IPv4zero, Port: 9}

func (w *wire) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		w.mu.Lock()
		until := w.until
		w.mu.Unlock()
		if !until.IsZero() && !time.Now().Before(until) {
			return 0, nil, context.DeadlineExceeded
		}
		select {
		case d := <-w.in:
			return copy(b, d), nowhere, nil
		case <-w.look:
		case <-w.done:
			return 0, nil, io.EOF
		}
	}
}

func (w *wire) WriteTo(b []byte, _ net.Addr) (int, error) {
	w.mu.Lock()
	muted := w.muted
	if !muted {
		w.wrote = append(w.wrote, bytes.Clone(b))
	}
	w.mu.Unlock()
	if !muted {
		w.to.arrive(b)
	}
	return len(b), nil
}

func (w *wire) arrive(b []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.muted {
		w.taken <- bytes.Clone(b)
	} else {
		w.in <- bytes.Clone(b)
	}
}

func (w *wire) mute() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.muted = true
}

func (w *wire) SetReadDeadline(t time.Time) error {
	w.mu.Lock()
	w.until = t
	w.mu.Unlock()
	select {
	case w.look <- struct{}{}:
	default:
	}
	return nil
}

func (w *wire) Close() error                     { w.end(); return nil }
func (w *wire) SetDeadline(t time.Time) error    { return w.SetReadDeadline(t) }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }
func (w *wire) LocalAddr() net.Addr              { return nowhere }

// last is the highest number of an encrypted record written, and false for none.
func (w *wire) last() (n uint64, some bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range w.wrote {
		for len(d) > 0 {
			head, rest, ok := Peek(d)
			if !ok {
				break
			}
			if head.Epoch == 1 {
				n, some = max(n, head.Sequence), true
			}
			d = rest
		}
	}
	return n, some
}

// pair is a connection whose one end is a Layer that has taken over, the other pion's.
type pair struct {
	layer *Layer
	ours  *wire
	peer  *dtls.Conn
	state dtls.State
	saw   uint64 // number of the last record before the Layer's first
}

func shake(t testing.TB, suite dtls.CipherSuiteID, certificate tls.Certificate, client bool) *pair {
	t.Helper()
	ours, theirs := network()
	common := []dtls.Option{dtls.WithCertificates(certificate), dtls.WithCipherSuites(suite), dtls.WithInsecureSkipVerify(true)}
	var asServer []dtls.ServerOption
	var asClient []dtls.ClientOption
	for _, o := range common {
		asServer, asClient = append(asServer, o), append(asClient, o)
	}
	one, two := ours, theirs
	if client {
		one, two = theirs, ours
	}
	server, err1 := dtls.ServerWithOptions(one, nowhere, asServer...)
	clientConn, err2 := dtls.ClientWithOptions(two, nowhere, asClient...)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	other := make(chan error, 1)
	go func() { other <- clientConn.HandshakeContext(ctx) }()
	if err := errors.Join(server.HandshakeContext(ctx), <-other); err != nil {
		t.Fatal(err)
	}
	p := &pair{ours: ours, peer: clientConn}
	mine := server
	if client {
		p.peer, mine = server, clientConn
	}
	ours.mute()
	var ok bool
	if p.state, ok = mine.ConnectionState(); !ok {
		t.Fatal("no state")
	}
	if p.saw, ok = ours.last(); !ok {
		t.Fatal("the handshake ended without an encrypted record")
	}
	_ = mine.Close()
	t.Cleanup(func() { _ = theirs.Close(); _ = p.peer.Close() })
	secrets, err := Export(&p.state, 0)
	if err != nil {
		t.Fatal(err)
	}
	if p.layer, err = New(secrets); err != nil {
		t.Fatal(err)
	}
	return p
}

// every runs f with each cipher suite, as DTLS server and as client.
func every(t *testing.T, f func(t *testing.T, p *pair)) {
	own, err := selfsign.GenerateSelfSigned()
	if err != nil {
		t.Fatal(err)
	}
	key, err := rsa.GenerateKey(cryptorand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	old, err := selfsign.SelfSign(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, suite := range Suites() {
		certificate := own
		if strings.Contains(suite.String(), "RSA") {
			certificate = old
		}
		for _, client := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v client=%v", suite, client), func(t *testing.T) { f(t, shake(t, suite, certificate, client)) })
		}
	}
}

func (p *pair) seal(t testing.TB, kind Kind, content []byte) []byte {
	t.Helper()
	b := make([]byte, len(content)+Overhead)
	copy(b[Prefix:], content)
	n, err := p.layer.Seal(b, kind, len(content))
	if err != nil || n != len(b) {
		t.Fatalf("%d bytes, %v", n, err)
	}
	return b
}

// next is a datagram of the peer's.
func (p *pair) next(t testing.TB) []byte {
	t.Helper()
	select {
	case d := <-p.ours.taken:
		return d
	case <-time.After(patience):
		t.Fatal("the peer sent nothing")
		return nil
	}
}

func TestLayerGoesOnWherePionStopped(t *testing.T) {
	every(t, func(t *testing.T, p *pair) {
		buf := make([]byte, 2000)
		for i, size := range []int{1, 100, 1191, 0, 1200} {
			sent := bytes.Repeat([]byte{byte(i + 1)}, size)
			b := p.seal(t, Data, sent)
			if head, _, ok := Peek(b); !ok || head != (Sealed{Data, 1, p.saw + 1 + uint64(i)}) {
				t.Fatalf("record %d is %+v; pion's last was %d", i, head, p.saw)
			}
			p.ours.to.arrive(b)
			if n, err := p.peer.Read(buf); err != nil || !bytes.Equal(buf[:n], sent) {
				t.Fatalf("the peer read %d bytes of %d: %v", n, size, err)
			}
			if _, err := p.peer.Write(sent); err != nil {
				t.Fatal(err)
			}
			kind, got, rest, err := p.layer.Open(p.next(t))
			if err != nil || kind != Data || len(rest) != 0 || !bytes.Equal(got, sent) {
				t.Fatalf("kind %d, %d bytes of %d, rest %d, %v", kind, len(got), size, len(rest), err)
			}
		}
	})
}

func TestGoodbyeBothWays(t *testing.T) {
	every(t, func(t *testing.T, p *pair) {
		bye := Goodbye()
		p.ours.to.arrive(p.seal(t, Alert, bye[:]))
		if _, err := p.peer.Read(make([]byte, 10)); !errors.Is(err, io.EOF) {
			t.Errorf("the peer reads on: %v", err)
		}
		kind, content, _, err := p.layer.Open(p.next(t)) // its answer is the same
		if err != nil || kind != Alert || !Ends(content) {
			t.Errorf("kind %d, content %v, %v", kind, content, err)
		}
	})
}

// TestPionExportsWhatLayersNeed fails when an update of pion changes the state that it exports.
func TestPionExportsWhatLayersNeed(t *testing.T) {
	every(t, func(t *testing.T, p *pair) {
		raw, err := p.state.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		var s state
		if err := gob.NewDecoder(bytes.NewReader(raw)).Decode(&s); err != nil {
			t.Fatal(err)
		}
		if !s.HandshakeComplete || s.LocalEpoch != 1 || s.RemoteEpoch != 1 || len(s.MasterSecret) != 48 || s.SequenceNumber != p.saw+1 {
			t.Errorf("complete %v, epochs %d %d, %d bytes of secret, number %d after %d",
				s.HandshakeComplete, s.LocalEpoch, s.RemoteEpoch, len(s.MasterSecret), s.SequenceNumber, p.saw)
		}
		if s.RemoteRandom == ([32]byte{}) || s.RemoteRandom == s.LocalRandom || p.state.RemoteRandomBytes() != [28]byte(s.RemoteRandom[4:]) {
			t.Error("the randoms are not those of the handshake")
		}
		after, err := Export(&p.state, 1000)
		if err != nil || after.next != 1000 {
			t.Errorf("goes on at %d after 1000 was seen: %v", after.next, err)
		}
		if text := fmt.Sprintf("%v %+v %#v %s", after, after, after, after); strings.Contains(text, fmt.Sprint(after.master[0], after.master[1])) || len(text) > 200 {
			t.Error("secrets are printed: " + text)
		}
	})
}

// exported is a state as pion would give it.
type exported struct{ state }

func (e exported) MarshalBinary() ([]byte, error) {
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(e.state)
	return b.Bytes(), err
}

func exportedState() exported {
	return exported{state{HandshakeComplete: true, LocalEpoch: 1, RemoteEpoch: 1, LocalRandom: [32]byte{1}, RemoteRandom: [32]byte{2},
		CipherSuiteID: uint16(Suites()[0]), MasterSecret: make([]byte, 48), SequenceNumber: 1}}
}

func TestStrangeStatesAreRefused(t *testing.T) {
	if _, err := Export(exportedState(), 0); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*state){
		"not complete":            func(s *state) { s.HandshakeComplete = false },
		"another epoch":           func(s *state) { s.LocalEpoch = 2 },
		"another epoch of theirs": func(s *state) { s.RemoteEpoch = 0 },
		"no secret":               func(s *state) { s.MasterSecret = nil },
		"no random":               func(s *state) { s.LocalRandom = [32]byte{} },
		"no random of theirs":     func(s *state) { s.RemoteRandom = [32]byte{} },
		"no number":               func(s *state) { s.SequenceNumber = 0 },
		"a connection id":         func(s *state) { s.LocalConnectionID = []byte{1} },
	} {
		e := exportedState()
		spoil(&e.state)
		if _, err := Export(e, 0); !errors.Is(err, errState) {
			t.Errorf("%s: %v", name, err)
		}
	}
	e := exportedState()
	e.CipherSuiteID = uint16(dtls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA)
	s, _ := Export(e, 0)
	if _, err := New(s); err == nil {
		t.Error("a cipher suite without GCM")
	}
}

// twins are both ends of a connection.
func twins(t testing.TB) (a, b *Layer) {
	t.Helper()
	end := func(client bool) *Layer {
		e := exportedState()
		if e.IsClient = client; client {
			e.LocalRandom, e.RemoteRandom = e.RemoteRandom, e.LocalRandom
		}
		s, err := Export(e, 0)
		if err != nil {
			t.Fatal(err)
		}
		l, err := New(s)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	return end(true), end(false)
}

func record(t testing.TB, l *Layer, kind Kind, content string) []byte {
	t.Helper()
	return (&pair{layer: l}).seal(t, kind, []byte(content))
}

func TestDatagramOfSeveralRecords(t *testing.T) {
	a, b := twins(t)
	old := record(t, a, Handshake, "x")
	old[3], old[4] = 0, 0 // epoch 0
	forged := record(t, a, Data, "forged")
	forged[len(forged)-1]++
	datagram := slices.Concat(record(t, a, Data, "one"), old, forged, record(t, a, Alert, "two"), []byte("behind"))
	var got []string
	for len(datagram) > 0 {
		var kind Kind
		var content []byte
		var err error
		kind, content, datagram, err = b.Open(datagram)
		got = append(got, fmt.Sprint(kind, string(content), err))
	}
	want := []string{"23one<nil>", fmt.Sprint(22, "", ErrEpoch), fmt.Sprint(23, "", ErrForged), "21two<nil>", fmt.Sprint(0, "", ErrMalformed)}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestHeaderIsAuthentic(t *testing.T) {
	a, b := twins(t)
	sealed := record(t, a, Data, "text")
	for i := range sealed {
		for bit := range 8 {
			spoilt := bytes.Clone(sealed)
			spoilt[i] ^= 1 << bit
			if _, _, _, err := b.Open(spoilt); err == nil {
				t.Fatalf("byte %d may be changed", i)
			}
		}
	}
	if _, got, _, err := b.Open(sealed); err != nil || string(got) != "text" {
		t.Fatalf("after all that: %q %v", got, err)
	}
}

// TestReplayAgainstModel compares with the set of all numbers that were opened.
func TestReplayAgainstModel(t *testing.T) {
	a, b := twins(t)
	rng := rand.New(rand.NewPCG(1, 2))
	const records = 3000
	var sealed [][]byte
	for range records {
		sealed = append(sealed, record(t, a, Data, "x"))
	}
	opened, top := map[int]bool{}, -1
	for at := 0; at < records; at += rng.IntN(4) {
		if rng.IntN(200) == 0 {
			at = min(at+60+rng.IntN(10), records-1)
		}
		i := max(0, min(at+rng.IntN(100)-80, records-1))
		_, _, _, err := b.Open(bytes.Clone(sealed[i]))
		if want := !opened[i] && i > top-window; want != (err == nil) || !want && !errors.Is(err, ErrReplayed) {
			t.Fatalf("record %d with %d the highest, opened before %v: %v", i, top, opened[i], err)
		}
		opened[i] = true
		top = max(top, i)
	}
}

func TestNumbersEndBeforeTheyRepeat(t *testing.T) {
	a, b := twins(t)
	a.next = maxSequence
	if _, _, _, err := b.Open(record(t, a, Data, "last")); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Seal(make([]byte, Overhead), Data, 0); !errors.Is(err, ErrExhausted) {
		t.Errorf("after the last number: %v", err)
	}
	if _, err := b.Seal(make([]byte, Overhead+MaxContent+1), Data, MaxContent+1); !errors.Is(err, ErrTooLong) {
		t.Errorf("content too long: %v", err)
	}
}

func TestSealAndOpenAllocateNothing(t *testing.T) {
	a, b := twins(t)
	buf := make([]byte, 1200+Overhead)
	if n := testing.AllocsPerRun(1000, func() {
		n, err := a.Seal(buf, Data, 1200)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, _, err := b.Open(buf[:n]); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkSealAndOpen100(b *testing.B) {
	one, two := twins(b)
	buf := make([]byte, 100+Overhead)
	b.ReportAllocs()
	for b.Loop() {
		n, _ := one.Seal(buf, Data, 100)
		_, _, _, _ = two.Open(buf[:n])
	}
}

func FuzzOpen(f *testing.F) {
	a, _ := twins(f)
	f.Add(record(f, a, Data, "text"))
	f.Add(slices.Concat(record(f, a, Handshake, "x"), record(f, a, Alert, "\x01\x00")))
	f.Add([]byte{22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3, 23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 9, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, datagram []byte) {
		_, l := twins(t)
		for rest := bytes.Clone(datagram); len(rest) > 0; {
			before := len(rest)
			head, tail, ok := Peek(rest)
			kind, content, next, err := l.Open(rest)
			if ok != !errors.Is(err, ErrMalformed) || len(next) != len(tail) || ok && head.Kind != kind {
				t.Fatalf("Peek %v %v, Open %d %v", head, ok, kind, err)
			}
			if len(next) >= before || err != nil && content != nil {
				t.Fatal("no progress, or content of a record that is not authentic")
			}
			Ends(content)
			Repeats(content)
			rest = next
		}
	})
}
