package client

import (
	"github.com/turnout-rtc/turnout/datachannel/frame"
	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// Bounds of a stream.
const (
	maxUnacked      = 4096     // counted frames
	maxUnackedBytes = 16 << 20 // of them
	maxPartial      = 8        // frames under way in fragments (docs/reference/data.md §3)
	ackEvery        = 64       // counted frames; before that, the loop's tick acknowledges
)

// stream is the client's side of docs/reference/data.md §3: frames in, frames and events out. It does no I/O.
type stream struct {
	id       uint64 // 0: none yet
	received uint64 // counted frames
	told     uint64 // of them, acknowledged

	sent      [][]byte // counted frames that are not acknowledged, encoded
	sentBytes int
	acked     uint64 // number of the last frame that left sent

	open     bool // welcomed on the present wire
	limit    int  // largest message, as welcome says
	partial  map[uint64]*partial
	nextID   uint64
	presence uint64 // clock of one's own
}

type partial struct {
	data  []byte
	total uint64
}

// hello begins a wire.
func (s *stream) hello() []byte {
	s.open = false
	return frame.Append(nil, frame.Hello{Version: 1, Stream: s.id, Received: s.received})
}

// unwired says that the wire is gone; the next one begins with hello.
func (s *stream) unwired() { s.open = false }

// output is what comes of a wire message: frames for the same wire, one a message, and events.
type output struct {
	wire   [][]byte
	events []Event
}

// take reads a wire message of the reliable lane. An error means that the wire can no longer be used.
func (s *stream) take(wire []byte) (output, error) {
	var out output
	for len(wire) > 0 {
		raw, rest, err := frame.Next(wire)
		if err != nil {
			return out, err
		}
		wire = rest
		if raw.Type.Counted() {
			s.received++
		}
		s.frame(raw, &out)
	}
	if s.received-s.told >= ackEvery {
		out.wire = append(out.wire, s.ack())
	}
	return out, nil
}

// ack is due when something was received that was not acknowledged.
func (s *stream) ack() []byte {
	s.told = s.received
	return frame.Append(nil, frame.Ack{Received: s.received})
}

func (s *stream) ackDue() bool { return s.open && s.received > s.told }

// frame takes one frame. What cannot be read is ignored, as the page says.
func (s *stream) frame(raw frame.Raw, out *output) {
	f, err := frame.Decode(raw)
	if err != nil {
		return
	}
	switch f := f.(type) {
	case frame.Welcome:
		s.welcome(f, out)
	case frame.Ack:
		s.forget(f.Received)
	case frame.Fragment:
		s.fragment(f, out)
	case frame.Gap:
		clear(s.partial)
		out.events = append(out.events, DataLost{f.Dropped})
	default:
		if e := dataEvent(f); e != nil {
			out.events = append(out.events, e)
		}
	}
}

// dataEvent is what a frame of either lane means to the application, or nil.
func dataEvent(f frame.Frame) Event {
	switch f := f.(type) {
	case frame.Message:
		return MessageReceived{From: f.From, Topic: f.Topic, Payload: f.Payload, Lossy: f.Lossy}
	case frame.Presence:
		return PresenceChanged{Full: f.Full, Entries: f.Entries}
	case frame.Error:
		return DataRefused{ID: f.ID, Err: &protocol.Error{Code: protocol.Code(f.Code), Message: f.Message, Hint: f.Hint, Retryable: f.Retryable}}
	}
	return nil
}

// welcome goes on with the stream, or begins another.
func (s *stream) welcome(w frame.Welcome, out *output) {
	if w.Stream == s.id {
		s.forget(w.Received)
		out.wire = append(out.wire, s.sent...)
	} else {
		if s.id != 0 {
			out.events = append(out.events, DataLost{})
		}
		*s = stream{id: w.Stream, nextID: s.nextID, presence: s.presence}
	}
	s.open, s.limit = true, int(w.MessageBytes)
	if s.partial == nil {
		s.partial = map[uint64]*partial{}
	}
	out.events = append(out.events, DataOpened{})
}

// forget drops what the server has.
func (s *stream) forget(received uint64) {
	for s.acked < received && len(s.sent) > 0 {
		s.sentBytes -= len(s.sent[0])
		s.sent[0] = nil
		s.sent = s.sent[1:]
		s.acked++
	}
}

func (s *stream) fragment(f frame.Fragment, out *output) {
	p := s.partial[f.ID]
	switch {
	case p == nil && f.Offset == 0 && len(s.partial) < maxPartial && f.Total <= maxUnackedBytes:
		p = &partial{total: f.Total}
		s.partial[f.ID] = p
	case p == nil:
		return
	case f.Offset != uint64(len(p.data)) || f.Total != p.total:
		delete(s.partial, f.ID)
		return
	}
	p.data = append(p.data, f.Data...)
	if uint64(len(p.data)) < p.total {
		return
	}
	delete(s.partial, f.ID)
	if whole, err := frame.Parse(p.data); err == nil && whole.Type != frame.TypeFragment {
		s.frame(whole, out)
	}
}

// send queues a message and returns its number and the frames to send now. Between two wires a reliable message waits for the
// next welcome, and a lossy one is lost.
func (s *stream) send(m frame.Send) (id uint64, wire [][]byte, err error) {
	if s.id == 0 {
		return 0, nil, ErrData
	}
	if len(m.Payload) > s.limit {
		return 0, nil, ErrSize
	}
	m.ID = s.nextID + 1
	encoded := frame.Append(nil, m)
	if m.Lossy {
		if len(encoded) > frame.MaxMessage {
			return 0, nil, ErrSize
		}
		s.nextID = m.ID
		if !s.open {
			return m.ID, nil, nil
		}
		return m.ID, [][]byte{encoded}, nil
	}
	wire = [][]byte{encoded}
	if len(encoded) > frame.MaxMessage {
		wire = frame.Cut(m.ID, encoded)
	}
	if len(s.sent)+len(wire) > maxUnacked || s.sentBytes+len(encoded) > maxUnackedBytes {
		return 0, nil, ErrFull
	}
	s.nextID = m.ID
	for _, w := range wire {
		s.sentBytes += len(w)
	}
	s.sent = append(s.sent, wire...)
	if !s.open {
		return m.ID, nil, nil
	}
	return m.ID, wire, nil
}

// setPresence is a frame that sets one's own presence, or takes it back with nil.
func (s *stream) setPresence(data []byte) ([]byte, error) {
	if !s.open {
		return nil, ErrData
	}
	s.presence++
	return frame.Append(nil, frame.PresenceSet{Clock: s.presence, Present: data != nil, Data: data}), nil
}
