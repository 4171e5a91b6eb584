package signaling_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/turnout-rtc/turnout/datachannel"
	"github.com/turnout-rtc/turnout/datachannel/yjs"
	"github.com/turnout-rtc/turnout/signaling"
	"github.com/turnout-rtc/turnout/signaling/protocol"
	"github.com/turnout-rtc/turnout/signaling/visit"
)

// caller is a client of a door that says whatever the test wants.
type caller struct {
	t     *testing.T
	ws    *websocket.Conn
	clock uint64 // of its awareness
}

// call opens a connection at a path behind the server's address.
func (a *archive) call(path string) *caller {
	a.t.Helper()
	ws := dialTo(a.t, a.wsURL()+path)
	a.t.Cleanup(func() { _ = ws.Close() })
	_ = ws.SetReadDeadline(time.Now().Add(patience))
	return &caller{t: a.t, ws: ws}
}

func (a *archive) callY(identity string) *caller {
	return a.call("/y/room/notes?token=" + token(a.t, identity))
}

func (c *caller) send(b []byte) {
	c.t.Helper()
	if err := c.ws.WriteMessage(websocket.BinaryMessage, b); err != nil {
		c.t.Fatal(err)
	}
}

func (c *caller) say(kind yjs.Kind, body []byte) {
	c.t.Helper()
	c.send(yjs.Message{Kind: kind, Body: body}.Append(nil))
}

func (c *caller) sayH(doc string, kind yjs.Kind, body []byte) {
	c.t.Helper()
	c.send(yjs.Hocuspocus{Key: []byte(doc), Message: yjs.Message{Kind: kind, Body: body}}.Append(nil))
}

// open opens the document of a y-websocket client.
func (c *caller) open() *caller {
	c.t.Helper()
	c.say(yjs.SyncStep1, []byte{0})
	c.hear(yjs.SyncStep2)
	return c
}

// hear waits for a message of a kind, passing over others.
func (c *caller) hear(kind yjs.Kind) []byte {
	c.t.Helper()
	for {
		_, b, err := c.ws.ReadMessage()
		if err != nil {
			c.t.Fatal(err)
		}
		if m, err := yjs.DecodeMessage(b); err == nil && m.Kind == kind {
			return m.Body
		}
	}
}

func (c *caller) hearH(kind yjs.Kind) (doc string, body []byte) {
	c.t.Helper()
	for {
		_, b, err := c.ws.ReadMessage()
		if err != nil {
			c.t.Fatal(err)
		}
		if m, err := yjs.DecodeHocuspocus(b); err == nil && m.Kind == kind {
			return string(m.Key), m.Body
		}
	}
}

func (c *caller) wantClose(code protocol.CloseCode) {
	c.t.Helper()
	for {
		_, _, err := c.ws.ReadMessage()
		var end *websocket.CloseError
		if errors.As(err, &end) {
			if protocol.CloseCode(end.Code) != code || end.Text == "" {
				c.t.Errorf("closed with %d %q, want %d", end.Code, end.Text, code)
			}
			return
		}
		if err != nil {
			c.t.Errorf("ended without a close frame: %v", err)
			return
		}
	}
}

// unspoiled lets two clients edit before and after f.
func (a *archive) unspoiled(f func()) {
	a.t.Helper()
	ada, bob := a.callY("ada").open(), a.callY("bob").open()
	client := 1<<20 + rand.Uint64N(1<<20)
	for i, text := range []string{"before", "after"} {
		clock := uint64(i) * uint64(len("before"))
		ada.say(yjs.SyncUpdate, typed(client, clock, text))
		for heard := ""; !strings.Contains(heard, text); { // others may have typed, too
			heard = string(bob.hear(yjs.SyncUpdate))
		}
		if i == 0 {
			f()
		}
	}
}

