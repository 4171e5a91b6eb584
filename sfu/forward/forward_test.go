package forward

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtp"

	"github.com/turnout-rtc/turnout/sfu/codec"
	"github.com/turnout-rtc/turnout/sfu/packet"
)

// encoder makes the packets of one VP8 source, as a publisher would.
type encoder struct {
	rng     *rand.Rand
	id      SourceID
	seq     uint16
	ts      uint32
	picture uint16
	tl0     uint8
	bits    uint8 // of the picture id
	wantKey bool
	index   uint32 // of the picture, in its payload
}

// frame returns the packets of the next frame, now and then followed by padding.
func (e *encoder) frame() [][]byte {
	var all [][]byte
	n := 1 + e.rng.IntN(4)
	layer := []byte{0x00, 0xa0, 0x60, 0xa0}[e.index%4] // T0, T2, T1, T2, the others with Y
	if e.wantKey {
		layer = 0
	}
	for i := range n {
		head := []byte{0x80, 0xe0}
		if i == 0 {
			head[0] |= 0x10
		}
		if e.bits == 15 {
			head = append(head, 0x80|byte(e.picture>>8), byte(e.picture))
		} else {
			head = append(head, byte(e.picture))
		}
		head = append(head, e.tl0, layer, 1)
		if e.wantKey && i == 0 {
			head[len(head)-1] = 0
		}
		all = append(all, e.packet(binary.BigEndian.AppendUint32(head, e.index), i == n-1, 0))
	}
	for e.rng.IntN(8) == 0 {
		all = append(all, e.packet(nil, false, 20))
	}
	e.wantKey = false
	e.ts += 3000
	e.tl0++
	e.index++
	e.picture = (e.picture + 1) & (1<<e.bits - 1)
	return all
}

func (e *encoder) packet(payload []byte, marker bool, padding byte) []byte {
	p := rtp.Packet{
		Header:  rtp.Header{Version: 2, Marker: marker, SequenceNumber: e.seq, Timestamp: e.ts, PaddingSize: padding, Padding: padding > 0},
		Payload: payload,
	}
	e.seq++
	b, err := p.Marshal()
	if err != nil {
		panic(err)
	}
	return b
}

// receiver is what a layer does before forwarding, and the list of what it has received.
type receiver struct {
	unwrap  packet.Unwrapper
	window  packet.Window
	highest uint64
	in      In

	selector Selector
	pictures uint32 // newest one seen, and one more
}

func (r *receiver) read(b []byte) bool {
	if err := r.in.Parse(b); err != nil {
		panic(err)
	}
	n := r.unwrap.Unwrap(r.in.Seq)
	if r.window.Check(n) != packet.Fresh {
		return false
	}
	r.in.N, r.in.Newer = n, n > r.highest
	r.highest = max(r.highest, n)
	r.in.Key = codec.VP8.KeyFrame(r.in.Payload)
	r.in.Skip = len(r.in.Payload) > 0 && !r.selector.Wanted(codec.VP8.ReadFrame(r.in.Payload))
	return true
}

// sentPacket is one packet of the outgoing stream and where it came from.
type sentPacket struct {
	n       uint64 // unwrapped
	shown   *Format
	inN     uint64
	inTS    uint32
	ts      uint32
	picture codec.Picture
	index   uint32 // of the picture at its source
	tl0     uint8  // likewise
	empty   bool
}

// world feeds a Rewriter with everything that can go wrong and keeps what it sends.
type world struct {
	t        *testing.T
	rng      *rand.Rand
	now      time.Time
	rewriter *Rewriter
	sources  []*encoder
	inputs   []*receiver
	late     [][2]any // packets on their way: source index, bytes
	unwrap   packet.Unwrapper
	sent     []sentPacket
	received map[arrival]bool
	leftOut  map[arrival]bool // pictures, by index
}

// arrival of a packet while its source was shown, from one switch to the next.
type arrival struct {
	shown *Format
	n     uint64
}

