package datachannel

import (
	"fmt"
	"time"

	"github.com/turnout-rtc/turnout/datachannel/frame"
)

// fragmentData is the size of the pieces that a large frame is cut into.
const fragmentData = frame.FragmentData

// send routes a message. The bytes that go out are encoded once and shared by all receivers.
func (h *Hub) send(now time.Time, m *Member, f frame.Send) *refusal {
	switch {
	case !m.grants.mayWrite(f.Topic):
		return refuse(CodeForbidden, fmt.Sprintf("You may not send on the topic %q.", f.Topic))
	case len(f.Payload) > h.cfg.MessageBytes:
		return refuse(CodeTooLarge, fmt.Sprintf("A message has at most %d bytes.", h.cfg.MessageBytes))
	case f.To == frame.ToServer:
		return h.sendToServer(m, f)
	}
	b := frame.Append(make([]byte, 0, len(f.Payload)+messageOverhead), frame.Message{
		Lossy: f.Lossy, From: m.identity, Topic: f.Topic, Payload: f.Payload,
	})
	if f.Lossy && len(b) > frame.MaxMessage {
		return refuse(CodeTooLarge, "A lossy message has to fit into one wire message.")
	}
	frames := h.cut(b)
	if f.To == frame.ToAll {
		for _, to := range h.members {
			if to != m {
				h.deliver(now, to, f, frames)
			}
		}
		h.meter.message()
		return nil
	}
	if !h.sendTo(now, f, frames) {
		return refuse(CodeNoRecipient, "None of the identities is in the room and may read this topic.")
	}
	h.meter.message()
	return nil
}

// messageOverhead is what a message frame adds to its payload at most.
const messageOverhead = 16 + frame.MaxIdentity + frame.MaxTopic

func (h *Hub) sendToServer(m *Member, f frame.Send) *refusal {
	if h.with.Serve == nil {
		return refuse(CodeNoRecipient, "This server has no application that takes messages.")
	}
	h.meter.message()
	h.with.Serve(ServerMessage{From: m.identity, Topic: f.Topic, Payload: f.Payload})
	return nil
}

// sendTo says whether anyone was there. Who is named twice gets it once.
func (h *Hub) sendTo(now time.Time, f frame.Send, frames [][]byte) bool {
	done := make(map[*Member]bool, len(f.Identities))
	for _, identity := range f.Identities {
		to := h.members[identity]
		if to == nil || done[to] || !to.grants.mayRead(f.Topic) {
			continue
		}
		done[to] = true
		h.deliver(now, to, f, frames)
	}
	return len(done) > 0
}

func (h *Hub) deliver(now time.Time, to *Member, f frame.Send, frames [][]byte) {
	switch {
	case !to.grants.mayRead(f.Topic):
		return
	case f.Lossy:
		to.out.Lossy(now, frames[0])
	default:
		to.out.Reliable(now, frames...)
	}
	h.agenda.mark(to)
}

// enqueue encodes a counted frame for one member.
func (h *Hub) enqueue(now time.Time, m *Member, f frame.Frame) {
	m.out.Reliable(now, h.cut(frame.Append(nil, f))...)
	h.agenda.mark(m)
}

// cut divides an encoded frame into fragments if it does not fit into a wire message. Their id is unique in the hub, so
// that many members can share them. What it returns is good until it is called again.
func (h *Hub) cut(b []byte) [][]byte {
	if len(b) <= frame.MaxMessage {
		h.single[0] = b
		return h.single[:]
	}
	h.fragment++
	return frame.Cut(h.fragment, b)
}
