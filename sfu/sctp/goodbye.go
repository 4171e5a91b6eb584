package sctp

import (
	"encoding/binary"
	"time"
)

// goodbye is the peer's orderly shutdown (RFC 9260 §9.2). Data channels have no use for it, but libraries do it.
type goodbye struct {
	expiry time.Time // when SHUTDOWN ACK is sent again
	sent   int
}

// mostGoodbyes is how often it is sent before the association ends without the last word.
const mostGoodbyes = 5

// shut begins the shutdown that the peer asks for.
func (a *Association) shut(now time.Time, b []byte) {
	if len(b) < 4 {
		return
	}
	a.out.shut(now, tsn(binary.BigEndian.Uint32(b))+1)
	a.state = closing
}

// shut acknowledges all before a number, as a SACK without blocks.
func (o *outbound) shut(now time.Time, upTo tsn) {
	if upTo.before(o.flight.base) || o.flight.next().before(upTo) {
		return
	}
	var r report
	o.acknowledge(upTo, &r)
	o.forward.advance(&o.flight)
	if r.moved {
		o.timeouts = 0
		o.expiry = time.Time{}
		if o.flight.n > 0 {
			o.expiry = now.Add(o.clock.timeout)
		}
	}
}

// leaves says that SHUTDOWN ACK is to be sent for the first time.
func (a *Association) leaves() bool {
	return a.state == closing && a.out.empty() && a.shutdown.sent == 0
}

func (a *Association) pollShutdown(now time.Time, w *writer) {
	if a.state != closing || !a.out.empty() || now.Before(a.shutdown.expiry) || w.room() < chunkHeader {
		return
	}
	if a.shutdown.sent == mostGoodbyes {
		a.end(nil)
		return
	}
	w.chunk(typeShutdownAck, 0, 0)
	a.shutdown.sent++
	a.out.clock.backOff()
	a.shutdown.expiry = now.Add(a.out.clock.timeout)
}
