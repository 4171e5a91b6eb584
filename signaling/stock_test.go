package signaling_test

import (
	"bufio"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/turnout-rtc/turnout/datachannel"
	"github.com/turnout-rtc/turnout/datachannel/store"
	"github.com/turnout-rtc/turnout/datachannel/store/memory"
	"github.com/turnout-rtc/turnout/datachannel/store/storetest"
	"github.com/turnout-rtc/turnout/sfu"
	"github.com/turnout-rtc/turnout/signaling"
	"github.com/turnout-rtc/turnout/signaling/auth"
)

// archive is a house with documents.
type archive struct {
	*house
	kept   *memory.Store
	faulty *storetest.Faulty
}

// openArchive opens a house that keeps documents. next may be nil; else it says how the store fails.
func openArchive(t *testing.T, data datachannel.Config, next func() storetest.Fault, change ...func(*signaling.Config)) *archive {
	t.Helper()
	media, err := sfu.New(sfu.Config{UDP: "127.0.0.1:0", TCP: "127.0.0.1:0"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if next == nil {
		next = func() storetest.Fault { return 0 }
	}
	kept := memory.New()
	faulty := &storetest.Faulty{Store: kept, Next: next, Damage: func(d store.Doc, seq uint64) { kept.Damage(d, seq) }}
	writer := store.NewWriter(faulty)
	cfg := signaling.Config{Keys: map[string]string{"dev": secret}}
	for _, f := range change {
		f(&cfg)
	}
	s, err := signaling.New(cfg, signaling.Planes{Media: media, Data: data, Documents: writer}, "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	s.Register(mux)
	a := &archive{house: &house{t: t, server: s, http: httptest.NewServer(mux)}, kept: kept, faulty: faulty}
	t.Cleanup(func() {
		s.Close()
		writer.Close()
		a.http.Close()
		if err := media.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// stock is a node process with the clients that people have.
type stock struct {
	t   *testing.T
	a   *archive
	in  *json.Encoder
	out *bufio.Reader
}

// startStock starts testdata/stock/stock.mjs, which ends with the test. Without Node or its packages the test is skipped, or fails
// where they have to be there: with TURNOUT_TEST_YJS=1, as make test sets it, or CI=true.
func startStock(t *testing.T, a *archive) *stock {
	t.Helper()
	dir := filepath.Join("testdata", "stock")
	node, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(filepath.Join(dir, "node_modules", "y-websocket"))
	}
	if err != nil && (os.Getenv("TURNOUT_TEST_YJS") == "1" || os.Getenv("CI") == "true") {
		t.Fatal(err)
	}
	if err != nil {
		t.Skipf("stock clients need Node.js 20 or newer, and npm ci in signaling/testdata/stock: %v", err)
	}
	cmd := exec.Command(node, "stock.mjs")
	cmd.Dir, cmd.Stderr = dir, os.Stderr
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
	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("stock clients: %v", err)
		}
	})
	return &stock{t: t, a: a, in: json.NewEncoder(in), out: bufio.NewReader(out)}
}

func (a *archive) wsURL() string { return "ws" + strings.TrimPrefix(a.http.URL, "http") }

type object map[string]any

func (s *stock) ask(request object, into any) {
	s.t.Helper()
	if err := s.in.Encode(request); err != nil {
		s.t.Fatal(err)
	}
	line, err := s.out.ReadBytes('\n')
	if err != nil {
		s.t.Fatal(err)
	}
	var fault struct{ Error string }
	if json.Unmarshal(line, &fault) == nil && fault.Error != "" {
		s.t.Fatalf("%v: %s", request, fault.Error)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(line, into); err != nil {
		s.t.Fatalf("%s: %v", line, err)
	}
}

// stockClient is one of them.
type stockClient struct {
	*stock
	id string
}

// clientState is what a client shows.
type clientState struct {
	Synced, Connected bool
	Unsynced          int
	Scope             string
	Denied            string
	ClosedReason      string
	Closed            int   // the close code after which y-websocket does not come back
	Closes            []int // all close codes
	Stateless         []string
	Text              string
	Aware             []map[string]any // of others
}

func (s *stock) open(kind, id string, with object) *stockClient {
	s.t.Helper()
	request := object{"op": "open", "kind": kind, "id": id, "url": s.a.wsURL(), "room": "room", "doc": "notes", "socket": id}
	for k, v := range with {
		request[k] = v
	}
	s.ask(request, nil)
	return &stockClient{s, id}
}

func (c *stockClient) do(op string, more object) {
	c.t.Helper()
	request := object{"op": op, "id": c.id}
	for k, v := range more {
		request[k] = v
	}
	c.ask(request, nil)
}

func (c *stockClient) state() (s clientState) {
	c.t.Helper()
	c.ask(object{"op": "state", "id": c.id}, &s)
	return s
}

// until polls until f says true of the client's state.
func (c *stockClient) until(what string, f func(clientState) bool) clientState {
	c.t.Helper()
	var s clientState
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if s = c.state(); f(s) {
			return s
		}
	}
	c.t.Fatalf("%s: never: %s; %+v", c.id, what, s)
	return s
}

func (c *stockClient) shows(text string) {
	c.t.Helper()
	c.until("shows "+text, func(s clientState) bool { return s.Text == text })
}

func (c *stockClient) insert(text string) { c.t.Helper(); c.do("insert", object{"text": text}) }

func synced(s clientState) bool { return s.Synced }

func saved(s clientState) bool { return s.Synced && s.Unsynced == 0 }

// readOnly is a token that may look at documents.
func readOnly(x *auth.Token) { x.Grants.Topics = map[string]string{"doc:*": "r"} }

func TestStockClientsEditOneDocument(t *testing.T) {
	a := openArchive(t, datachannel.Config{}, nil)
	s := startStock(t, a)
	ada := s.open("y", "ada", object{"token": token(t, "ada")})
	bob := s.open("h", "bob", object{"token": token(t, "bob")})
	eve := s.open("y", "eve", object{"protocols": []string{"turnout.v1", "access_token_" + token(t, "eve")}})
	ada.until("synced", synced)
	bob.until("saved", saved)
	eve.until("synced", synced)
	if bob.state().Scope != "read-write" {
		t.Errorf("scope %q", bob.state().Scope)
	}
	ada.insert("a")
	bob.shows("a")
	bob.insert("b")
	bob.until("saved", saved)
	for _, c := range []*stockClient{ada, eve} {
		c.shows("ab")
	}
	ada.do("aware", object{"state": object{"name": "Ada"}})
	bob.do("aware", object{"state": object{"name": "Bob"}})
	eve.until("sees both", func(s clientState) bool {
		return len(names(s)) == 2 && slices.Contains(names(s), "Ada") && slices.Contains(names(s), "Bob")
	})
	ada.until("sees bob", func(s clientState) bool { return slices.Contains(names(s), "Bob") })

	eve.do("disconnect", nil)
	eve.insert(" offline")
	ada.insert("!")
	eve.do("connect", nil)
	for _, c := range []*stockClient{ada, bob, eve} {
		c.until("the same text", func(s clientState) bool {
			return len(s.Text) == len("ab!")+len(" offline") && s.Text == ada.state().Text
		})
	}
	ada.do("destroy", nil)
	bob.until("ada is gone", func(s clientState) bool { return !slices.Contains(names(s), "Ada") })
	if stats := a.server.Stats(); stats.Participants != 0 || stats.Rooms != 1 || stats.Visits != 2 && stats.Visits != 3 {
		t.Errorf("%+v", stats)
	}
}

func names(s clientState) []string {
	var all []string
	for _, state := range s.Aware {
		if name, ok := state["name"].(string); ok {
			all = append(all, name)
		}
	}
	return all
}

func TestStockClientsThatMayOnlyRead(t *testing.T) {
	a := openArchive(t, datachannel.Config{}, nil)
	s := startStock(t, a)
	ada := s.open("y", "ada", object{"token": token(t, "ada")})
	ada.until("synced", synced)
	ada.insert("a")
	bob := s.open("h", "bob", object{"token": token(t, "bob", readOnly)})
	eve := s.open("y", "eve", object{"token": token(t, "eve", readOnly)})
	for _, c := range []*stockClient{bob, eve} {
		c.shows("a")
		c.do("aware", object{"state": object{"name": c.id}})
	}
	if bob.state().Scope != "readonly" {
		t.Errorf("scope %q", bob.state().Scope)
	}
	bob.until("nothing to sync", saved)
	ada.until("sees both", func(s clientState) bool { return len(names(s)) == 2 })
	for _, c := range []*stockClient{bob, eve} {
		c.insert("x")
	}
	ada.insert("b")
	bob.until("sees more", func(s clientState) bool { return strings.Contains(s.Text, "b") })
	eve.until("sees more", func(s clientState) bool { return strings.Contains(s.Text, "b") })
	if text := ada.state().Text; text != "ab" {
		t.Errorf("%q", text)
	}
	if bob.state().Unsynced == 0 {
		t.Error("what was refused counts as saved")
	}
	if n := a.server.Stats().Data.Refused[datachannel.CodeDocReadOnly]; n != 2 {
		t.Errorf("%d counted", n)
	}
}

func TestStockClientsWithoutPermissionAreToldAndStayAway(t *testing.T) {
	a := openArchive(t, datachannel.Config{}, nil)
	s := startStock(t, a)
	for name, c := range map[string]struct {
		token string
		code  int
	}{
		"nothing":     {"", 4401},
		"broken":      {"x.y.z", 4401},
		"old":         {token(t, "a", func(x *auth.Token) { x.Expires = time.Now().Add(-time.Hour) }), 4401},
		"other room":  {token(t, "a", func(x *auth.Token) { x.Room = "other" }), 4403},
		"other topic": {token(t, "a", func(x *auth.Token) { x.Grants.Topics = map[string]string{"doc:else": "rw"} }), 4403},
	} {
		y := s.open("y", "y "+name, object{"token": c.token})
		y.until("closed for good", func(s clientState) bool { return s.Closed == c.code })
		h := s.open("h", "h "+name, object{"token": c.token})
		h.until("denied", func(s clientState) bool { return strings.HasPrefix(s.Denied, "auth.") })
	}
}

func TestHocuspocusClientsShareOneConnection(t *testing.T) {
	a := openArchive(t, datachannel.Config{Documents: 3}, nil)
	s := startStock(t, a)
	var shared []*stockClient
	for _, doc := range []string{"one", "two", "three", "four"} {
		shared = append(shared, s.open("h", doc, object{"doc": doc, "socket": "shared", "token": token(t, "ada")}))
	}
	for _, c := range shared[:3] {
		c.until("saved", saved)
		c.insert(c.id)
		c.until("saved", saved)
	}
	shared[3].until("denied", func(s clientState) bool { return strings.HasPrefix(s.Denied, "doc.limit") })
	if n := a.server.Stats().Visits; n != 1 {
		t.Errorf("%d connections", n)
	}
	shared[0].do("stateless", object{"text": "hello"}) // nobody here answers, and nothing comes of it
	shared[1].do("destroy", nil)
	other := s.open("y", "other", object{"doc": "two", "token": token(t, "bob")})
	other.shows("two")
	again := s.open("h", "again", object{"doc": "one", "socket": "again", "token": token(t, "eve")})
	again.shows("one")
	again.insert("!")
	shared[0].shows("one!")
}

// TestUnsyncedIsTrueWhileTheDiskFails lets the disk fail, then work again: what a client shows as unsynced is what is not stored.
func TestUnsyncedIsTrueWhileTheDiskFails(t *testing.T) {
	t.Parallel()
	var fault faults
	a := openArchive(t, datachannel.Config{}, fault.next)
	s := startStock(t, a)
	bob := s.open("h", "bob", object{"token": token(t, "bob")})
	ada := s.open("y", "ada", object{"token": token(t, "ada")})
	bob.until("saved", saved)
	ada.until("synced", synced)
	fault.set(storetest.FullDisk)
	bob.insert("a")
	ada.shows("a") // relayed at once
	eventually(t, "the refusal is counted", func() bool { return a.server.Stats().Data.Refused[datachannel.CodeStorageFull] > 0 })
	bob.insert("b")
	ada.insert("c")
	if n := bob.state().Unsynced; n == 0 {
		t.Error("claims that all is saved while the disk is full")
	}
	fault.set(0)
	bob.until("saved", saved)
	for _, c := range []*stockClient{ada, bob} {
		c.until("has all", func(s clientState) bool {
			return strings.Contains(s.Text, "a") && strings.Contains(s.Text, "b") && strings.Contains(s.Text, "c")
		})
	}
}

// faults is how the store fails now.
type faults struct{ now atomic.Int32 }

func (f *faults) next() storetest.Fault { return storetest.Fault(f.now.Load()) }

func (f *faults) set(x storetest.Fault) { f.now.Store(int32(x)) }