func newWorld(t *testing.T, rng *rand.Rand) *world {
	w := &world{t: t, rng: rng, now: time.Unix(1e9, 0), received: map[arrival]bool{}, leftOut: map[arrival]bool{}}
	w.rewriter = NewRewriter(uint16(rng.Uint32()), rng.Uint32())
	for i := range 3 {
		bits := uint8(15)
		if i == 2 {
			bits = 7
		}
		w.sources = append(w.sources, &encoder{
			rng: rng, id: SourceID(i + 1), seq: uint16(rng.Uint32()), ts: rng.Uint32(), bits: bits, wantKey: true,
			picture: uint16(rng.Uint32()) & (1<<bits - 1), tl0: uint8(rng.Uint32()),
		})
		w.inputs = append(w.inputs, &receiver{})
	}
	return w
}

func (w *world) format(i int) Format {
	return Format{Source: w.sources[i].id, Codec: codec.VP8, ClockRate: 90000, PayloadType: 96, RTXPayloadType: 97}
}

// step lets one random thing happen.
func (w *world) step() {
	w.now = w.now.Add(time.Duration(w.rng.IntN(20)) * time.Millisecond)
	switch i := w.rng.IntN(len(w.sources)); w.rng.IntN(40) {
	case 0:
		w.rewriter.Switch(w.format(i))
		w.sources[i].wantKey = w.rng.IntN(3) > 0
	case 1:
		w.rewriter.Stop()
	case 2:
		w.now = w.now.Add(time.Duration(w.rng.IntN(100)) * time.Second)
	case 3:
		w.sources[i].wantKey = true
	case 4, 5:
		w.inputs[i].selector.SetTarget(codec.Layer{Temporal: uint8(w.rng.IntN(3))})
	default:
		for _, b := range w.sources[i].frame() {
			w.transmit(i, b)
		}
	}
}

// transmit loses, delays and repeats packets.
func (w *world) transmit(i int, b []byte) {
	switch w.rng.IntN(12) {
	case 0: // lost for ever
	case 1:
		w.late = append(w.late, [2]any{i, b})
	case 2:
		w.deliver(i, b)
		w.deliver(i, b)
	default:
		w.deliver(i, b)
	}
	for len(w.late) > 0 && w.rng.IntN(4) == 0 {
		k := w.rng.IntN(len(w.late))
		l := w.late[k]
		w.late = slices.Delete(w.late, k, k+1)
		w.deliver(l[0].(int), l[1].([]byte))
	}
}

func (w *world) deliver(i int, b []byte) {
	r := w.inputs[i]
	if !r.read(b) {
		return
	}
	_, out, verdict := w.rewriter.Forward(w.now, w.sources[i].id, &r.in, nil)
	if verdict != NotShown && verdict != NoKey { // what comes after the source was switched away is as good as lost
		w.received[arrival{w.rewriter.cur.Format, r.in.N}] = true
	}
	w.notePicture(r, verdict)
	if verdict != Send {
		return
	}
	p := sentPacket{
		n: w.unwrap.Unwrap(out.Seq), shown: w.rewriter.cur.Format, inN: r.in.N, inTS: r.in.Timestamp, ts: out.Timestamp, empty: len(out.Payload) == 0,
	}
	if !p.empty {
		var ok, inOK bool
		var in codec.Picture
		p.picture, ok = codec.VP8.ReadPicture(out.Payload)
		in, inOK = codec.VP8.ReadPicture(r.in.Payload)
		if !ok || !inOK || index(out.Payload) != index(r.in.Payload) {
			w.t.Fatalf("payload % x became % x", r.in.Payload, out.Payload)
		}
		p.index, p.tl0 = index(r.in.Payload), in.TL0
	}
	w.sent = append(w.sent, p)
}

// index of the picture that a payload belongs to.
func index(payload []byte) uint32 { return binary.BigEndian.Uint32(payload[len(payload)-4:]) }