func TestBadInputAtTheDoorsOfDocumentsIsClosedWithAWord(t *testing.T) {
	t.Parallel()
	a := openArchive(t, datachannel.Config{MessageBytes: 64 << 10, Rate: 10, Burst: 100}, nil, func(c *signaling.Config) {
		c.JoinTimeout = 500 * time.Millisecond
	})
	hocuspocus := "/hocuspocus/room"
	for name, c := range map[string]struct {
		path string
		do   func(c *caller)
		code protocol.CloseCode
	}{
		"garbage":          {"", func(c *caller) { c.send([]byte("\xff\xff\xffgarbage")) }, visit.CloseMalformed},
		"an empty message": {"", func(c *caller) { c.send(nil) }, visit.CloseMalformed},
		"text":             {"", func(c *caller) { _ = c.ws.WriteMessage(websocket.TextMessage, []byte("hello")) }, protocol.CloseBinary},
		"silence":          {"", func(*caller) {}, protocol.CloseProtocol},
		"too large":        {"", func(c *caller) { c.open().say(yjs.SyncUpdate, make([]byte, 70<<10)) }, visit.CloseTooLarge},
		"a broken vector":  {"", func(c *caller) { c.say(yjs.SyncStep1, []byte{9}) }, visit.CloseMalformed},
		"half an update":   {"", func(c *caller) { c.open().say(yjs.SyncUpdate, typed(7, 0, "x")[:5]) }, visit.CloseMalformed},
		"equivocation": {"", func(c *caller) {
			c.open().say(yjs.SyncUpdate, typed(8, 0, "x"))
			c.say(yjs.SyncUpdate, typed(8, 0, "y"))
		}, visit.CloseMalformed},
		"broken awareness":      {"", func(c *caller) { c.open().say(yjs.AwarenessUpdate, []byte{1, 2, 3}) }, visit.CloseMalformed},
		"a long name":           {"/y/room/" + strings.Repeat("n", 200) + "?token=" + token(t, "x"), func(c *caller) { c.say(yjs.SyncStep1, []byte{0}) }, visit.CloseMalformed},
		"no token":              {"/y/room/notes", func(*caller) {}, visit.CloseToken},
		"a flood":               {"", flood, protocol.CloseFlood},
		"hocuspocus: garbage":   {hocuspocus, func(c *caller) { c.send([]byte("\xff\xff\xffgarbage")) }, visit.CloseMalformed},
		"hocuspocus: text":      {hocuspocus, func(c *caller) { _ = c.ws.WriteMessage(websocket.TextMessage, []byte("hello")) }, protocol.CloseBinary},
		"hocuspocus: silence":   {hocuspocus, func(*caller) {}, protocol.CloseProtocol},
		"hocuspocus: long name": {hocuspocus, func(c *caller) { c.sayH(strings.Repeat("n", 300), yjs.Token, nil) }, visit.CloseMalformed},
		"hocuspocus: tokens":    {hocuspocus, guess, protocol.CloseFlood},
	} {
		t.Run(name, func(t *testing.T) {
			inner := *a.house
			inner.t = t
			here := &archive{house: &inner, kept: a.kept, faulty: a.faulty}
			here.unspoiled(func() {
				path := c.path
				if path == "" {
					path = "/y/room/notes?token=" + token(t, "eve")
				}
				eve := here.call(path)
				c.do(eve)
				eve.wantClose(c.code)
			})
		})
	}
}

// floods are far more messages than the server takes; the word it closes with is not waited for much longer than they last.
const floods = 10_000

// flood types without pause, until the server hangs up.
func flood(c *caller) {
	c.open()
	for clock := range uint64(floods) {
		if c.ws.WriteMessage(websocket.BinaryMessage, yjs.Message{Kind: yjs.SyncUpdate, Body: typed(9, clock, "x")}.Append(nil)) != nil {
			return
		}
	}
}

// guess tries tokens without pause, until the server hangs up.
func guess(c *caller) {
	c.sayH("mine", yjs.Token, []byte(token(c.t, "eve")))
	for range floods {
		if c.ws.WriteMessage(websocket.BinaryMessage, yjs.Hocuspocus{Key: []byte("d"), Message: yjs.Message{Kind: yjs.Token, Body: []byte("x.y.z")}}.Append(nil)) != nil {
			return
		}
	}
}

func TestOneClientMayNotOpenTenThousandDocuments(t *testing.T) {
	a := openArchive(t, datachannel.Config{}, nil)
	a.unspoiled(func() {
		eve := a.call("/hocuspocus/room")
		signed := []byte(token(t, "eve"))
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		granted, denied := 0, 0
		var asking sync.WaitGroup
		asking.Go(func() {
			for i := range 10_000 {
				for _, m := range []yjs.Message{{Kind: yjs.Token, Body: signed}, {Kind: yjs.SyncStep1, Body: []byte{0}}} {
					if eve.ws.WriteMessage(websocket.BinaryMessage, yjs.Hocuspocus{Key: fmt.Append(nil, "doc", i), Message: m}.Append(nil)) != nil {
						return // the server has hung up
					}
				}
			}
		})
		for {
			_, b, err := eve.ws.ReadMessage()
			if err != nil {
				if !websocket.IsCloseError(err, int(protocol.CloseFlood)) {
					t.Error(err)
				}
				break
			}
			switch m, err := yjs.DecodeHocuspocus(b); {
			case err != nil:
				t.Fatal(err)
			case m.Kind == yjs.Authenticated:
				granted++
			case m.Kind == yjs.PermissionDenied && strings.HasPrefix(string(m.Body), "doc.limit"):
				denied++
			}
		}
		_ = eve.ws.Close()
		asking.Wait()
		runtime.GC()
		runtime.ReadMemStats(&after)
		if granted != 100 || denied < 500 {
			t.Errorf("%d opened, %d denied", granted, denied)
		}
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 32<<20 { // ten thousand would take ten times that
			t.Errorf("the heap has grown by %d bytes", grown)
		}
	})
}

