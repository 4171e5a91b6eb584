//go:build linux

package main

import (
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/turnout-rtc/turnout/sfu/receive"
)

// sampleEvery is how many packets of a client one is decrypted of and timed. It shares no divisor with the packets of a frame, so
// that all of them have their turn.
const sampleEvery = 5

// maxMissing is how many packets a client asks for at once.
const maxMissing = 64

// received counts what a client got.
type received struct {
	sent *sendings // Set at construction, never changed.

	mu sync.Mutex
	// Guarded by mu.
	packets  uint64
	repeats  uint64 // sent again, because they were asked for
	failed   uint64 // not decrypted, or never sent
	why      error  // of the first that failed
	first    time.Time
	times    []time.Duration // from the publisher's system call to the arrival
	streams  map[uint32]*stream
	arrived  receive.Arrivals
	numbered uint64 // highest transport-wide number, unwrapped
}

// stream is one SSRC.
type stream struct {
	highest uint32 // extended
	base    uint32
	packets uint32
	missing []uint16 // to be asked for
	opened  bool     // a packet of it was decrypted: from then on it is known how often its numbers have wrapped
}

// packet takes an RTP packet, still encrypted: its header is not. first says whether it came for the first time, sample whether
// it is to be decrypted and timed.
func (r *received) packet(b []byte, at int64) (first, sample bool) {
	ssrc, seq := binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint16(b[2:])
	now := time.Unix(0, at)
	r.mu.Lock()
	defer r.mu.Unlock()
	if n, ok := transportNumber(b); ok {
		r.number(n, now)
	}
	if b[1]&0x7f == rtxType {
		r.repeats++
		return false, false
	}
	if r.streams == nil {
		r.streams, r.first = map[uint32]*stream{}, now
	}
	s := r.streams[ssrc]
	if s == nil {
		s = &stream{highest: uint32(seq) - 1, base: uint32(seq)}
		r.streams[ssrc] = s
	}
	r.packets++
	s.take(seq)
	return true, r.packets%sampleEvery == 0 || !s.opened
}

func (s *stream) take(seq uint16) {
	s.packets++
	d := int16(seq - uint16(s.highest))
	for missing := int16(1); missing < d && len(s.missing) < maxMissing; missing++ {
		s.missing = append(s.missing, uint16(s.highest)+uint16(missing))
	}
	if d > 0 {
		s.highest += uint32(d)
	}
}

// number takes a transport-wide number.
func (r *received) number(n uint16, now time.Time) {
	if r.numbered == 0 {
		r.numbered = 1<<16 + uint64(n)
	}
	whole := r.numbered + uint64(int64(int16(n-uint16(r.numbered))))
	r.numbered = max(r.numbered, whole)
	r.arrived.Packet(now, whole)
}

// transportNumber is the transport-wide sequence number of a packet.
func transportNumber(b []byte) (uint16, bool) {
	if b[0]&0x10 == 0 || len(b) < 16 || binary.BigEndian.Uint16(b[12:]) != 0xBEDE {
		return 0, false
	}
	ext := b[16:]
	ext = ext[:min(len(ext), 4*int(binary.BigEndian.Uint16(b[14:])))]
	for len(ext) > 0 {
		id, n := ext[0]>>4, int(ext[0]&15)+1
		switch {
		case id == 0:
			ext = ext[1:]
		case 1+n > len(ext):
			return 0, false
		case id == transportID && n == 2:
			return binary.BigEndian.Uint16(ext[1:]), true
		default:
			ext = ext[1+n:]
		}
	}
	return 0, false
}

// opened takes a packet that was decrypted, and its number. With sample it notes how long it was under way.
func (r *received) opened(b []byte, number uint64, at int64, sample bool) {
	d, ok := r.sent.since(number, at)
	if !ok {
		r.broken(fmt.Errorf("packet %d came %v before it was sent, or never was sent", number, -d))
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.streams[binary.BigEndian.Uint32(b[8:])].opened = true
	if sample {
		r.times = append(r.times, d)
	}
}

// broken counts a packet that is not what was sent.
func (r *received) broken(why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed == 0 {
		r.why = why
	}
	r.failed++
}

// reset begins a window of measurement.
func (r *received) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.packets, r.repeats, r.failed, r.times = 0, 0, 0, nil
	for _, s := range r.streams {
		s.packets, s.base = 0, s.highest+1
	}
}

// tally is what clients received in a window.
type tally struct {
	packets, lost, repeats, failed uint64
	why                            error // of one that failed
	times                          []time.Duration
}

// window is what was received since reset.
func (r *received) window() tally {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := tally{packets: r.packets, repeats: r.repeats, failed: r.failed, why: r.why, times: r.times}
	for _, s := range r.streams {
		if want := s.highest + 1 - s.base; want > s.packets {
			t.lost += uint64(want - s.packets)
		}
	}
	return t
}

func (t *tally) add(o tally) {
	t.packets, t.lost, t.repeats, t.failed = t.packets+o.packets, t.lost+o.lost, t.repeats+o.repeats, t.failed+o.failed
	t.times = append(t.times, o.times...)
	if o.failed > 0 {
		t.why = o.why
	}
}

func (r *received) firstAt() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.first
}
