package signaling

import (
	"github.com/turnout-rtc/turnout/datachannel"
	"github.com/turnout-rtc/turnout/datachannel/frame"
	"github.com/turnout-rtc/turnout/signaling/ws"
)

// dataWire is the binary messages of one WebSocket: wires of the reliable lane, one after the other (docs/reference/data.md §1).
// Owned by the WebSocket's reader.
type dataWire struct {
	conn   *ws.Conn
	member *datachannel.Member

	begun bool
	lane  *ws.Wire          // nil: none is open
	wire  *datachannel.Wire // nil likewise
}

// receive takes one binary message; b is its to keep. It blocks while much of the participant's waits for the room.
func (d *dataWire) receive(b []byte) {
	if d.lane != nil && !d.lane.Open() { // the hub has closed it
		d.end()
	}
	switch {
	case len(b) == 0:
		d.end()
		d.begun = true
		return
	case d.lane == nil && d.begun && !beginsWithHello(b):
		return // on its way when the wire was closed
	case d.lane == nil:
		d.begun = true
		d.lane = d.conn.OpenWire()
		d.wire = d.member.Attach(datachannel.Reliable, d.lane)
	}
	d.wire.Receive(b)
}

// end takes the wire away; what is queued waits for the next one.
func (d *dataWire) end() {
	if d.lane != nil {
		d.lane.Drop()
		d.wire.Detach()
		d.lane, d.wire = nil, nil
	}
}

func beginsWithHello(b []byte) bool {
	raw, _, err := frame.Next(b)
	return err == nil && raw.Type == frame.TypeHello
}
