package signaling_test

import (
	"bufio"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/turnout-rtc/turnout/datachannel/frame"
	"github.com/turnout-rtc/turnout/datachannel/yjs"
	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// mortal is the server that people run, which the test kills.
type mortal struct {
	t      *testing.T
	binary string
	data   string
	cmd    *exec.Cmd
	addr   string
}

func newMortal(t *testing.T) *mortal {
	t.Helper()
	m := &mortal{t: t, binary: filepath.Join(t.TempDir(), "turnout"), data: t.TempDir()}
	if out, err := exec.Command("go", "build", "-o", m.binary, "../cmd/turnout").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	t.Cleanup(m.kill)
	return m
}

func (m *mortal) start() {
	m.t.Helper()
	const free = "127.0.0.1:0"
	m.cmd = exec.Command(m.binary, "dev", "--data", m.data, "--listen", free, "--rtc-udp", free, "--rtc-tcp", free, "--no-turn-enabled", "--log-level", "warn")
	m.cmd.Env = []string{"HOME=" + m.data, "TURNOUT_SIGNALING_KEYS=dev=" + secret}
	m.cmd.Stderr = os.Stderr
	out, err := m.cmd.StdoutPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	where := regexp.MustCompile(`Room +http://localhost:(\d+)/r/lobby`)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if found := where.FindStringSubmatch(lines.Text()); found != nil {
			m.addr = "127.0.0.1:" + found[1]
			return
		}
	}
	m.t.Fatal("the server does not say where it is")
}

// kill ends it without warning.
func (m *mortal) kill() {
	if m.cmd != nil {
		_ = m.cmd.Process.Kill()
		_ = m.cmd.Wait()
		m.cmd = nil
	}
}

// writer is a client that types, over one of the wires.
type writer struct {
	t       *testing.T
	wire    crashWire
	id      uint64 // its Yjs client
	ws      *websocket.Conn
	reading sync.WaitGroup

	mu       sync.Mutex
	core     *yjs.Doc // all that follows is guarded by mu
	clock    uint64
	open     bool     // the server's state is here
	inFlight []uint64 // clocks behind what was sent and not acknowledged, in order
	acked    uint64   // clock up to which everything is on disk
	next     uint64   // of ids
}

// crashWire says how a writer talks to the server.
type crashWire interface {
	dial(m *mortal) *websocket.Conn
	begin(w *writer)
	say(w *writer, kind yjs.Kind, body []byte)
	take(w *writer, b []byte)
}

func (w *writer) connect(m *mortal) {
	w.t.Helper()
	w.open, w.inFlight, w.next = false, nil, 0
	w.ws = w.wire.dial(m)
	w.wire.begin(w)
	w.reading.Go(func() {
		for {
			kind, b, err := w.ws.ReadMessage()
			if err != nil {
				return
			}
			if kind == websocket.BinaryMessage {
				w.mu.Lock()
				w.wire.take(w, b)
				w.mu.Unlock()
			}
		}
	})
}

func (w *writer) disconnect() {
	w.reading.Wait() // the server is dead, and what it said is read
	_ = w.ws.Close()
}

func (w *writer) send(b []byte) { _ = w.ws.WriteMessage(websocket.BinaryMessage, b) } // the server may be dead

func (w *writer) vector() []byte { return w.core.StateVector().Append(nil) }

// typeWord types if the document is open.
func (w *writer) typeWord(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.open {
		return
	}
	update := typed(w.id, w.clock, text)
	w.clock += uint64(len(text))
	w.apply(update)
	w.inFlight = append(w.inFlight, w.clock)
	w.wire.say(w, yjs.SyncUpdate, update)
}

func (w *writer) apply(update []byte) {
	if _, err := w.core.Apply(update); err != nil {
		w.t.Error(err)
	}
}

// serverHas hears the server's state vector: everything acknowledged must be in it. The answer is what the server lacks.
func (w *writer) serverHas(vector []byte) {
	v, err := yjs.DecodeStateVector(vector)
	if err != nil {
		w.t.Error(err)
		return
	}
	if v.Clock(w.id) < w.acked {
		w.t.Errorf("acknowledged was %d of client %d, and the server has %d", w.acked, w.id, v.Clock(w.id))
	}
	w.open = true
	w.inFlight = append(w.inFlight, w.clock)
	w.wire.say(w, yjs.SyncStep2, w.core.Diff(v))
}

func (w *writer) acknowledged() {
	if len(w.inFlight) == 0 {
		w.t.Error("an acknowledgement of nothing")
		return
	}
	w.acked = max(w.acked, w.inFlight[0])
	w.inFlight = w.inFlight[1:]
}

// typed is a Yjs update: client inserts text at its clock, behind its own last character, the first at the beginning of the root
// type "t".
func typed(client, clock uint64, text string) []byte {
	number := func(b []byte, n uint64) []byte {
		for ; n >= 0x80; n >>= 7 {
			b = append(b, byte(n)|0x80)
		}
		return append(b, byte(n))
	}
	b := number(number([]byte{1, 1}, client), clock)
	if clock == 0 {
		b = append(b, 4, 1, 1, 't')
	} else {
		b = number(number(append(b, 4|0x80), client), clock-1)
	}
	return append(append(number(b, uint64(len(text))), text...), 0)
}

