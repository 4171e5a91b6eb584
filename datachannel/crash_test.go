package datachannel

import (
	"bufio"
	"encoding/binary"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/turnout-rtc/turnout/datachannel/frame"
	"github.com/turnout-rtc/turnout/datachannel/store"
	"github.com/turnout-rtc/turnout/datachannel/store/bolt"
	"github.com/turnout-rtc/turnout/datachannel/yjs"
)

// crashServer names the variable by which this test binary becomes a server, that the test kills.
const crashServer = "TURNOUT_TEST_CRASH_SERVER"

const crashClients = 3

// pipe is a Conn of the server: wire messages on standard output, each with the client's number and its size before it.
type pipe struct {
	mu     *sync.Mutex
	client byte
}

func (p pipe) Send(b []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return writeWire(os.Stdout, p.client, b)
}
func (pipe) BufferedAmount() uint64 { return 0 }
func (pipe) OnDrain(uint64, func()) {}
func (pipe) Close() error           { return nil }

func writeWire(w io.Writer, client byte, b []byte) error {
	head := binary.BigEndian.AppendUint32([]byte{client}, uint32(len(b)))
	_, err := w.Write(append(head, b...))
	return err
}

func readWire(r io.Reader) (client byte, b []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	b = make([]byte, binary.BigEndian.Uint32(head[1:]))
	_, err = io.ReadFull(r, b)
	return head[0], b, err
}

// serveUntilKilled is the server: a hub on a file, reached over standard input and output.
func serveUntilKilled(path string) {
	s, err := bolt.Open(path)
	if err != nil {
		panic(err)
	}
	cfg := Config{Rate: 1 << 30, Burst: 1 << 30, RateBytes: 1 << 40, BurstBytes: 1 << 40}
	h := NewHub("room", cfg, slog.New(slog.NewTextHandler(os.Stderr, nil)), Services{Store: store.NewWriter(s)})
	var wires [crashClients]*Wire
	var mu sync.Mutex
	for i := range wires {
		wires[i] = h.Join(string(rune('a'+i)), everything).Attach(Reliable, pipe{&mu, byte(i)})
	}
	in := bufio.NewReader(os.Stdin)
	for {
		client, b, err := readWire(in)
		if err != nil {
			os.Exit(0)
		}
		wires[client].Receive(b)
	}
}

type arrival struct {
	client byte
	bytes  []byte
}

// crashRound is one life of the server.
type crashRound struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	got chan arrival
}

func startCrashServer(t *testing.T, path string) *crashRound {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), crashServer+"="+path)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := &crashRound{cmd, in, make(chan arrival, 1024)}
	go func() { // ends when the server does, and closes got
		defer close(r.got)
		reader := bufio.NewReader(out)
		for {
			client, b, err := readWire(reader)
			if err != nil {
				return
			}
			r.got <- arrival{client, b}
		}
	}()
	return r
}

// kill ends the server without warning and takes what it still said.
func (r *crashRound) kill(editors []*editor) {
	_ = r.cmd.Process.Kill()
	_ = r.in.Close()
	for a := range r.got {
		editors[a.client].arrive(a.bytes)
	}
	_ = r.cmd.Wait()
}

// arrive takes a wire message.
func (e *editor) arrive(b []byte) {
	e.conn.taken = append(e.conn.taken, b)
	e.take()
}

// begin connects the editor to a new life of the server.
func (e *editor) begin(r *crashRound, number byte) {
	e.conn = &wireEnd{}
	e.stream, e.received, e.welcomes = 0, 0, 0
	clear(e.unsynced)
	clear(e.partial)
	e.out = func(b []byte) { _ = writeWire(r.in, number, b) }
	e.hello()
	e.nextID++
	e.say(frame.DocOpen{ID: e.nextID, Doc: 1, Name: "notes", StateVector: e.core.StateVector().Append(nil)})
}

// TestKilledServerLosesNothingAcknowledged edits while the server is killed and started again, many times.
func TestKilledServerLosesNothingAcknowledged(t *testing.T) {
	const rounds = 20 // many more of the whole server: signaling's TestAKilledServerLosesNothingAcknowledged
	random := rand.New(rand.NewPCG(1, 1))
	path := filepath.Join(t.TempDir(), "data.db")
	editors := make([]*editor, crashClients)
	before := map[uint64]uint64{} // acknowledged in the lives of the server before
	for i := range editors {
		c := &client{t: t, partial: map[uint64][]byte{}, others: map[string]string{}}
		editors[i] = edit(c, uint64(i)+1)
		editors[i].onState = func(v yjs.StateVector) {
			for _, e := range editors {
				if v.Clock(e.id) < before[e.id] {
					t.Errorf("acknowledged was %d of client %d, and the server has %d", before[e.id], e.id, v.Clock(e.id))
				}
			}
		}
	}
	acknowledged := uint64(0)
	for range rounds {
		r := startCrashServer(t, path)
		for i, e := range editors {
			e.begin(r, byte(i))
		}
		end := time.NewTimer(time.Duration(random.IntN(60)) * time.Millisecond)
		editUntil(r, editors, end.C, random)
		r.kill(editors)
		if t.Failed() {
			return
		}
		for _, e := range editors {
			before[e.id] = e.acked
			acknowledged += e.acked
		}
	}
	if acknowledged == 0 {
		t.Fatal("no round was long enough for an acknowledgement")
	}
	settle(t, startCrashServer(t, path), editors)
	t.Logf("%d rounds, %d operations acknowledged", rounds, editors[0].acked+editors[1].acked+editors[2].acked)
}

// editUntil types, a little every millisecond, once the document is open.
func editUntil(r *crashRound, editors []*editor, end <-chan time.Time, random *rand.Rand) {
	pause := time.NewTicker(time.Millisecond)
	defer pause.Stop()
	for {
		select {
		case <-end:
			return
		case a, ok := <-r.got:
			if !ok {
				return
			}
			editors[a.client].arrive(a.bytes)
		case <-pause.C:
			if e := editors[random.IntN(len(editors))]; e.welcomes > 0 {
				e.type_("xyz"[:1+random.IntN(3)])
			}
		}
	}
}

// settle connects everyone a last time and waits until all is acknowledged and the same.
func settle(t *testing.T, r *crashRound, editors []*editor) {
	t.Helper()
	defer r.kill(editors)
	for i, e := range editors {
		e.begin(r, byte(i))
	}
	same := func() bool {
		for _, e := range editors {
			if e.acked != e.clock || len(e.unsynced) > 0 || e.text() != editors[0].text() {
				return false
			}
		}
		return true
	}
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	for !same() {
		select {
		case a := <-r.got:
			editors[a.client].arrive(a.bytes)
		case <-deadline.C:
			t.Fatal("the editors do not come to the same text")
		}
	}
}
