// Package load puts participants into rooms and measures what they get: how long joining takes, what arrives of media and
// messages, how late and with what gaps. It says when it is itself what slows things down.
//
// Its nouns: a Plan says who does what. A Report is the outcome; a Progress is a word on the way. A histogram counts times
// without keeping them.
package load

import (
	"errors"
	"fmt"
	"time"
)

// Plan of a load. In every room are publishers, who also receive each other, and subscribers, who only receive.
type Plan struct {
	Server string // http, https, ws or wss URL

	Rooms       int
	Publishers  int // of each room
	Subscribers int // of each room

	Audio     bool
	Video     bool
	Simulcast bool          // three layers of video, of 1, 1/4 and 1/16 of Bitrate
	Bitrate   int           // of video, in bits a second
	FrameRate int           // of video, a second
	KeyEvery  time.Duration // a key frame comes at least so often, and whenever one is asked for

	Messages     float64 // that each publisher sends to its room a second, reliably
	MessageBytes int

	RelayOnly bool // media goes through TURN

	Joins    float64       // participants that begin to join a second, over all rooms
	Duration time.Duration // from when the last has joined
	Timeout  time.Duration // of joining, up to the first packet
}

// Bounds of a Plan: a load is never without end.
const (
	maxParticipants = 10_000
	maxDuration     = 24 * time.Hour
	minMessage      = 8 // the time when it was sent
	maxMessage      = 1 << 20
	packetBytes     = 1100 // payload of a full packet of video
)

// Validate says what is wrong with p and what to do about it.
func (p Plan) Validate() error {
	n := p.participants()
	switch {
	case p.Server == "":
		return errors.New("no server: say where it is with --url")
	case p.Rooms < 1 || p.Publishers < 0 || p.Subscribers < 0 || n == 0:
		return errors.New("nobody joins: give --rooms of at least 1, and --publishers or --subscribers")
	case p.Rooms > maxParticipants || p.Publishers > maxParticipants || p.Subscribers > maxParticipants || n > maxParticipants:
		return fmt.Errorf("these are more participants than the %d that one program brings: run several, or fewer", maxParticipants)
	case p.Duration <= 0 || p.Duration > maxDuration || p.Timeout <= 0:
		return fmt.Errorf("the duration is %v and the timeout %v: give more than 0, and at most %v", p.Duration, p.Timeout, maxDuration)
	case p.Joins <= 0:
		return fmt.Errorf("%v joins a second: give more than 0", p.Joins)
	case p.Video && (p.FrameRate < 1 || p.FrameRate > 120):
		return fmt.Errorf("%d frames a second: give 1 to 120", p.FrameRate)
	case p.Video && (p.Bitrate < 10_000 || p.Bitrate > 50_000_000):
		return fmt.Errorf("%d bits a second: give 10000 to 50000000", p.Bitrate)
	case p.Simulcast && !p.Video:
		return errors.New("simulcast is for video: give both, or none")
	case p.Messages < 0 || p.Messages > 1000:
		return fmt.Errorf("%v messages a second: give 0 to 1000", p.Messages)
	case p.Messages > 0 && (p.MessageBytes < minMessage || p.MessageBytes > maxMessage):
		return fmt.Errorf("messages of %d bytes: give %d to %d", p.MessageBytes, minMessage, maxMessage)
	}
	return nil
}

func (p Plan) participants() int { return p.Rooms * (p.Publishers + p.Subscribers) }

// sources is how many publications each publisher has.
func (p Plan) sources() int {
	n := 0
	for _, has := range []bool{p.Audio, p.Video} {
		if has {
			n++
		}
	}
	return n
}
