package receive

import (
	"encoding/binary"
	"time"
)

// Units of transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1).
const (
	deltaUnit     = 250 * time.Microsecond
	referenceUnit = 64 * time.Millisecond
)

// perVector is how many symbols of 2 bits a chunk of a report holds.
const perVector = 7

// Symbols of a packet's status.
const (
	notReceived = iota
	smallDelta  // 0 to 63.75 ms, one byte
	largeDelta  // anything else that fits, two bytes
)

// maxRecorded is how many packets, with those missing, fit between two reports; older ones are left out.
const maxRecorded = 1024

// maxReport is how many bytes a report has at most, so that it fits into one datagram with what encryption adds. What does not
// fit is due still.
const maxReport = 1100

// Arrivals records when packets of one transport arrived. The zero value is ready; memory is taken with the first packet, for
// those who only watch send none.
type Arrivals struct {
	times   *[maxRecorded]time.Duration // since epoch, by number modulo the size; 0 for not received
	epoch   time.Time
	next    uint64 // first number not yet reported
	highest uint64 // newest number received
	count   uint8  // of reports
}

// Packet takes the arrival of a packet by its unwrapped transport-wide sequence number. It says whether it counts: repeats, and
// packets far too old, do not. One that was reported missing is reported again, with all after it: senders know what they have
// been told, and take it for lost no longer.
func (a *Arrivals) Packet(now time.Time, n uint64) bool {
	if a.highest == 0 {
		a.times = new([maxRecorded]time.Duration)
		a.epoch = now.Add(-referenceUnit)
		a.next, a.highest = n, n
		a.times[n%maxRecorded] = now.Sub(a.epoch)
		return true
	}
	if n < a.next {
		if a.highest-n >= maxRecorded || a.times[n%maxRecorded] != 0 {
			return false
		}
		a.next = n
	}
	if n > a.highest {
		for m := max(a.highest+1, n-min(n, maxRecorded-1)); m <= n; m++ {
			a.times[m%maxRecorded] = 0
		}
		a.highest = n
		if a.highest-a.next >= maxRecorded {
			a.next = a.highest - maxRecorded + 1
		}
	}
	a.times[n%maxRecorded] = max(now.Sub(a.epoch), 1)
	return true
}

// Due says how many packets a report would cover.
func (a *Arrivals) Due() int {
	if a.highest == 0 || a.next > a.highest {
		return 0
	}
	return int(a.highest - a.next + 1)
}

// Report appends the body of a transport-wide feedback message (after the SSRCs) to dst, and forgets what it covers. More may be
// Due afterwards. It appends nothing when nothing is due.
func (a *Arrivals) Report(dst []byte) []byte {
	for a.next <= a.highest && a.highest != 0 && a.times[a.next%maxRecorded] == 0 {
		a.next++ // a report begins with a packet that arrived; those before it count as lost with the next gap
	}
	if a.Due() == 0 {
		return dst
	}
	first := a.next
	reference := (a.epoch.UnixNano() + int64(a.times[first%maxRecorded])) / int64(referenceUnit)
	start := len(dst)
	dst = binary.BigEndian.AppendUint16(dst, uint16(first))
	dst = append(dst, 0, 0) // the number of packets, below
	dst = append(dst, byte(reference>>16), byte(reference>>8), byte(reference), a.count)
	a.count++

	var symbols [maxRecorded]uint8
	var deltas [maxReport]byte
	n, d := a.encode(first, time.Duration(reference*int64(referenceUnit)-a.epoch.UnixNano()), symbols[:], deltas[:])
	binary.BigEndian.PutUint16(dst[start+2:], uint16(n))
	dst = appendChunks(dst, symbols[:n])
	a.next = first + uint64(n)
	return append(dst, deltas[:d]...)
}

// encode fills in the status and the delta of each packet from first on, until one does not fit. It returns the number of
// packets and of bytes of deltas.
func (a *Arrivals) encode(first uint64, last time.Duration, symbols []uint8, deltas []byte) (n, d int) {
	for m := first; m <= a.highest && 2*(n/perVector+1)+d+2 <= maxReport-8; m++ {
		at := a.times[m%maxRecorded]
		if at == 0 {
			symbols[n] = notReceived
			n++
			continue
		}
		delta := int64(at-last) / int64(deltaUnit)
		switch {
		case delta >= 0 && delta <= 255:
			symbols[n], deltas[d] = smallDelta, byte(delta)
			d++
		case delta >= -1<<15 && delta < 1<<15:
			symbols[n] = largeDelta
			binary.BigEndian.PutUint16(deltas[d:], uint16(delta))
			d += 2
		default:
			return n, d // the next report begins here
		}
		n++
		last += time.Duration(delta) * deltaUnit
	}
	return n, d
}

// appendChunks appends the packet status chunks (§3.1.1 to 3.1.4): runs of one symbol, or 7 symbols of 2 bits.
func appendChunks(dst []byte, symbols []uint8) []byte {
	const maxRun = 1<<13 - 1
	for len(symbols) > 0 {
		run := 1
		for run < len(symbols) && run < maxRun && symbols[run] == symbols[0] {
			run++
		}
		if run >= perVector || run == len(symbols) {
			dst = binary.BigEndian.AppendUint16(dst, uint16(symbols[0])<<13|uint16(run))
			symbols = symbols[run:]
			continue
		}
		chunk := uint16(0b11 << 14)
		n := min(perVector, len(symbols))
		for i := range n {
			chunk |= uint16(symbols[i]) << (2 * (perVector - 1 - i))
		}
		dst = binary.BigEndian.AppendUint16(dst, chunk)
		symbols = symbols[n:]
	}
	return dst
}