// notePicture remembers pictures that were left out when they were the newest.
func (w *world) notePicture(r *receiver, verdict Verdict) {
	if len(r.in.Payload) == 0 || verdict == NotShown || verdict == NoKey {
		return
	}
	i := index(r.in.Payload)
	if r.in.Skip && r.in.Newer && i >= r.pictures {
		w.leftOut[arrival{w.rewriter.cur.Format, uint64(i)}] = true
	}
	r.pictures = max(r.pictures, i+1)
}

func TestWhateverHappensTheOutputIsOneStream(t *testing.T) {
	total := 0
	for seed := range uint64(300) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWorld(t, rand.New(rand.NewPCG(seed, 1)))
			for range 600 {
				w.step()
			}
			w.check()
			total += len(w.sent)
		})
	}
	if total < 10_000 {
		t.Errorf("only %d packets were sent", total)
	}
}

// choices makes fuzz input decide what happens.
type choices struct {
	data []byte
	rest rand.Source
}

func (c *choices) Uint64() uint64 {
	if len(c.data) == 0 {
		return c.rest.Uint64()
	}
	b := c.data[0]
	c.data = c.data[1:]
	return uint64(b) * 0x0101010101010101
}

func FuzzRewriter(f *testing.F) {
	f.Add([]byte("whatever is dropped, switched, reordered or lost"), uint64(1))
	f.Add([]byte{0, 255, 0, 255, 128, 64, 32}, uint64(2))
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		w := newWorld(t, rand.New(&choices{data, rand.NewPCG(seed, 1)}))
		for range 100 {
			w.step()
		}
		w.check()
	})
}

// check looks at the outgoing stream as its receiver would, and explains every hole by a packet that never came.
func (w *world) check() {
	t := w.t
	if len(w.sent) == 0 {
		return
	}
	bySeq := slices.Clone(w.sent)
	slices.SortFunc(bySeq, func(a, b sentPacket) int { return int(int64(a.n) - int64(b.n)) })
	for i := 1; i < len(bySeq); i++ {
		a, b := bySeq[i-1], bySeq[i]
		if a.n == b.n {
			t.Fatalf("sequence number %d is used twice, for %+v and %+v", a.n, a, b)
		}
		if int32(b.ts-a.ts) < 0 {
			t.Fatalf("timestamp goes back from %d to %d between %+v and %+v", a.ts, b.ts, a, b)
		}
		same := a.shown == b.shown
		if same {
			if b.inN <= a.inN || b.inTS-a.inTS != b.ts-a.ts {
				t.Fatalf("order or timestamps have changed between %+v and %+v", a, b)
			}
			w.explain(a, b)
		} else if b.n != a.n+1 {
			t.Fatalf("numbers are missing at the switch between %+v and %+v", a, b)
		}
		w.checkPictures(a, b, same)
	}
}

// explain checks the numbers between two neighbours of one source: as many are missing as packets never came.
func (w *world) explain(a, b sentPacket) {
	missing, left := int(b.n-a.n-1), 0
	for n := a.inN + 1; n < b.inN; n++ {
		if !w.received[arrival{a.shown, n}] {
			left++
		}
	}
	if missing > left {
		w.t.Fatalf("%d numbers are missing between %+v and %+v, but only %d packets were lost", missing, a, b, left)
	}
}

func (w *world) checkPictures(a, b sentPacket, same bool) {
	if a.empty || b.empty {
		return
	}
	step := (b.picture.ID - a.picture.ID) & 0x7fff
	if !same {
		if step != 1 || b.picture.TL0 != a.picture.TL0+1 {
			w.t.Fatalf("the picture id goes on by %d at the switch between %+v and %+v", step, a, b)
		}
		return
	}
	want := uint16(0)
	for i := a.index + 1; i <= b.index; i++ {
		if !w.leftOut[arrival{a.shown, uint64(i)}] {
			want++
		}
	}
	if step != want || b.picture.TL0-a.picture.TL0 != b.tl0-a.tl0 {
		w.t.Fatalf("pictures are %d apart, not %d, between %+v and %+v", step, want, a, b)
	}
}
