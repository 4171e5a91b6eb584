//go:build linux

package main

import (
	"encoding/binary"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"
)

// feed is what a publisher sends.
type feed struct {
	frame int     // packets of a video frame, 0 for no video
	fps   float64 // frames a second
	audio float64 // packets of audio a second
}

// Sizes of payloads.
const (
	videoBytes = 1100
	audioBytes = 100
)

// numberBytes at the end of a payload are the packet's number in sendings.
const numberBytes = 8

// publisher makes packets, frame by frame, when the loop says that they are due.
type publisher struct {
	// Set at construction, never changed.
	feed  feed
	phase float64 // when in the time between two frames it sends, 0 to 1: cameras know nothing of each other
	sent  *sendings
	seal  func(dst, packet []byte) ([]byte, error)
	send  func(b []byte) error

	key atomic.Bool // a key frame is due

	// Owned by the loop.
	video, audio time.Time // when the next is due
	seq          [2]uint16
	times        [2]uint32
	picture      uint16
	payload      [videoBytes]byte
	plain        []byte
	sealed       [][]byte
	numbers      []uint64
}

// begin says when the first packets are due.
func (p *publisher) begin(now time.Time) {
	p.key.Store(true)
	never := now.Add(24 * time.Hour)
	p.video, p.audio = never, never
	if p.feed.frame > 0 {
		p.video = now.Add(time.Duration(p.phase * float64(per(p.feed.fps))))
	}
	if p.feed.audio > 0 {
		p.audio = now.Add(time.Duration(p.phase * float64(per(p.feed.audio)))).Add(3 * time.Millisecond)
	}
	p.sealed = make([][]byte, max(p.feed.frame, 1))
}

func (p *publisher) due() time.Time {
	if p.audio.Before(p.video) {
		return p.audio
	}
	return p.video
}

// play sends what is due. When this process was not run for a while, what should have been sent then is left out: a burst would
// only measure buffers.
func (p *publisher) play(now time.Time) {
	if !p.video.After(now) {
		p.videoFrame()
		p.video = following(p.video, per(p.feed.fps), now)
	}
	if !p.audio.After(now) {
		p.audioPacket()
		p.audio = following(p.audio, per(p.feed.audio), now)
	}
}

// following is the first time in the rhythm of due that is not over.
func following(due time.Time, every time.Duration, now time.Time) time.Time {
	late := max(0, now.Sub(due))
	return due.Add(every + late - late%every)
}

func per(rate float64) time.Duration { return time.Duration(float64(time.Second) / rate) }

func (p *publisher) videoFrame() {
	key := p.key.Swap(false)
	p.picture++
	p.times[1] += uint32(90000 / p.feed.fps)
	for i := range p.feed.frame {
		h := rtp.Header{
			Version: 2, PayloadType: videoType, SSRC: videoSSRC, SequenceNumber: p.seq[1], Timestamp: p.times[1], Marker: i == p.feed.frame-1,
		}
		p.seq[1]++
		// RFC 7741: X, S on the first packet; I; picture id of 15 bits; then the payload header, bit 0 clear for a key frame.
		first := byte(0x80)
		if i == 0 {
			first |= 0x10
		}
		frame := byte(1)
		if key {
			frame = 0
		}
		copy(p.payload[:], []byte{first, 0x80, 0x80 | byte(p.picture>>8), byte(p.picture), frame, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 2, 0xe0, 1})
		p.prepare(&h, p.payload[:])
	}
	p.carry()
}

func (p *publisher) audioPacket() {
	p.times[0] += uint32(48000 / p.feed.audio)
	h := rtp.Header{Version: 2, PayloadType: opusType, SSRC: audioSSRC, SequenceNumber: p.seq[0], Timestamp: p.times[0]}
	_ = h.SetExtension(levelID, []byte{0x30})
	p.seq[0]++
	p.payload[0] = 0xfc
	p.prepare(&h, p.payload[:audioBytes])
	p.carry()
}

// prepare writes a packet and encrypts it. Its number is at the end of the payload.
func (p *publisher) prepare(h *rtp.Header, payload []byte) {
	number := p.sent.next()
	binary.BigEndian.PutUint64(payload[len(payload)-numberBytes:], number)
	if size := h.MarshalSize(); cap(p.plain) < size {
		p.plain = make([]byte, size+videoBytes)
	}
	n, err := h.MarshalTo(p.plain[:cap(p.plain)])
	if err != nil {
		panic(err)
	}
	p.plain = append(p.plain[:n], payload...)
	i := len(p.numbers)
	if p.sealed[i], err = p.seal(p.sealed[i][:0], p.plain); err != nil {
		panic(err)
	}
	p.numbers = append(p.numbers, number)
}

// carry sends what was prepared in a row, and notes the time before each packet.
func (p *publisher) carry() {
	for i, number := range p.numbers {
		p.sent.note(number)
		_ = p.send(p.sealed[i]) // what does not fit into the socket is lost, as on a network
	}
	p.numbers = p.numbers[:0]
}

// sendings says when the latest packets of all publishers were sent, by numbers that are in their payloads.
type sendings struct {
	at    [1 << 20]atomic.Int64 // ns since 1970; a minute of 17,000 packets a second
	count uint64                // owned by the loop
}

func (s *sendings) next() uint64 {
	s.count++
	return s.count
}

func (s *sendings) note(number uint64) { s.at[number%uint64(len(s.at))].Store(time.Now().UnixNano()) }

// since is how long before at a packet was sent. ok is false for a number that was not.
func (s *sendings) since(number uint64, at int64) (d time.Duration, ok bool) {
	sent := s.at[number%uint64(len(s.at))].Load()
	return time.Duration(at - sent), sent != 0 && at >= sent
}
