// Package frame is the binary wire of the data plane: docs/reference/data.md as types.
//
// A wire message holds frames back to back. Next divides it into Raw frames, Decode reads one, Append writes one.
// The package keeps no state: it does not count frames and does not put fragments together.
package frame

import (
	"errors"
	"fmt"
)

// Version of the protocol.
const Version = 1

// Sizes of the wire, in bytes.
const (
	MaxMessage  = 16384     // one data-channel or WebSocket message; browsers interoperate up to 16 KiB (RFC 8831 §6.6)
	MaxIdentity = 128       // as in the token
	MaxTopic    = 64        //
	MaxDocName  = 128       //
	MaxCode     = 64        //
	MaxText     = 512       // an error's message, an error's hint
	MaxNumber   = 1<<53 - 1 // the largest integer that a JavaScript number holds exactly
)

// MaxRecipients is the number of identities that one message may name.
const MaxRecipients = 256

// FragmentOverhead is what a fragment frame adds to its data at most: length, type, id, offset, total and the data's length.
const FragmentOverhead = 3 + 1 + 8 + 8 + 8 + 3

// FragmentData is the size of the data of a full fragment.
const FragmentData = MaxMessage - FragmentOverhead

// Type numbers a frame's kind.
type Type uint64

// The types of frames. Those below FirstCounted are link frames, which the stream does not number.
const (
	TypeHello        Type = 0x01
	TypeWelcome      Type = 0x02
	TypeAck          Type = 0x03
	TypeSendLossy    Type = 0x04
	TypeMessageLossy Type = 0x05
	TypePresenceSet  Type = 0x06

	FirstCounted Type = 0x10

	TypeError    Type = 0x10
	TypeSend     Type = 0x11
	TypeMessage  Type = 0x12
	TypeFragment Type = 0x13
	TypeGap      Type = 0x14
	TypePresence Type = 0x15

	TypeDocOpen      Type = 0x20
	TypeDocState     Type = 0x21
	TypeDocUpdate    Type = 0x22
	TypeDocChange    Type = 0x23
	TypeDocAck       Type = 0x24
	TypeDocAwareness Type = 0x25
	TypeDocClose     Type = 0x26
	TypeDocClosed    Type = 0x27
)

// Counted says whether frames of this type are numbered by the stream, known or not.
func (t Type) Counted() bool { return t >= FirstCounted }

// The ways to fail.
var (
	// ErrFraming: the wire message cannot be divided into frames.
	ErrFraming = errors.New("the message is not a sequence of whole frames")
	// ErrMalformed: the body of one frame does not follow its type.
	ErrMalformed = errors.New("malformed frame")
	// ErrUnknown: a type that this version does not know; the frame is to be ignored.
	ErrUnknown = errors.New("unknown type of frame")
)

// Frame is one of the types of this package.
type Frame interface {
	Type() Type
	appendBody(b []byte) []byte
}

// Raw is a frame whose body has not been read.
type Raw struct {
	Type Type
	Body []byte // aliases the wire message
}

// Next takes the first frame off a wire message. The error is ErrFraming; nothing of b can be used then.
func Next(b []byte) (first Raw, rest []byte, err error) {
	r := reader{b: b}
	n := r.number()
	if r.bad || n == 0 || n > uint64(len(b)-r.at) {
		return Raw{}, nil, ErrFraming
	}
	end := r.at + int(n)
	raw, err := Parse(b[r.at:end])
	if err != nil {
		return Raw{}, nil, err
	}
	return raw, b[end:], nil
}

// Parse reads type and body without a length before them: what fragments put together.
func Parse(b []byte) (Raw, error) {
	r := reader{b: b}
	t := Type(r.number())
	if r.bad {
		return Raw{}, ErrFraming
	}
	return Raw{Type: t, Body: b[r.at:]}, nil
}

// Append writes f behind b: length, type, body.
func Append(b []byte, f Frame) []byte {
	// The length is not known before the body is written: room for the longest length of a frame that fits into
	// a wire message, moved up if the length is shorter or longer.
	const room = 2
	start := len(b)
	b = append(b, make([]byte, room)...)
	b = appendNumber(b, uint64(f.Type()))
	b = f.appendBody(b)
	return putLength(b, start, room)
}

// putLength writes the number of bytes after b[start:start+room] before them, in its shortest form.
func putLength(b []byte, start, room int) []byte {
	n := len(b) - start - room
	size := numberSize(uint64(n))
	switch {
	case size < room:
		copy(b[start+size:], b[start+room:])
		b = b[:len(b)-(room-size)]
	case size > room:
		b = append(b, make([]byte, size-room)...)
		copy(b[start+size:], b[start+room:start+room+n])
	}
	appendNumber(b[:start], uint64(n))
	return b
}

// Decode reads the body of a frame. Byte fields alias it. The error is ErrUnknown or wraps ErrMalformed.
func Decode(raw Raw) (Frame, error) {
	r := reader{b: raw.Body}
	f := read(raw.Type, &r)
	if f == nil {
		return nil, ErrUnknown
	}
	if r.bad {
		return nil, malformed(raw.Type)
	}
	return f, nil
}

func malformed(t Type) error { return fmt.Errorf("%w of type 0x%02x", ErrMalformed, uint64(t)) }

func read(t Type, r *reader) Frame {
	switch t {
	case TypeHello:
		return readHello(r)
	case TypeWelcome:
		return readWelcome(r)
	case TypeAck:
		return readAck(r)
	case TypePresenceSet:
		return readPresenceSet(r)
	case TypeError:
		return readError(r)
	case TypeSend, TypeSendLossy:
		return readSend(r, t == TypeSendLossy)
	case TypeMessage, TypeMessageLossy:
		return readMessage(r, t == TypeMessageLossy)
	case TypeFragment:
		return readFragment(r)
	case TypeGap:
		return readGap(r)
	case TypePresence:
		return readPresence(r)
	default:
		return readDocument(t, r)
	}
}

func readDocument(t Type, r *reader) Frame {
	switch t {
	case TypeDocOpen:
		return readDocOpen(r)
	case TypeDocState:
		return readDocState(r)
	case TypeDocUpdate:
		return readDocUpdate(r)
	case TypeDocChange:
		return readDocChange(r)
	case TypeDocAck:
		return readDocAck(r)
	case TypeDocAwareness:
		return readDocAwareness(r)
	case TypeDocClose:
		return readDocClose(r)
	case TypeDocClosed:
		return readDocClosed(r)
	default:
		return nil
	}
}
