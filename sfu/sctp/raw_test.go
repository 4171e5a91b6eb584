package sctp

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"
)

// raw is a peer made by hand, which may send anything to an association that is established.
type raw struct {
	t   testing.TB
	a   *Association
	now time.Time
	tsn tsn // of the next data
}

func newRaw(t testing.TB, cfg Config) *raw {
	cfg.Random = seeded(1)
	a := New(cfg)
	client := cfg
	client.Random = seeded(2)
	c := newDialer(client)
	exchange(t, start(), c, a)
	if e, ok := a.Next(); !ok || e != (Established{}) {
		t.Fatal("not established")
	}
	return &raw{t: t, a: a, now: start(), tsn: c.g.ours}
}

// send gives the association a packet with these chunks.
func (r *raw) send(chunks ...[]byte) {
	r.a.Receive(r.now, packetOf(header{5000, 5000, r.a.tag}, chunks...))
}

// chunks are those of the next packet, copied.
func (r *raw) chunks() []item {
	buf := make([]byte, 2048)
	n := r.a.Poll(r.now, buf)
	if n == 0 {
		return nil
	}
	h, b, ok := open(buf[:n])
	if !ok || h.tag != r.a.local.tag {
		r.t.Fatalf("a bad packet, %x", buf[:n])
	}
	var found []item
	for len(b) > 0 {
		c, rest, ok := nextChunk(b)
		if !ok {
			r.t.Fatalf("a bad chunk, %x", b)
		}
		found = append(found, c)
		b = rest
	}
	return found
}

// one is the one chunk of this type that comes, in any of the next packets.
func (r *raw) one(kind uint16) item {
	r.t.Helper()
	var found []item
	for cs := r.chunks(); cs != nil; cs = r.chunks() {
		for _, c := range cs {
			if c.kind == kind {
				found = append(found, c)
			}
		}
	}
	if len(found) != 1 {
		r.t.Fatalf("%d chunks of type %d, want one", len(found), kind)
	}
	return found[0]
}

// none fails if a chunk of this type comes.
func (r *raw) none(kind uint16) {
	r.t.Helper()
	for cs := r.chunks(); cs != nil; cs = r.chunks() {
		for _, c := range cs {
			if c.kind == kind {
				r.t.Fatalf("a chunk of type %d", kind)
			}
		}
	}
}

const whole = flagBegin | flagEnd

func data(n tsn, stream, ssn uint16, flags uint8, body string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(n))
	b = binary.BigEndian.AppendUint16(b, stream)
	b = binary.BigEndian.AppendUint16(b, ssn)
	b = binary.BigEndian.AppendUint32(b, 53)
	return appendChunk(nil, typeData, flags, append(b, body...))
}

// report of the peer: all before upTo, so much room, and blocks of what has come beyond.
func sack(upTo tsn, room uint32, blocks ...uint16) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(upTo-1))
	b = binary.BigEndian.AppendUint32(b, room)
	b = binary.BigEndian.AppendUint16(b, uint16(len(blocks)/2))
	b = binary.BigEndian.AppendUint16(b, 0)
	for _, v := range blocks {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	return appendChunk(nil, typeSack, 0, b)
}

func skip(upTo tsn, pairs ...uint16) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(upTo))
	for _, v := range pairs {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	return appendChunk(nil, typeForward, 0, b)
}

func resetRequest(number uint32, last tsn, streams ...uint16) []byte {
	b := binary.BigEndian.AppendUint32(nil, number)
	b = binary.BigEndian.AppendUint32(b, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(last))
	for _, s := range streams {
		b = binary.BigEndian.AppendUint16(b, s)
	}
	return appendChunk(nil, typeReconfig, 0, appendParam(nil, paramOutgoingReset, b))
}

func resetResponse(number, result uint32) []byte {
	b := binary.BigEndian.AppendUint32(nil, number)
	return appendChunk(nil, typeReconfig, 0, appendParam(nil, paramResetResponse, binary.BigEndian.AppendUint32(b, result)))
}

func (r *raw) texts() string {
	var b bytes.Buffer
	for _, m := range messages(r.a) {
		b.Write(m.Data)
		b.WriteByte(' ')
	}
	return b.String()
}

// ended is the last event, which has to be there.
func (r *raw) ended() error {
	r.t.Helper()
	for {
		e, ok := r.a.Next()
		if !ok {
			r.t.Fatal("it goes on")
		}
		if e, is := e.(Ended); is {
			return e.Err
		}
	}
}
