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

// sentExtensions are those that a receiver reads, by their IDs, 0 for none.
type sentExtensions struct {
	mid, transport, sendTime, descriptor uint8
	carried                              forward.ExtensionIDs
	wide                                 bool          // one of them does not fit into the one-byte form
	headSize                             uint8         // of head
	head                                 [maxHead]byte // what the extensions of every packet begin with, in one-byte form; not if wide
	name                                 string        // data of mid
}

// maxHead is the most that every packet begins with: mid, transport-wide number and send time.
const maxHead = elementsAt + 1 + maxOneByte + 1 + 2 + 1 + 3

func newSentExtensions(all []answer.Extension, mid string) sentExtensions {
	s := sentExtensions{name: mid}
	for _, e := range all {
		if !e.Sent() {
			continue
		}
		used := true
		switch e.URI {
		case answer.ExtMID:
			s.mid = e.ID
			s.wide = s.wide || len(mid) > maxOneByte
		case answer.ExtTransportCC:
			s.transport = e.ID
		case answer.ExtAbsSendTime:
			s.sendTime = e.ID
		case answer.ExtDependency:
			s.descriptor = e.ID
		default:
			used = carry(&s.carried, e)
		}
		s.wide = s.wide || used && e.ID > maxOneByteID
	}
	if !s.wide {
		w := elements{b: s.head[:], n: elementsAt}
		s.begin(&w, stamp{})
		s.headSize = uint8(w.n) //nolint:gosec // at most maxHead
	}
	return s
}

// carry notes the ID of an extension that goes from publisher to receivers, and says whether e is one.
func carry(ids *forward.ExtensionIDs, e answer.Extension) bool {
	switch e.URI {
	case answer.ExtAudioLevel:
		ids.AudioLevel = e.ID
	case answer.ExtVideoOrientation:
		ids.Orientation = e.ID
	case answer.ExtPlayoutDelay:
		ids.PlayoutDelay = e.ID
	case answer.ExtAbsCaptureTime:
		ids.CaptureTime = e.ID
	default:
		return false
	}
	return true
}

// stamp is what only the moment of sending tells.
type stamp struct {
	number uint16 // transport-wide
	at     time.Time
}

// write puts the header extensions of a packet into b, which has room for them, and returns their size.
func (s *sentExtensions) write(b []byte, o *forward.Out, st stamp) int {
	w := elements{b: b, wide: s.wide || s.descriptor != 0 && len(o.Descriptor) > maxOneByte}
	if w.wide {
		w.n = elementsAt
		s.begin(&w, st)
	} else {
		w.n = copy(b, s.head[:s.headSize])
		s.restamp(b[:w.n], st)
	}
	w.add(s.descriptor, o.Descriptor)
	w.add(s.carried.AudioLevel, o.Extensions.AudioLevel())
	w.add(s.carried.Orientation, o.Extensions.Orientation())
	w.add(s.carried.PlayoutDelay, o.Extensions.PlayoutDelay())
	w.add(s.carried.CaptureTime, o.Extensions.CaptureTime())
	return w.finish()
}

// begin writes what every packet has. restamp knows the order.
func (s *sentExtensions) begin(w *elements, st stamp) {
	t := absoluteSendTime(st.at)
	w.add(s.mid, []byte(s.name))
	w.add(s.transport, []byte{byte(st.number >> 8), byte(st.number)})
	w.add(s.sendTime, []byte{byte(t >> 16), byte(t >> 8), byte(t)})
}

// restamp has head say when it is sent.
func (s *sentExtensions) restamp(head []byte, st stamp) {
	if s.sendTime != 0 {
		t, at := absoluteSendTime(st.at), len(head)-3
		head[at], head[at+1], head[at+2] = byte(t>>16), byte(t>>8), byte(t)
		head = head[:at-1] // and its ID
	}
	if s.transport != 0 {
		binary.BigEndian.PutUint16(head[len(head)-2:], st.number)
	}
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

// elementsAt is the size of what is in front of the elements: the profile and the length of the block.
const elementsAt = 4

// finish pads the block and writes what is in front of it. A block of nothing has no size.
func (w *elements) finish() int {
	if w.n == elementsAt {
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
