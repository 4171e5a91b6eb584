package sctp

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"time"
)

// Defaults of a Config.
const (
	DefaultMaxPacket  = 1191 // what browsers use: 1280 of IPv6 less IPv6, UDP, DTLS with GCM, and a channel of TURN
	DefaultMaxMessage = 256 << 10
	DefaultWindow     = 1 << 20
	DefaultBuffer     = 4 << 20
	DefaultStreams    = 256
)

// minPacket is the smallest MaxPacket: what IPv4 carries unfragmented (576) less headers.
const minPacket = 512

// Config of an Association. Zero values mean the defaults.
type Config struct {
	MaxPacket  int           // bytes of a packet sent
	MaxMessage int           // bytes of a message received; a longer one ends the association
	Window     int           // bytes received and not Taken; a message counts 64 more than it has, so that many small ones are bounded, too; at least 2 MaxMessage
	Buffer     int           // bytes of memory for what waits to be sent or acknowledged, of all streams; a small message takes 384; then Send returns ErrBuffer
	Streams    int           // that may be in use at a time, per direction
	Random     func() uint32 // of verification tags and first numbers; nil: from crypto/rand
	Memory     *Memory       // nil: one of its own
}

// Errors of Send, and reasons of Ended.
var (
	ErrBuffer  = errors.New("sctp: too much waits to be acknowledged: send less, or later")
	ErrStreams = errors.New("sctp: too many streams: reset some before others are used")
	ErrClosing = errors.New("sctp: the stream is being reset: wait until it is, or use another")
	ErrEmpty   = errors.New("sctp: a message has at least one byte: an empty one needs a PPID that says so (RFC 8831 §6.6)")
	ErrNotOpen = errors.New("sctp: there is no association: wait for Established, and stop at Ended")

	ErrAborted  = errors.New("sctp: the peer has aborted the association")
	ErrTimeout  = errors.New("sctp: the peer acknowledges nothing any more")
	ErrMessage  = errors.New("sctp: the peer has sent a longer message than was agreed on (max-message-size)")
	ErrProtocol = errors.New("sctp: the peer breaks the protocol: message fragments that do not fit together, or data without a byte")
)

// Reliability says how hard a message is tried. The zero value is reliable and in order. The limits hold only if the peer knows
// partial reliability (RFC 3758), as browsers do; else everything is reliable.
type Reliability struct {
	Unordered      bool
	Limited        bool          // MaxRetransmits counts; without, there is no such limit
	MaxRetransmits int           // how often a packet of it is repeated, at most, if Limited
	Lifetime       time.Duration // after which it is neither sent nor repeated; 0: no limit
}

func (c Config) withDefaults() Config {
	or := func(v *int, value int) {
		if *v <= 0 {
			*v = value
		}
	}
	or(&c.MaxPacket, DefaultMaxPacket)
	or(&c.MaxMessage, DefaultMaxMessage)
	or(&c.Window, DefaultWindow)
	or(&c.Buffer, DefaultBuffer)
	or(&c.Streams, DefaultStreams)
	c.MaxPacket = max(c.MaxPacket, minPacket)
	c.Window = max(c.Window, 2*c.MaxMessage)
	if c.Random == nil {
		c.Random = random
	}
	if c.Memory == nil {
		c.Memory = NewMemory(0)
	}
	return c
}

func random() uint32 {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails (Go 1.24)
	return binary.BigEndian.Uint32(b[:])
}
