package signaling_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/turnout-rtc/turnout/datachannel/frame"
	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// binaryAt waits for the binary message with index i.
func (c *client) binaryAt(i int) []byte {
	c.t.Helper()
	var b []byte
	eventually(c.t, "a binary message comes", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.binary) > i {
			b = c.binary[i]
		}
		return len(c.binary) > i
	})
	return b
}

func (c *client) sendBinary(frames ...frame.Frame) {
	c.t.Helper()
	var b []byte
	for _, f := range frames {
		b = frame.Append(b, f)
	}
	c.raw(websocket.BinaryMessage, string(b))
}

func firstFrame(t *testing.T, b []byte) frame.Frame {
	t.Helper()
	raw, _, err := frame.Next(b)
	if err != nil {
		t.Fatalf("%x: %v", b, err)
	}
	f, err := frame.Decode(raw)
	if err != nil {
		t.Fatalf("%x: %v", b, err)
	}
	return f
}

func TestAMalformedWireIsClosedAndTheWebSocketGoesOn(t *testing.T) {
	h := open(t)
	h.undisturbed(func() {
		bob := h.join(token(t, "bob"))
		bob.sendBinary(frame.Hello{Version: frame.Version})
		welcome, ok := firstFrame(t, bob.binaryAt(0)).(frame.Welcome)
		if !ok {
			t.Fatalf("got %x", bob.binaryAt(0))
		}
		bob.raw(websocket.BinaryMessage, "\x7f\x7f")
		at := 1
		if bytes.Equal(bob.binaryAt(1)[1:2], []byte{byte(frame.TypePresence)}) { // what is there, to one who comes
			at = 2
		}
		if e, ok := firstFrame(t, bob.binaryAt(at)).(frame.Error); !ok || e.Code != "data.malformed" {
			t.Errorf("got %x", bob.binaryAt(at))
		}
		if end := bob.binaryAt(at + 1); len(end) != 0 {
			t.Errorf("got %x, want the end of the wire", end)
		}
		bob.sendBinary(frame.Ack{Received: 1}) // is not heard
		bob.sendBinary(frame.Hello{Version: frame.Version, Stream: welcome.Stream, Received: 1})
		if again, ok := firstFrame(t, bob.binaryAt(at+2)).(frame.Welcome); !ok || again.Stream != welcome.Stream {
			t.Errorf("got %x, want the stream to go on", bob.binaryAt(at+2))
		}
		bob.rename("still here")
		await[protocol.OK](bob)
	})
}

func TestAWireThatTheClientClosesIsReplacedByTheNext(t *testing.T) {
	h := open(t)
	bob := h.join(token(t, "bob"))
	bob.sendBinary(frame.Hello{Version: frame.Version})
	welcome, _ := firstFrame(t, bob.binaryAt(0)).(frame.Welcome)
	eventually(t, "it is a wire", func() bool { return h.server.Stats().Data.Wires == 1 })
	bob.raw(websocket.BinaryMessage, "")
	eventually(t, "it is none any more", func() bool { return h.server.Stats().Data.Wires == 0 })
	bob.sendBinary(frame.Hello{Version: frame.Version, Stream: welcome.Stream, Received: 1})
	eventually(t, "the stream goes on", func() bool {
		bob.mu.Lock()
		last := bob.binary[len(bob.binary)-1]
		bob.mu.Unlock()
		again, ok := firstFrame(t, last).(frame.Welcome)
		return ok && len(bob.binary) > 1 && again.Stream == welcome.Stream
	})
}

func TestABinaryMessageTooBigIsClosedWith1009(t *testing.T) {
	h := open(t)
	bob := h.join(token(t, "bob"))
	bob.raw(websocket.BinaryMessage, strings.Repeat("x", frame.MaxMessage+1))
	bob.wantClose(protocol.CloseTooBig)
}
