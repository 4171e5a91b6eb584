package forward

import (
	"encoding/binary"

	"github.com/turnout-rtc/turnout/sfu/packet"
)

// ExtensionIDs are those of the header extensions that go with a source's packets to every receiver, 0 for none.
type ExtensionIDs struct {
	AudioLevel   uint8 // RFC 6464
	Orientation  uint8 // 3GPP TS 26.114 §7.4.5: how to turn the picture
	PlayoutDelay uint8 // how long a receiver may wait
	CaptureTime  uint8 // when the frame was captured
}

// Extensions is their data in one packet. What is not there has no size.
type Extensions struct {
	level, orientation [1]byte
	playoutDelay       [3]byte
	captureTime        [16]byte // 8 or 16 bytes of it
	there              uint8    // a bit for each of the first three
	captured           uint8    // bytes of captureTime
}

// Bits of Extensions.there.
const (
	hasLevel = 1 << iota
	hasOrientation
	hasPlayoutDelay
)

// read takes them out of a packet. Data of another size than it must have is left out.
func (ids *ExtensionIDs) read(p *packet.Packet) (e Extensions) {
	if b := p.Extension(ids.AudioLevel); len(b) > 0 {
		e.level[0] = b[0]
		e.there |= hasLevel
	}
	if b := p.Extension(ids.Orientation); len(b) == 1 {
		e.orientation[0] = b[0]
		e.there |= hasOrientation
	}
	if b := p.Extension(ids.PlayoutDelay); len(b) == len(e.playoutDelay) {
		copy(e.playoutDelay[:], b)
		e.there |= hasPlayoutDelay
	}
	if b := p.Extension(ids.CaptureTime); (len(b) == 8 || len(b) == 16) && binary.BigEndian.Uint64(b) != 0 {
		e.captured = uint8(copy(e.captureTime[:], b))
	}
	return e
}

// AudioLevel is the data of RFC 6464, empty for none.
func (e *Extensions) AudioLevel() []byte { return e.level[:e.there&hasLevel] }

// Orientation is one byte, empty for none.
func (e *Extensions) Orientation() []byte {
	return e.orientation[:e.there&hasOrientation/hasOrientation]
}

// anyDelay is the playout delay that leaves all to the receiver: none at least, and at most the most that there is.
func anyDelay() [3]byte { return [3]byte{0, 0x0f, 0xff} }

// PlayoutDelay is three bytes: 12 bits each of minimum and maximum, in 10 ms. Empty for none.
func (e *Extensions) PlayoutDelay() []byte {
	return e.playoutDelay[:len(e.playoutDelay)*int(e.there&hasPlayoutDelay/hasPlayoutDelay)]
}

// CaptureTime is 8 bytes of NTP time, and 8 more of the offset of the clock that it was taken with. Empty for none.
func (e *Extensions) CaptureTime() []byte { return e.captureTime[:e.captured] }
