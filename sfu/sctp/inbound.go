package sctp

import (
	"encoding/binary"
	"errors"
	"time"
)

// Bounds of what has arrived beyond a hole. What exceeds them is dropped, and the peer sends it again.
const (
	mostAhead = 4096 // numbers beyond the first hole
	mostSpans = 128  // islands between holes; all of them fit into a report
	mostDups  = 16   // repetitions told in one report
)

// holdBack is how long the report of a single packet may wait for a second one (RFC 9260 §6.2).
const holdBack = 200 * time.Millisecond

// span is numbers that have arrived, both ends included.
type span struct{ first, last tsn }

// inbound is the peer's half of an association: what has arrived, and what it has to be told about that.
type inbound struct {
	last     tsn    // all up to it has arrived or is not waited for
	spans    []span // what has arrived beyond, ascending, with a hole before each
	assembly assembly
	ack      ack
}

// ack is what the peer is owed.
type ack struct {
	packets int // with data, since the latest report
	now     bool
	at      time.Time // when it is to be sent at the latest, zero if nothing is owed
	dups    []tsn
	told    int // bytes of room that the peer knows of, less what it has sent since
}

func (in *inbound) begin(cfg *Config, first tsn) {
	*in = inbound{last: first - 1, assembly: assembly{cfg: cfg}, ack: ack{told: cfg.Window}}
}

// piece is a DATA chunk.
type piece struct {
	tsn    tsn
	stream uint16
	ssn    uint16
	ppid   uint32
	flags  uint8
	data   []byte // of the packet
}

func parseData(c item) (piece, bool) {
	b := c.value
	if len(b) <= dataHeader-chunkHeader {
		return piece{}, false
	}
	return piece{
		tsn:    tsn(binary.BigEndian.Uint32(b)),
		stream: binary.BigEndian.Uint16(b[4:]),
		ssn:    binary.BigEndian.Uint16(b[6:]),
		ppid:   binary.BigEndian.Uint32(b[8:]),
		flags:  c.flags,
		data:   b[12:],
	}, true
}

// Errors that do not end an association.
var (
	errStream = errors.New("sctp: one stream too many")       // the peer is told, and what it sent there is nobody's
	errBounds = errors.New("sctp: too much or too far ahead") // it is as if it had not arrived
)

// data takes a DATA chunk in. Other errors than these two end the association.
func (in *inbound) data(p piece) error {
	in.ack.told = max(0, in.ack.told-cost(len(p.data)))
	in.ack.now = in.ack.now || p.flags&flagNow != 0
	at, known := in.find(p.tsn)
	if known {
		in.ack.now = true
		if len(in.ack.dups) < mostDups {
			in.ack.dups = append(in.ack.dups, p.tsn)
		}
		return nil
	}
	next := p.tsn == in.last+1
	grows := !next && !in.touches(at, p.tsn)
	if p.tsn-in.last > mostAhead || grows && len(in.spans) == mostSpans || !in.assembly.room(len(p.data), next) {
		in.ack.now = true
		return errBounds
	}
	_, follows := in.find(p.tsn - 1)
	in.record(at, p.tsn)
	if !in.assembly.known(p.stream) {
		return errStream
	}
	return in.assembly.add(p, follows)
}

// find returns before which span a number belongs, and whether it has arrived.
func (in *inbound) find(n tsn) (int, bool) {
	if !in.last.before(n) {
		return 0, true
	}
	low, high := 0, len(in.spans)
	for low < high {
		mid := (low + high) / 2
		if in.spans[mid].last.before(n) {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low, low < len(in.spans) && !n.before(in.spans[low].first)
}

// touches says whether a number prolongs one of the spans beside it.
func (in *inbound) touches(at int, n tsn) bool {
	return at > 0 && in.spans[at-1].last+1 == n || at < len(in.spans) && in.spans[at].first == n+1
}

// record notes that a number has arrived, before span at.
func (in *inbound) record(at int, n tsn) {
	if n == in.last+1 {
		in.last = n
		in.join()
		return
	}
	before := at > 0 && in.spans[at-1].last+1 == n
	after := at < len(in.spans) && in.spans[at].first == n+1
	switch {
	case before && after:
		in.spans[at-1].last = in.spans[at].last
		in.spans = append(in.spans[:at], in.spans[at+1:]...)
	case before:
		in.spans[at-1].last = n
	case after:
		in.spans[at].first = n
	default:
		in.spans = append(in.spans, span{})
		copy(in.spans[at+1:], in.spans[at:])
		in.spans[at] = span{n, n}
	}
}

// join moves last over what has arrived beyond it.
func (in *inbound) join() {
	n := 0
	for n < len(in.spans) && !(in.last + 1).before(in.spans[n].first) {
		if in.last.before(in.spans[n].last) {
			in.last = in.spans[n].last
		}
		n++
	}
	if n == len(in.spans) {
		in.spans = nil
	} else if n > 0 {
		in.spans = append(in.spans[:0], in.spans[n:]...)
	}
}

// forward takes a FORWARD TSN in (RFC 3758 §3.6).
func (in *inbound) forward(b []byte) {
	if len(b) < 4 {
		return
	}
	in.ack.now = true
	upTo := tsn(binary.BigEndian.Uint32(b))
	if !in.last.before(upTo) {
		return
	}
	in.last = upTo
	in.join()
	in.assembly.skip(upTo)
	for b = b[4:]; len(b) >= 4; b = b[4:] {
		in.assembly.skipTo(binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:]))
	}
}

// packet ends a packet that had data in it, and decides when it is reported.
func (in *inbound) packet(now time.Time) {
	in.ack.packets++
	switch {
	case in.ack.packets >= 2 || len(in.spans) > 0:
		in.ack.now = true
	case in.ack.at.IsZero():
		in.ack.at = now.Add(holdBack)
	}
}

// owed says whether there is something to report, now or later.
func (in *inbound) owed() bool { return in.ack.now || !in.ack.at.IsZero() }

// taken opens the window, and tells the peer when it was small and has become large.
func (in *inbound) taken(n int) {
	a := &in.assembly
	a.used = max(0, a.used-n-overhead)
	if a.free()-in.ack.told >= a.cfg.Window/4 { // not half: what waits for its rest may take that
		in.ack.now = true
	}
}

// size of the report.
func (in *inbound) size() int { return sackHeader + 4*len(in.spans) + 4*len(in.ack.dups) }

// write puts the report into the packet if it fits.
func (in *inbound) write(w *writer) {
	if in.size() > w.room() {
		return
	}
	free := in.assembly.free()
	b := w.chunk(typeSack, 0, in.size()-chunkHeader)
	binary.BigEndian.PutUint32(b, uint32(in.last))
	binary.BigEndian.PutUint32(b[4:], uint32(free))
	binary.BigEndian.PutUint16(b[8:], uint16(len(in.spans)))
	binary.BigEndian.PutUint16(b[10:], uint16(len(in.ack.dups)))
	b = b[12:]
	for _, s := range in.spans {
		binary.BigEndian.PutUint16(b, uint16(s.first-in.last))
		binary.BigEndian.PutUint16(b[2:], uint16(s.last-in.last))
		b = b[4:]
	}
	for _, d := range in.ack.dups {
		binary.BigEndian.PutUint32(b, uint32(d))
		b = b[4:]
	}
	in.ack = ack{told: free, dups: in.ack.dups[:0]}
}