func dialTo(t *testing.T, url string) *websocket.Conn {
	t.Helper()
	ws, response, err := websocket.DefaultDialer.Dial(url, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return ws
}

// yWire is y-websocket's.
type yWire struct{}

func (yWire) dial(m *mortal) *websocket.Conn {
	return dialTo(m.t, "ws://"+m.addr+"/y/room/notes?token="+token(m.t, "yvonne"))
}
func (y yWire) begin(w *writer) { y.say(w, yjs.SyncStep1, w.vector()) }
func (yWire) say(w *writer, kind yjs.Kind, body []byte) {
	w.send(yjs.Message{Kind: kind, Body: body}.Append(nil))
}

func (yWire) take(w *writer, b []byte) {
	m, err := yjs.DecodeMessage(b)
	if err != nil {
		w.t.Errorf("%x: %v", b, err)
		return
	}
	w.document(m)
}

// document takes what is the same on the wires of y-websocket and Hocuspocus.
func (w *writer) document(m yjs.Message) {
	switch m.Kind {
	case yjs.SyncStep1:
		w.serverHas(m.Body)
	case yjs.SyncStep2, yjs.SyncUpdate:
		w.apply(m.Body)
	case yjs.SyncStatus:
		if m.Body[0] != 1 {
			w.t.Error("refused")
		}
		w.acknowledged()
	default:
	}
}

// hWire is Hocuspocus'.
type hWire struct{}

func (hWire) dial(m *mortal) *websocket.Conn { return dialTo(m.t, "ws://"+m.addr+"/hocuspocus/room") }

func (h hWire) begin(w *writer) {
	h.say(w, yjs.Token, []byte(token(w.t, "hannah")))
	h.say(w, yjs.SyncStep1, w.vector())
}

func (hWire) say(w *writer, kind yjs.Kind, body []byte) {
	w.send(yjs.Hocuspocus{Key: []byte("notes"), Message: yjs.Message{Kind: kind, Body: body}}.Append(nil))
}

func (hWire) take(w *writer, b []byte) {
	m, err := yjs.DecodeHocuspocus(b)
	if err != nil {
		w.t.Errorf("%x: %v", b, err)
		return
	}
	w.document(m.Message)
}

// dataWire is our own, over the signaling WebSocket.
type dataWire struct{ identity string }

func (dataWire) dial(m *mortal) *websocket.Conn { return dialTo(m.t, "ws://"+m.addr+"/ws") }

func (d dataWire) begin(w *writer) {
	join, err := protocol.EncodeRequest(1, protocol.Join{Protocol: 1, Token: token(w.t, d.identity), Client: protocol.Client{Name: "test"}})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.ws.WriteMessage(websocket.TextMessage, join); err != nil {
		w.t.Fatal(err)
	}
	if _, _, err := w.ws.ReadMessage(); err != nil { // joined
		w.t.Fatal(err)
	}
	w.next++
	w.send(frame.Append(frame.Append(nil, frame.Hello{Version: frame.Version}), frame.DocOpen{ID: w.next, Doc: 1, Name: "notes", StateVector: w.vector()}))
}

func (dataWire) say(w *writer, _ yjs.Kind, body []byte) {
	w.next++
	w.send(frame.Append(nil, frame.DocUpdate{ID: w.next, Doc: 1, Update: body}))
}

func (dataWire) take(w *writer, b []byte) {
	for len(b) > 0 {
		raw, rest, err := frame.Next(b)
		if err != nil {
			w.t.Errorf("%x: %v", b, err)
			return
		}
		b = rest
		f, err := frame.Decode(raw)
		if err != nil {
			continue
		}
		switch f := f.(type) {
		case frame.DocState:
			w.apply(f.Update)
			w.serverHas(f.StateVector)
		case frame.DocChange:
			w.apply(f.Update)
		case frame.DocAck:
			w.acknowledged()
		case frame.Error:
			w.t.Errorf("refused: %+v", f)
		default:
		}
	}
}

// TestAKilledServerLosesNothingAcknowledged edits over all wires while the server is killed and started again, many times.
func TestAKilledServerLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	rounds := 200
	if testing.Short() {
		rounds = 10
	}
	m := newMortal(t)
	random := rand.New(rand.NewPCG(1, 1))
	var all []*writer
	for i, wire := range []crashWire{yWire{}, hWire{}, dataWire{"dora"}, dataWire{"dirk"}} {
		all = append(all, &writer{t: t, wire: wire, id: uint64(i) + 1, core: &yjs.Doc{}})
	}
	for range rounds {
		m.start()
		for _, w := range all {
			w.connect(m)
		}
		for end := time.Now().Add(time.Duration(random.IntN(60)) * time.Millisecond); time.Now().Before(end); time.Sleep(time.Millisecond) {
			all[random.IntN(len(all))].typeWord("xyz"[:1+random.IntN(3)])
		}
		m.kill()
		for _, w := range all {
			w.disconnect()
		}
		if t.Failed() {
			return
		}
	}
	m.start()
	for _, w := range all {
		w.connect(m)
	}
	eventually(t, "all have the same, and all of it is saved", func() bool { return settled(all) })
	m.kill()
	total := uint64(0)
	for _, w := range all {
		w.disconnect()
		total += w.clock
	}
	t.Logf("%d rounds, %d characters", rounds, total)
	if total == 0 {
		t.Fatal("no round was long enough to type anything")
	}
}

func settled(all []*writer) bool {
	var texts []string
	for _, w := range all {
		w.mu.Lock()
		_, silent := w.wire.(yWire) // has no acknowledgements
		synced := silent || w.acked == w.clock && len(w.inFlight) == 0
		var same yjs.Doc
		_, err := same.Restore(w.core.Encode())
		w.mu.Unlock()
		if !synced || err != nil {
			return false
		}
		same.Compact()
		texts = append(texts, string(same.Encode()))
	}
	for _, text := range texts {
		if text != texts[0] {
			return false
		}
	}
	return true
}
