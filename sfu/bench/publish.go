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

// publisher makes packets and hands them to send, frame by frame.
type publisher struct {
	feed feed
	send func(packets [][]byte) error
	stop chan struct{}
	done chan struct{}

	key atomic.Bool // a key frame is due

	// Owned by run.
	seq     [2]uint16
	times   [2]uint32
	picture uint16
	buffers [][]byte
	sent    uint64
}

func newPublisher(f feed, send func(packets [][]byte) error) *publisher {
	p := &publisher{feed: f, send: send, stop: make(chan struct{}), done: make(chan struct{})}
	p.key.Store(true)
	for range max(f.frame, 1) {
		p.buffers = append(p.buffers, make([]byte, 0, 1500))
	}
	go p.run()
	return p
}

func (p *publisher) close() {
	close(p.stop)
	<-p.done
}

// run sends in time. When this process was not run for a while, what is due then is left out: a burst would only measure buffers.
func (p *publisher) run() {
	defer close(p.done)
	now := time.Now()
	video, audio := now, now.Add(3*time.Millisecond)
	for {
		next := video
		if p.feed.frame == 0 || p.feed.audio > 0 && audio.Before(video) {
			next = audio
		}
		select {
		case <-p.stop:
			return
		case <-time.After(time.Until(next)):
		}
		now = time.Now()
		if p.feed.frame > 0 && !video.After(now) {
			p.videoFrame()
			if video = video.Add(per(p.feed.fps)); video.Before(now) {
				video = now
			}
		}
		if p.feed.audio > 0 && !audio.After(now) {
			p.audioPacket()
			if audio = audio.Add(per(p.feed.audio)); audio.Before(now) {
				audio = now
			}
		}
	}
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
		payload := make([]byte, 0, videoBytes)
		first := byte(0x80)
		if i == 0 {
			first |= 0x10
		}
		frame := byte(1)
		if key {
			frame = 0
		}
		payload = append(payload, first, 0x80, 0x80|byte(p.picture>>8), byte(p.picture), frame, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 2, 0xe0, 1)
		p.buffers[i] = p.finish(p.buffers[i], h, "", payload[:videoBytes])
	}
	p.carry(p.buffers)
}

func (p *publisher) audioPacket() {
	p.times[0] += uint32(48000 / p.feed.audio)
	h := rtp.Header{Version: 2, PayloadType: opusType, SSRC: audioSSRC, SequenceNumber: p.seq[0], Timestamp: p.times[0]}
	p.seq[0]++
	p.carry([][]byte{p.finish(nil, h, "\x30", append([]byte{0xfc}, make([]byte, audioBytes-1)...))})
}

// finish writes a packet. Its last 8 bytes say when it was sent.
func (p *publisher) finish(b []byte, h rtp.Header, level string, payload []byte) []byte {
	if level != "" {
		_ = h.SetExtension(levelID, []byte(level))
	}
	binary.BigEndian.PutUint64(payload[len(payload)-8:], uint64(time.Now().UnixNano()))
	b = b[:0]
	if cap(b) < h.MarshalSize()+len(payload) {
		b = make([]byte, 0, h.MarshalSize()+len(payload))
	}
	n, err := h.MarshalTo(b[:h.MarshalSize()])
	if err != nil {
		panic(err)
	}
	return append(b[:n], payload...)
}

func (p *publisher) carry(packets [][]byte) {
	if p.send(packets) == nil {
		p.sent += uint64(len(packets))
	}
}
