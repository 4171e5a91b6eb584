package turn

import (
	"net/netip"

	"github.com/turnout-rtc/turnout/turn/frame"
)

// Handover takes, in the mode "self", what a client sends to the SFU: payload b, from the client's relayed address, to one
// of the SFU's own. It is called by several goroutines and must not keep b.
type Handover func(b []byte, from, to netip.AddrPort)

// memoryOutlet hands a relay's datagrams to the SFU in the same process. It has no socket, and its port number is only a
// name.
type memoryOutlet struct {
	handover Handover
	from     netip.AddrPort
	closed   chan struct{}
}

func (o *memoryOutlet) send(b []byte, to netip.AddrPort) error {
	o.handover(b, o.from, to)
	return nil
}

func (o *memoryOutlet) pump(*relay) { <-o.closed }

func (o *memoryOutlet) close() error {
	close(o.closed)
	return nil
}

// Deliver is the way back of a Handover: it takes what the SFU sends from one of its addresses to a client's relayed
// address. It says whether a relay is there. b is not kept. Any goroutine may call it.
func (s *Server) Deliver(b []byte, from, to netip.AddrPort) bool {
	r := s.relayAt(canonical(to))
	if r == nil {
		return false
	}
	if len(b) >= relayMTU {
		s.count.drop(dropTooLong)
		return true
	}
	buf, _ := s.buffers.Get().(*[relayBuf]byte)
	copy(buf[frame.Headroom:], b)
	r.receive(buf[:], len(b), canonical(from))
	s.buffers.Put(buf)
	return true
}
