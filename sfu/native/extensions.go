package native

import (
	"encoding/binary"
	"time"

	"github.com/turnout-rtc/turnout/sfu/forward"
	"github.com/turnout-rtc/turnout/sfu/lite/answer"
	"github.com/turnout-rtc/turnout/sfu/packet"
	"github.com/turnout-rtc/turnout/sfu/report"
)

const (
	maxOneByte   = 16  // bytes of data in one-byte form, RFC 8285 §4.2
	maxOneByteID = 14  // likewise
	maxElement   = 255 // bytes of data in two-byte form

	// roomForExtensions is what all header extensions of a packet take at most, but for the data of the descriptor: the header
	// of the block, of every element, and padding; then mid, transport-wide number, send time, audio level, orientation,
	// playout delay and capture time.
	roomForExtensions = 4 + 8*2 + 3 + 32 + 2 + 3 + 1 + 1 + 3 + 16
)

// extensionIDs are those that a receiver reads, 0 for none.
type extensionIDs struct {
	mid, transport, sendTime, descriptor uint8
	carried                              forward.ExtensionIDs
	wide                                 bool // one of them does not fit into the one-byte form
}

func sentExtensions(all []answer.Extension) (ids extensionIDs) {
	for _, e := range all {
		if !e.Sent() {
			continue
		}
		switch e.URI {
		case answer.ExtMID:
			ids.mid = e.ID
		case answer.ExtTransportCC:
			ids.transport = e.ID
		case answer.ExtAbsSendTime:
			ids.sendTime = e.ID
		case answer.ExtDependency:
			ids.descriptor = e.ID
		default:
			carry(&ids.carried, e)
			continue
		}
		ids.wide = ids.wide || e.ID > maxOneByteID
	}
	for _, id := range []uint8{ids.carried.AudioLevel, ids.carried.Orientation, ids.carried.PlayoutDelay, ids.carried.CaptureTime} {
		ids.wide = ids.wide || id > maxOneByteID
	}
	return ids
}

// carry notes the ID of an extension that goes from publisher to receivers.
func carry(ids *forward.ExtensionIDs, e answer.Extension) {
	switch e.URI {
	case answer.ExtAudioLevel:
		ids.AudioLevel = e.ID
	case answer.ExtVideoOrientation:
		ids.Orientation = e.ID
	case answer.ExtPlayoutDelay:
		ids.PlayoutDelay = e.ID
	case answer.ExtAbsCaptureTime:
		ids.CaptureTime = e.ID
	}
}

// stamp is what only the moment of sending tells.
type stamp struct {
	number uint16 // transport-wide
	at     time.Time
}

// write puts the header extensions of a packet into b, which has room for them, and returns their size.
func (ids *extensionIDs) write(b []byte, mid []byte, o *forward.Out, st stamp) int {
	w := elements{b: b, n: 4, wide: ids.wide || len(mid) > maxOneByte || ids.descriptor != 0 && len(o.Descriptor) > maxOneByte}
	w.add(ids.mid, mid)
	if ids.transport != 0 {
		w.add(ids.transport, []byte{byte(st.number >> 8), byte(st.number)})
	}
	if ids.sendTime != 0 {
		t := absoluteSendTime(st.at)
		w.add(ids.sendTime, []byte{byte(t >> 16), byte(t >> 8), byte(t)})
	}
	w.add(ids.descriptor, o.Descriptor)
	w.add(ids.carried.AudioLevel, o.Extensions.AudioLevel())
	w.add(ids.carried.Orientation, o.Extensions.Orientation())
	w.add(ids.carried.PlayoutDelay, o.Extensions.PlayoutDelay())
	w.add(ids.carried.CaptureTime, o.Extensions.CaptureTime())
	return w.finish()
}

// absoluteSendTime is t in seconds with 18 bits of fraction, modulo 64.
func absoluteSendTime(t time.Time) uint32 { return uint32(report.ToNTP(t)>>14) & 0xffffff }

// elements writes a block of header extensions (RFC 8285 §4).
type elements struct {
	b    []byte
	n    int
	wide bool // two-byte form
}

func (w *elements) add(id uint8, data []byte) {
	switch {
	case id == 0 || len(data) == 0 || len(data) > maxElement:
		return
	case w.wide:
		w.b[w.n], w.b[w.n+1] = id, byte(len(data))
		w.n += 2
	default:
		w.b[w.n] = id<<4 | byte(len(data)-1)
		w.n++
	}
	w.n += copy(w.b[w.n:], data)
}

// finish pads the block and writes what is in front of it. A block of nothing has no size.
func (w *elements) finish() int {
	const header = 4
	if w.n == header {
		return 0
	}
	for w.n%4 != 0 {
		w.b[w.n] = 0
		w.n++
	}
	profile := uint16(0xBEDE)
	if w.wide {
		profile = 0x1000
	}
	binary.BigEndian.PutUint16(w.b, profile)
	binary.BigEndian.PutUint16(w.b[2:], uint16(w.n/4-1))
	return w.n
}

// captureTime has the capture time of a packet refer to our clock, which our sender reports tell: the offset that it may name
// is between the clock of its capture and that of its sender. While the
// publisher's clock is not known nobody could use it: then it is 0, which is taken for none.
func captureTime(p *packet.Packet, id uint8, clock *report.Offset) {
	b := p.Extension(id)
	const whole = 16 // bytes, with an offset
	if len(b) != whole {
		return
	}
	ahead, ok := clock.Ahead()
	if !ok {
		clear(b)
		return
	}
	offset := binary.BigEndian.Uint64(b[8:])
	binary.BigEndian.PutUint64(b[8:], offset+uint64(report.Fixed(ahead)))
}
