package signaling_test

import (
	"encoding/binary"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/turnout-rtc/turnout/datachannel"
	"github.com/turnout-rtc/turnout/datachannel/yjs"
	"github.com/turnout-rtc/turnout/signaling"
	"github.com/turnout-rtc/turnout/signaling/protocol"
)

func TestAReaderOfADocumentThatDoesNotCatchUpIsClosed(t *testing.T) {
	t.Parallel()
	a := openArchive(t, busyTalk(), nil, func(c *signaling.Config) {
		c.Timeout, c.Visits.CatchUp = time.Minute, time.Millisecond // it is silent, too
	})
	slow := a.callSteady("/y/room/notes?token=" + token(t, "slow")).open()
	ada := a.callY("ada").open()
	a.talk(ada)
	_ = slow.ws.SetReadDeadline(time.Now().Add(3 * patience))
	slow.wantClose(protocol.CloseSlowReader)
	a.callY("bob").open() // and others go on
}

// busyTalk lets clients say much, and keeps what may wait for one small.
func busyTalk() datachannel.Config {
	return datachannel.Config{
		Rate: 1 << 20, Burst: 1 << 20, RateBytes: 1 << 30, BurstBytes: 1 << 30,
		MessageBytes: 64 << 10, DocumentBytes: 400 << 10, QueueBytes: 500 << 10,
	}
}

// callSteady is call for a connection with a receive buffer of a size of its own: what Linux gives one that reads nothing for a while may
// shrink to less than a segment of loopback, and then it takes half a minute to read on.
func (a *archive) callSteady(path string) *caller {
	a.t.Helper()
	dialer := websocket.Dialer{NetDial: func(network, addr string) (net.Conn, error) {
		conn, err := net.Dial(network, addr)
		if err == nil {
			err = conn.(*net.TCPConn).SetReadBuffer(200 << 10)
		}
		return conn, err
	}}
	ws, response, err := dialer.Dial(a.wsURL()+path, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	_ = response.Body.Close()
	a.t.Cleanup(func() { _ = ws.Close() })
	_ = ws.SetReadDeadline(time.Now().Add(3 * patience))
	return &caller{t: a.t, ws: ws}
}

// wave has a client move its cursor, with much to say about it: so many bytes.
func (c *caller) wave() (bytes int) {
	c.clock++
	state := fmt.Sprintf(`{"a":%q}`, strings.Repeat("x", 15<<10))
	b := binary.AppendUvarint([]byte{1, 1}, c.clock)
	b = binary.AppendUvarint(b, uint64(len(state)))
	c.say(yjs.AwarenessUpdate, append(b, state...))
	return len(state)
}

// TestASlowReaderOfADocumentIsBroughtUpToDate has a client of either wire read nothing while others edit more than the buffers of TCP and
// its queue hold. It is not closed, costs no more memory than its queue, and when it reads again it gets everything, in fewer bytes than
// were said; its own changes are acknowledged, each once.
func TestASlowReaderOfADocumentIsBroughtUpToDate(t *testing.T) {
	t.Parallel()
	const own = 50
	for name, wire := range map[string]struct {
		path   string
		send   func(c *caller, kind yjs.Kind, body []byte)
		decode func(b []byte) (yjs.Message, error)
		acks   int
	}{
		"y-websocket": {"/y/room/notes?token=" + token(t, "slow"), (*caller).say, yjs.DecodeMessage, 0},
		"Hocuspocus": {"/hocuspocus/room?access_token=" + token(t, "slow"),
			func(c *caller, kind yjs.Kind, body []byte) { c.sayH("notes", kind, body) },
			func(b []byte) (yjs.Message, error) { m, err := yjs.DecodeHocuspocus(b); return m.Message, err },
			own},
	} {
		t.Run(name, func(t *testing.T) {
			a := openArchive(t, busyTalk(), nil, func(c *signaling.Config) { c.Timeout = time.Minute }) // it is silent, too
			slow := a.callSteady(wire.path)
			if wire.acks > 0 {
				wire.send(slow, yjs.Token, nil)
			}
			wire.send(slow, yjs.SyncStep1, []byte{0})
			for clock := range uint64(own) {
				wire.send(slow, yjs.SyncUpdate, typed(9, clock, "s"))
			}
			ada, bob := a.callY("ada").open(), a.callY("bob").open()
			eventually(t, "its own is stored", func() bool { return a.server.Stats().Data.Stored == own })
			heard := make(chan struct{})
			go func() { // bob keeps up
				defer close(heard)
				bob.readUntil(yjs.NewDoc(yjs.Limits{}), yjs.DecodeMessage, 8, 1, nil)
			}()
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			typedSo, said := a.talk(ada)
			ada.say(yjs.SyncUpdate, typed(8, 0, "!"))
			<-heard
			runtime.GC()
			runtime.ReadMemStats(&after)
			if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 6<<20 { // of more
				t.Errorf("the heap has grown by %d bytes", grown)
			}
			acks := 0
			doc := yjs.NewDoc(yjs.Limits{PendingBytes: 1 << 20})
			got := slow.readUntil(doc, wire.decode, 7, typedSo, func(m yjs.Message) {
				if m.Kind == yjs.SyncStatus && m.Body[0] == 1 {
					acks++
				}
			})
			if got > said/2 {
				t.Errorf("was sent %d bytes, of %d that were said", got, said)
			}
			if s := a.server.Stats(); acks != wire.acks || s.Closed["4005"] != 0 || s.Data.CaughtUp == 0 {
				t.Errorf("%d acknowledged of %d, closed %v, %d caught up", acks, wire.acks, s.Closed, s.Data.CaughtUp)
			}
			ada.say(yjs.SyncUpdate, typed(7, typedSo, "and on"))
			slow.readUntil(doc, wire.decode, 7, typedSo+6, nil)
		})
	}
}

// talk has a client move its cursor and type, little at a time, until it was more than the buffers of TCP and a queue hold. It returns
// how many characters were typed, and how many bytes others were told.
func (a *archive) talk(c *caller) (characters uint64, bytes int) {
	a.t.Helper()
	const much = 10 << 20 // Linux lets 4 MiB wait for a socket
	stored := a.server.Stats().Data.Stored
	for bytes < much {
		for range 10 {
			bytes += c.wave()
		}
		c.say(yjs.SyncUpdate, typed(7, characters, strings.Repeat("x", 100)))
		characters += 100
		stored++
		eventually(a.t, "it is stored", func() bool { return a.server.Stats().Data.Stored == stored })
	}
	return characters, bytes
}

// readUntil reads until a Yjs client's clock has come so far, and returns how many bytes that was. hear may be nil.
func (c *caller) readUntil(doc *yjs.Doc, decode func([]byte) (yjs.Message, error), client, clock uint64, hear func(yjs.Message)) (bytes int) {
	_ = c.ws.SetReadDeadline(time.Now().Add(3 * patience))
	for doc.StateVector().Clock(client) < clock {
		_, b, err := c.ws.ReadMessage()
		if err != nil {
			c.t.Errorf("at %d of %d: %v", doc.StateVector().Clock(client), clock, err)
			return bytes
		}
		bytes += len(b)
		m, err := decode(b)
		switch {
		case err != nil:
			continue // a kind of its own
		case m.Kind == yjs.SyncUpdate || m.Kind == yjs.SyncStep2:
			if _, err := doc.Apply(m.Body); err != nil {
				c.t.Error(err)
				return bytes
			}
		}
		if hear != nil {
			hear(m)
		}
	}
	return bytes
}
