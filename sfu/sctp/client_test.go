package sctp

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"
)

// dialer connects to an association, so that two of ours can be tested with each other.
type dialer struct {
	*Association
	step   int // 0: INIT, 1: COOKIE ECHO, 2: connected
	g      greeting
	echo   []byte
	resend time.Time
}

const repeat = 500 * time.Millisecond

func newDialer(cfg Config) *dialer {
	a := New(cfg)
	g := greeting{ours: tsn(a.cfg.Random()), tag: a.cfg.Random() | 1}
	return &dialer{Association: a, g: g}
}

func (d *dialer) init() []byte {
	v := binary.BigEndian.AppendUint32(nil, d.g.tag)
	v = binary.BigEndian.AppendUint32(v, uint32(d.cfg.Window))
	v = binary.BigEndian.AppendUint16(v, 1024)
	v = binary.BigEndian.AppendUint16(v, 2048)
	v = binary.BigEndian.AppendUint32(v, uint32(d.g.ours))
	v = appendParam(v, 0x8000, nil) // ECN, which nobody has to know
	v = appendParam(v, paramForward, nil)
	v = appendParam(v, paramExtensions, []byte{typeReconfig, typeForward})
	return packetOf(header{5000, 5000, 0}, appendChunk(nil, typeInit, 0, v))
}

// packetOf is a packet with these chunks.
func packetOf(h header, chunks ...[]byte) []byte {
	w := begin(make([]byte, 70000), 70000, h)
	for _, c := range chunks {
		w.b = append(w.b, c...)
	}
	return bytes.Clone(w.b[:w.finish()])
}

func (d *dialer) Poll(now time.Time, buf []byte) int {
	if d.step == 2 {
		return d.Association.Poll(now, buf)
	}
	if now.Before(d.resend) {
		return 0
	}
	d.resend = now.Add(repeat)
	if d.step == 0 {
		return copy(buf, d.init())
	}
	return copy(buf, packetOf(d.g.local, appendChunk(nil, typeCookieEcho, 0, d.echo)))
}

func (d *dialer) Due() (time.Time, bool) {
	if d.step == 2 {
		return d.Association.Due()
	}
	return d.resend, true
}

func (d *dialer) Receive(now time.Time, packet []byte) {
	if d.step == 2 {
		d.Association.Receive(now, packet)
		return
	}
	h, chunks, ok := open(packet)
	if !ok || h.tag != d.g.tag {
		return
	}
	c, _, _ := nextChunk(chunks)
	switch {
	case c.kind == typeInitAck && d.step == 0:
		d.g.local = header{5000, 5000, binary.BigEndian.Uint32(c.value)}
		d.g.window = binary.BigEndian.Uint32(c.value[4:])
		d.g.first = tsn(binary.BigEndian.Uint32(c.value[12:]))
		d.g.params(c.value[initHeader:])
		for b := c.value[initHeader:]; len(b) > 0; {
			p, rest, _ := nextParam(b)
			if p.kind == paramCookie {
				d.echo = bytes.Clone(p.value)
			}
			b = rest
		}
		d.step, d.resend = 1, time.Time{}
	case c.kind == typeCookieAck && d.step == 1:
		d.step = 2
		d.begin(&d.g)
		d.Association.Receive(now, packet)
	}
}

// end is what both ends of a simulated connection have.
type end interface {
	Receive(now time.Time, packet []byte)
	Poll(now time.Time, buf []byte) int
	Due() (time.Time, bool)
}

// seeded is a source of tags and numbers that a test can repeat. Numbers are near the end of their range, where arithmetic goes wrong.
func seeded(seed uint64) func() uint32 {
	r := rand.New(rand.NewPCG(seed, 0))
	return func() uint32 { return 0xFFFFFF00 | r.Uint32() }
}

// start is when simulated time begins.
func start() time.Time { return time.Unix(1000, 0) }

// exchange passes packets at once and without loss until both are silent.
func exchange(t testing.TB, now time.Time, a, b end) {
	t.Helper()
	buf := make([]byte, 2048)
	for range 100000 {
		n := a.Poll(now, buf)
		if n > 0 {
			b.Receive(now, buf[:n])
		}
		m := b.Poll(now, buf)
		if m > 0 {
			a.Receive(now, buf[:m])
		}
		if n+m == 0 {
			return
		}
	}
	t.Fatal("they do not stop")
}

// pair is two associations that are connected.
func pair(t testing.TB, cfg Config) (*Association, *Association) {
	t.Helper()
	server, client := cfg, cfg
	server.Random, client.Random = seeded(1), seeded(2)
	s, c := New(server), newDialer(client)
	exchange(t, start(), c, s)
	for _, a := range []*Association{s, c.Association} {
		if e, ok := a.Next(); !ok || e != (Established{}) {
			t.Fatalf("%v, %v: want established", e, ok)
		}
	}
	return s, c.Association
}

// messages are those that have come.
func messages(a *Association) []Message {
	var found []Message
	for {
		e, ok := a.Next()
		if !ok {
			return found
		}
		if m, ok := e.(Message); ok {
			a.Taken(len(m.Data))
			found = append(found, m)
		}
	}
}