func TestConnectionsToDocumentsAreLimited(t *testing.T) {
	a := openArchive(t, datachannel.Config{}, nil, func(c *signaling.Config) {
		c.Visits = visit.Config{Max: 4, MaxRoom: 3, MaxIdentity: 2}
	})
	a.callY("ada").open()
	second := a.callY("ada").open()
	a.callY("ada").wantClose(protocol.CloseTryLater)
	a.callY("bob").open()
	a.callY("eve").wantClose(protocol.CloseTryLater)
	eventually(t, "there is room on the server", func() bool { return a.server.Stats().WebSockets == 3 })
	a.call("/y/other/notes?token=" + token(t, "ada")).wantClose(visit.CloseForbidden)
	_ = second.ws.Close()
	eventually(t, "one has gone", func() bool { return a.server.Stats().Visits == 2 })
	a.callY("eve").open()
	if n := a.server.Stats().Refused["room.full"]; n != 2 {
		t.Errorf("%d counted", n)
	}
}

func TestARoomLastsWhileItsDocumentsAreOpen(t *testing.T) {
	a := openArchive(t, datachannel.Config{}, nil, func(c *signaling.Config) { c.EmptyTimeout = 50 * time.Millisecond })
	ada := a.callY("ada").open()
	bob := a.join(token(t, "bob"))
	if len(bob.self.Participants) != 0 {
		t.Errorf("who has documents open is in the list: %+v", bob.self.Participants)
	}
	bob.ask(protocol.Leave{})
	bob.wantClose(protocol.CloseNormal)
	time.Sleep(100 * time.Millisecond) // longer than an empty room lasts
	ada.say(yjs.SyncUpdate, typed(1, 0, "still here"))
	eventually(t, "it is stored", func() bool { return a.server.Stats().Data.Stored == 1 })
	_ = ada.ws.Close()
	eventually(t, "the room is given up", func() bool { return a.server.Stats().Rooms == 0 })
	if again := a.callY("ada"); !strings.Contains(string(again.openWith()), "still here") {
		t.Error("the document is gone with the room")
	}
}

func (c *caller) openWith() []byte {
	c.t.Helper()
	c.say(yjs.SyncStep1, []byte{0})
	return c.hear(yjs.SyncStep2)
}

func TestWhoIsKickedAndWhoseRoomEndsHasNoDocuments(t *testing.T) {
	t.Parallel()
	a := openArchive(t, datachannel.Config{}, nil)
	boss, eve := a.join(token(t, "boss", admin)), a.join(token(t, "eve"))
	_ = eve
	eves, bobs := a.callY("eve").open(), a.callY("bob").open()
	boss.ask(protocol.Kick{Identity: "eve"})
	eves.wantClose(visit.CloseForbidden)
	boss.ask(protocol.EndRoom{})
	bobs.wantClose(protocol.CloseRoomEnded)
	ada := a.callY("ada").open() // a new room
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	a.server.Drain(ctx)
	ada.wantClose(protocol.CloseGoingAway)
}

func TestWithoutAStoreThereAreNoDocuments(t *testing.T) {
	h := open(t)
	a := &archive{house: h}
	ada := a.callY("ada")
	ada.say(yjs.SyncStep1, []byte{0})
	ada.wantClose(visit.CloseNoDocuments)
	bob := a.call("/hocuspocus/room")
	bob.sayH("notes", yjs.Token, []byte(token(t, "bob")))
	bob.sayH("notes", yjs.SyncStep1, []byte{0})
	if _, why := bob.hearH(yjs.PermissionDenied); !strings.HasPrefix(string(why), "data.unsupported") {
		t.Errorf("denied: %s", why)
	}
}

func TestPagesOfOtherOriginsHaveNoDocuments(t *testing.T) {
	a := openArchive(t, datachannel.Config{}, nil)
	_, response, err := websocket.DefaultDialer.Dial(a.wsURL()+"/y/room/notes", http.Header{"Origin": {"https://elsewhere.example"}})
	if err == nil || response.StatusCode != http.StatusForbidden {
		t.Errorf("%v, %+v", err, response)
	}
	_ = response.Body.Close()
}

// TestAGapAndAFullDiskAreHealed has a client say what the server cannot take yet: it is asked again.
func TestAGapIsAskedForAgain(t *testing.T) {
	t.Parallel()
	a := openArchive(t, datachannel.Config{}, nil)
	ada := a.callY("ada").open()
	ada.hear(yjs.SyncStep1)
	ada.say(yjs.SyncUpdate, typed(1, 3, "d")) // before it is unknown
	ada.hear(yjs.SyncStep1)
	ada.say(yjs.SyncStep2, typed(1, 0, "abcd"))
	eventually(t, "it is stored", func() bool { return a.server.Stats().Data.Stored == 1 })
}

func TestAnIdleClientHearsSomething(t *testing.T) {
	a := openArchive(t, datachannel.Config{}, nil, func(c *signaling.Config) { c.Heartbeat = 20 * time.Millisecond })
	ada := a.callY("ada").open()
	if got := ada.hear(yjs.AwarenessUpdate); string(got) != "\x00" {
		t.Errorf("heard %x", got)
	}
	bob := a.call("/hocuspocus/room")
	bob.sayH("notes", yjs.Token, []byte(token(t, "bob")))
	bob.hearH(yjs.Ping)
}
