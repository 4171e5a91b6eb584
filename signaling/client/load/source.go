package load

import (
	"context"
	"encoding/binary"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// track is a publication's packets: made here, not by an encoder. The payload is VP8 in form only (RFC 7741), or noise that
// stands for Opus. Its last 8 bytes are the time when it was sent.
type track struct {
	*webrtc.TrackLocalStaticRTP
	key atomic.Bool // a key frame is due
}

// KeyFrameRequested is called by the participant when the server asks.
func (t *track) KeyFrameRequested() { t.key.Store(true) }

func newTrack(mime, id, rid string) (*track, error) {
	var options []func(*webrtc.TrackLocalStaticRTP)
	if rid != "" {
		options = append(options, webrtc.WithRTPStreamID(rid))
	}
	local, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mime}, id, "load", options...)
	if err != nil {
		return nil, err
	}
	t := &track{TrackLocalStaticRTP: local}
	t.key.Store(true)
	return t, nil
}

// The layers of simulcast, as browsers name them, and the share of the bitrate that each has.
var layers = []struct {
	rid   string
	share float64
}{{"q", 1.0 / 16}, {"h", 1.0 / 4}, {"f", 1}}

const (
	audioEvery = 20 * time.Millisecond
	audioBytes = 80 // of a packet: 32 kbit/s
)

// stamp writes when a packet is sent into the end of its payload.
func stamp(b []byte, now time.Time) {
	binary.BigEndian.PutUint64(b[len(b)-8:], uint64(now.UnixNano()))
}

// age is how long what stamp has marked was under way. ok is false for what it has not marked.
func age(b []byte, now time.Time) (time.Duration, bool) {
	if len(b) < 8 {
		return 0, false
	}
	d := time.Duration(now.UnixNano() - int64(binary.BigEndian.Uint64(b[len(b)-8:])))
	return d, d > -time.Minute && d < time.Hour
}

// speak sends audio until ctx is done.
func speak(ctx context.Context, t *track, late *lateness) {
	p := rtp.Packet{Header: rtp.Header{Version: 2}, Payload: make([]byte, audioBytes)}
	p.Payload[0] = 0xfc // Opus, CELT fullband, 20 ms, stereo (RFC 6716 §3.1)
	every(ctx, audioEvery, late, func(now time.Time) {
		stamp(p.Payload, now)
		_ = t.WriteRTP(&p) // nobody may receive it yet
		p.SequenceNumber++
		p.Timestamp += 960
	})
}

// camera sends one layer of video until ctx is done.
type camera struct {
	track    *track
	plan     Plan
	bitrate  float64
	extend   func(h *rtp.Header) // adds the header extensions that tell layers apart, nil for none
	sequence uint16
	time     uint32
	picture  uint16
	keyAt    time.Time
	buffer   [packetBytes]byte
}

func (c *camera) run(ctx context.Context, late *lateness) {
	frame := time.Second / time.Duration(c.plan.FrameRate)
	bytes := int(c.bitrate / 8 / float64(c.plan.FrameRate))
	every(ctx, frame, late, func(now time.Time) {
		size := bytes
		key := c.track.key.Swap(false) || now.Sub(c.keyAt) >= c.plan.KeyEvery
		if key {
			c.keyAt = now
			size *= 4 // a key frame takes about so much more
		}
		c.frame(now, max(size, 64), key)
	})
}

// frame sends a frame of size bytes.
func (c *camera) frame(now time.Time, size int, key bool) {
	c.picture++
	c.time += uint32(90000 / c.plan.FrameRate)
	for first := true; size > 0; first = false {
		n := min(size, packetBytes)
		if size-n > 0 && size-n < 32 {
			n -= 32 // the last one needs room for its marks
		}
		size -= n
		h := rtp.Header{Version: 2, SequenceNumber: c.sequence, Timestamp: c.time, Marker: size == 0}
		c.sequence++
		if c.extend != nil {
			c.extend(&h)
		}
		b := c.buffer[:n]
		// X; S on the first packet; I; a picture id of 15 bits; then the payload header, whose bit 0 is clear for a key frame.
		b[0], b[1], b[2], b[3], b[4] = 0x80, 0x80, 0x80|byte(c.picture>>8), byte(c.picture), 1
		if first {
			b[0] |= 0x10
		}
		if key {
			b[4] = 0
		}
		stamp(b, now)
		_ = c.track.WriteRTP(&rtp.Packet{Header: h, Payload: b}) // nobody may receive it yet
	}
}

// every calls f once a pause until ctx is done, and notes how late it is called. What could not be called in time is left out.
func every(ctx context.Context, pause time.Duration, late *lateness, f func(now time.Time)) {
	next := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		now := time.Now()
		late.add(now.Sub(next))
		f(now)
		if next = next.Add(pause); next.Before(now) {
			next = now
		}
		timer.Reset(time.Until(next))
	}
}

// extension sets the header extensions by which a server tells layers apart (RFC 8852).
func extension(mid, rid string, midID, ridID uint8) func(*rtp.Header) {
	return func(h *rtp.Header) {
		_ = h.SetExtension(midID, []byte(mid)) // fails for ids that nobody negotiates
		_ = h.SetExtension(ridID, []byte(rid))
	}
}
