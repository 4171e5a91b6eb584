package rtcp

import (
	"encoding/binary"

	"github.com/turnout-rtc/turnout/sfu/report"
)

// Blocks of an extended report (RFC 3611 §4.4, §4.5), by which a receiver that sends nothing learns its round trip: it tells
// its time, and the other end answers with that time and how long it has kept it.
const (
	blockReferenceTime = 4
	blockDelay         = 5

	delaySize = 12 // of one answer in a block
)

// Delay answers a reference time: LRR is the middle of it, DLRR the time since it came, in 1/65536 s.
type Delay struct{ SSRC, LRR, DLRR uint32 }

// block finds the first block of a kind.
func (p Packet) block(kind uint8) []byte {
	if p.Type != TypeExtended || len(p.body) < 4 {
		return nil
	}
	for b := p.body[4:]; len(b) >= 4; {
		size := 4 + 4*int(binary.BigEndian.Uint16(b[2:]))
		if size > len(b) {
			return nil
		}
		if b[0] == kind {
			return b[4:size]
		}
		b = b[size:]
	}
	return nil
}

// ReferenceTime reads the time that an extended report tells.
func (p Packet) ReferenceTime() (t report.NTP, ok bool) {
	b := p.block(blockReferenceTime)
	if len(b) != 8 {
		return 0, false
	}
	return report.NTP(binary.BigEndian.Uint64(b)), true
}

// Delay reads the answer number i of an extended report. ok is false beyond the last one.
func (p Packet) Delay(i int) (d Delay, ok bool) {
	b := p.block(blockDelay)
	if (i+1)*delaySize > len(b) {
		return Delay{}, false
	}
	b = b[i*delaySize:]
	return Delay{binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])}, true
}

// AppendReferenceTime appends an extended report that tells the time.
func AppendReferenceTime(dst []byte, sender uint32, t report.NTP) []byte {
	start := len(dst)
	dst = append(begin(dst, 0, TypeExtended, sender), blockReferenceTime, 0, 0, 2)
	return end(binary.BigEndian.AppendUint64(dst, uint64(t)), start)
}

// AppendDelay appends an extended report with one answer.
func AppendDelay(dst []byte, sender uint32, d Delay) []byte {
	start := len(dst)
	dst = append(begin(dst, 0, TypeExtended, sender), blockDelay, 0, 0, delaySize/4)
	for _, w := range []uint32{d.SSRC, d.LRR, d.DLRR} {
		dst = binary.BigEndian.AppendUint32(dst, w)
	}
	return end(dst, start)
}
