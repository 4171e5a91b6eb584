package datachannel

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/turnout-rtc/turnout/datachannel/frame"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(crashServer); path != "" {
		serveUntilKilled(path)
	}
	goleak.VerifyTestMain(m)
}

// wireEnd is a Conn whose other end the test holds.
type wireEnd struct {
	mu       sync.Mutex
	taken    [][]byte // Guarded by mu, as all below.
	buffered uint64   // grows while stuck
	stuck    bool
	closed   bool
	broken   bool
	drain    func()
}

func (c *wireEnd) Send(b []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken {
		return errors.New("broken")
	}
	c.taken = append(c.taken, append([]byte(nil), b...))
	if c.stuck {
		c.buffered += uint64(len(b))
	}
	return nil
}

func (c *wireEnd) BufferedAmount() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.buffered
}

func (c *wireEnd) OnDrain(_ uint64, f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drain = f
}

func (c *wireEnd) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	return nil
}

func (c *wireEnd) take() [][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.taken
	c.taken = nil
	return taken
}

func (c *wireEnd) unstick() {
	c.mu.Lock()
	c.stuck, c.buffered = false, 0
	drain := c.drain
	c.mu.Unlock()
	drain()
}

// client follows docs/reference/data.md in the most simple way.
type client struct {
	t      *testing.T
	name   string
	member *Member
	conn   *wireEnd
	wire   *Wire
	out    func([]byte) // brings a wire message to the hub

	stream, received uint64
	sent             [][]byte // counted frames, for resending
	acked            uint64

	partial  map[uint64][]byte
	messages []string          // "from topic payload", reliable ones
	lossy    []string          //
	errors   []frame.Error     //
	others   map[string]string // presence
	gaps     uint64
	welcomes int
	docs     []frame.Frame
}

func startHub(t *testing.T, cfg Config) *Hub {
	t.Helper()
	h := NewHub("test", cfg, slog.New(slog.DiscardHandler), Services{})
	t.Cleanup(h.Close)
	return h
}

var everything = Grants{Publish: true, Subscribe: true}

func join(t *testing.T, h *Hub, name string, g Grants) *client {
	t.Helper()
	c := &client{t: t, name: name, member: h.Join(name, g), partial: map[uint64][]byte{}, others: map[string]string{}}
	c.connect()
	return c
}

// connect opens a new reliable wire.
func (c *client) connect() {
	c.conn = &wireEnd{}
	c.wire = c.member.Attach(Reliable, c.conn)
	c.out = c.wire.Receive
	c.hello()
	synctest.Wait()
	c.read()
}

func (c *client) hello() {
	c.out(frame.Append(nil, frame.Hello{Version: 1, Stream: c.stream, Received: c.received}))
}

// say sends a frame on the reliable wire.
func (c *client) say(f frame.Frame) {
	b := frame.Append(nil, f)
	pieces := [][]byte{b}
	if len(b) > frame.MaxMessage {
		pieces = frame.Cut(idOf(f), b)
	}
	for _, piece := range pieces {
		if f.Type().Counted() {
			c.sent = append(c.sent, piece)
		}
		c.out(append([]byte(nil), piece...))
	}
}

func (c *client) send(topic, payload string, to ...string) {
	f := frame.Send{Topic: topic, Payload: []byte(payload), Identities: to}
	if len(to) > 0 {
		f.To = frame.ToIdentities
	}
	c.say(f)
}

// read waits until the hub has sent what it gathers and takes what has come.
func (c *client) read() {
	c.t.Helper()
	time.Sleep(50 * time.Millisecond)
	synctest.Wait()
	c.take()
}

func (c *client) take() {
	c.t.Helper()
	before := c.received
	for _, wire := range c.conn.take() {
		if len(wire) > frame.MaxMessage {
			c.t.Fatalf("a wire message of %d bytes", len(wire))
		}
		for len(wire) > 0 {
			raw, rest, err := frame.Next(wire)
			if err != nil {
				c.t.Fatal(err)
			}
			wire = rest
			f, err := frame.Decode(raw)
			if err != nil {
				c.t.Fatal(err)
			}
			if raw.Type.Counted() && c.welcomes > 0 {
				c.received++
			}
			c.frame(f)
		}
	}
	if c.received > before {
		c.say(frame.Ack{Received: c.received})
	}
}

func (c *client) frame(f frame.Frame) {
	switch f := f.(type) {
	case frame.Welcome:
		c.welcome(f)
	case frame.Ack:
		c.acked = f.Received
	case frame.Message:
		line := fmt.Sprintf("%s %s %s", f.From, f.Topic, f.Payload)
		if f.Lossy {
			c.lossy = append(c.lossy, line)
		} else {
			c.messages = append(c.messages, line)
		}
	case frame.Error:
		c.errors = append(c.errors, f)
	case frame.Gap:
		c.gaps += f.Dropped
		clear(c.partial)
	case frame.Presence:
		if f.Full {
			clear(c.others)
		}
		for _, e := range f.Entries {
			if e.Present {
				c.others[e.Identity] = string(e.Data)
			} else {
				delete(c.others, e.Identity)
			}
		}
	case frame.Fragment:
		c.fragment(f)
	default:
		c.docs = append(c.docs, f)
	}
}

func (c *client) welcome(f frame.Welcome) {
	c.welcomes++
	if f.Stream != c.stream {
		c.stream, c.received, c.sent = f.Stream, 0, nil
		return
	}
	for _, b := range c.sent[f.Received:] {
		c.out(append([]byte(nil), b...))
	}
}

func (c *client) fragment(f frame.Fragment) {
	p := c.partial[f.ID]
	if uint64(len(p)) != f.Offset {
		c.t.Fatalf("fragment at %d, have %d", f.Offset, len(p))
	}
	p = append(p, f.Data...)
	c.partial[f.ID] = p
	if uint64(len(p)) < f.Total {
		return
	}
	delete(c.partial, f.ID)
	raw, err := frame.Parse(p)
	if err != nil {
		c.t.Fatal(err)
	}
	whole, err := frame.Decode(raw)
	if err != nil {
		c.t.Fatal(err)
	}
	c.frame(whole)
}

func (c *client) codes() string {
	var s []string
	for _, e := range c.errors {
		s = append(s, e.Code)
	}
	return strings.Join(s, " ")
}

func (c *client) wantMessages(want ...string) {
	c.t.Helper()
	c.read()
	for i := range max(len(want), len(c.messages)) {
		if i >= len(want) || i >= len(c.messages) || c.messages[i] != want[i] {
			c.t.Fatalf("%s has %d messages, wants %d, and the first difference is at %d", c.name, len(c.messages), len(want), i)
		}
	}
}

func (c *client) wantCodes(want string) {
	c.t.Helper()
	c.read()
	if c.codes() != want {
		c.t.Fatalf("%s was told %q, want %q", c.name, c.codes(), want)
	}
}
