package ws

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"
)

// TestWhatWasPutIsWrittenInOrderHoweverSlowTheReader mixes both ways to the wire, with more than a socket takes at once.
func TestWhatWasPutIsWrittenInOrderHoweverSlowTheReader(t *testing.T) {
	const messages, size = 3000, 3000
	sent := make(chan struct{})
	_, c, _ := open(t, Config{Heartbeat: time.Minute, Timeout: time.Minute, MessageBytes: 10, MaxConns: 10, Gather: time.Millisecond}, func(c *Conn, _ string) {
		for i := range messages {
			f := Binary(binary.BigEndian.AppendUint32(nil, uint32(i)), bytes.Repeat([]byte{byte(i)}, size))
			switch i % 3 {
			case 0:
				c.Send(f)
			case 1:
				c.Put(f)
			default:
				c.Put(f)
				c.Flush()
			}
		}
		c.Flush()
		close(sent)
		for {
			if _, err := c.Read(); err != nil {
				return
			}
		}
	})
	<-sent // nothing was read yet, so most of it waits
	for i := range messages {
		_, b, err := c.ReadMessage()
		if err != nil {
			t.Fatal(i, err)
		}
		if got := binary.BigEndian.Uint32(b); got != uint32(i) || len(b) != size+4 || b[size] != byte(i) {
			t.Fatalf("message %d comes where %d belongs, with %d bytes", got, i, len(b))
		}
	}
}
