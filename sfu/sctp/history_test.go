package sctp

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// A history is two associations, a bad network between them, and random things that both applications do. What arrives is compared
// with a model that knows only what was sent.

// party is one end of it with its application.
type party struct {
	end  end
	a    *Association
	open bool

	sent     map[lane][]uint32 // numbers of the messages, per stream and use of it
	got      map[lane][]uint32
	sends    map[uint16]int // how often the stream was reset by us
	receives map[uint16]int // and by the other
	untaken  []int
}

// lane is one use of a stream, from one reset to the next.
type lane struct {
	stream uint16
	use    int
}

func newParty(e end, a *Association) *party {
	return &party{end: e, a: a, sent: map[lane][]uint32{}, got: map[lane][]uint32{}, sends: map[uint16]int{}, receives: map[uint16]int{}}
}

// flightOf is a packet on its way.
type flightOf struct {
	at     time.Time
	to     *party
	packet []byte
}

type history struct {
	t       *testing.T
	rand    *rand.Rand
	weather weather
	now     time.Time
	flights []flightOf
	parties [2]*party
	packets int
	serial  uint32
}

// reliabilityOf gives each stream a way of its own, so that the model knows what to expect.
func reliabilityOf(stream uint16) Reliability {
	switch stream % 5 {
	case 1:
		return Reliability{Unordered: true}
	case 2:
		return Reliability{Limited: true}
	case 3:
		return Reliability{Unordered: true, Limited: true, MaxRetransmits: 1}
	case 4:
		return Reliability{Lifetime: 300 * time.Millisecond}
	default:
		return Reliability{}
	}
}

func newHistory(t *testing.T, seed uint64) *history {
	r := rand.New(rand.NewPCG(seed, 1))
	h := &history{t: t, rand: r, now: start(), weather: weather{
		delay:  time.Duration(1+r.IntN(100)) * time.Millisecond,
		jitter: time.Duration(1+r.IntN(100)) * time.Millisecond,
		loss:   []float64{0, 0.01, 0.1, 0.3}[r.IntN(4)],
		twice:  []float64{0, 0.1}[r.IntN(2)],
	}}
	cfg := Config{Window: 16<<10 + r.IntN(200<<10), Buffer: 300 << 10, MaxPacket: 600 + r.IntN(600), MaxMessage: 100 << 10}
	server, client := cfg, cfg
	server.Random, client.Random = seeded(seed), seeded(seed+1)
	s, c := New(server), newDialer(client)
	h.parties = [2]*party{newParty(s, s), newParty(c, c.Association)}
	return h
}

// step goes on to the next thing that happens, not beyond until, and says whether there was one.
func (h *history) step(until time.Time) bool {
	at := until
	found := false
	for _, f := range h.flights {
		if !f.at.After(at) {
			at, found = f.at, true
		}
	}
	for _, p := range h.parties {
		if due, ok := p.end.Due(); ok && !due.After(at) {
			at, found = due, true
		}
	}
	if at.After(h.now) {
		h.now = at
	}
	if !found {
		return false
	}
	h.flights = slices.DeleteFunc(h.flights, func(f flightOf) bool {
		if f.at.After(h.now) {
			return false
		}
		f.to.end.Receive(h.now, f.packet)
		return true
	})
	for i := range h.parties {
		h.drain(i)
	}
	return true
}

// pass lets time pass, with all that happens in it.
func (h *history) pass(d time.Duration) {
	until := h.now.Add(d)
	for more := true; more; {
		more = h.step(until)
	}
}

// drain does what a server does after everything.
func (h *history) drain(i int) {
	p := h.parties[i]
	for e, ok := p.a.Next(); ok; e, ok = p.a.Next() {
		switch e := e.(type) {
		case Established:
			p.open = true
		case Message:
			h.check(p, e)
		case StreamReset:
			p.receives[e.Stream]++
		case Ended:
			h.t.Fatalf("ended: %v", e.Err)
		}
	}
	for range len(p.untaken) {
		if h.rand.IntN(3) > 0 {
			break
		}
		p.a.Taken(p.untaken[0])
		p.untaken = p.untaken[1:]
	}
	buf := make([]byte, 2048)
	for range 10000 {
		n := p.end.Poll(h.now, buf)
		if n == 0 {
			if due, ok := p.end.Due(); ok && !due.After(h.now) {
				h.t.Fatal("nothing is written though something is due")
			}
			invariants(h.t, p.a)
			return
		}
		if n > p.a.cfg.MaxPacket {
			h.t.Fatalf("a packet of %d bytes", n)
		}
		h.packets++
		for again := true; again; again = h.rand.Float64() < h.weather.twice {
			if h.rand.Float64() >= h.weather.loss {
				delay := h.weather.delay + time.Duration(h.rand.Int64N(int64(h.weather.jitter)))
				h.flights = append(h.flights, flightOf{h.now.Add(delay), h.parties[1-i], slices.Clone(buf[:n])})
			}
		}
	}
	h.t.Fatal("Poll does not come to an end")
}

// check compares a message with what was sent.
func (h *history) check(p *party, m Message) {
	p.untaken = append(p.untaken, len(m.Data))
	l := lane{m.Stream, int(binary.BigEndian.Uint32(m.Data[4:]))}
	number := binary.BigEndian.Uint32(m.Data)
	if l.use != p.receives[m.Stream] {
		h.t.Fatalf("stream %d: a message of its use %d comes in use %d", m.Stream, l.use, p.receives[m.Stream])
	}
	for i, b := range m.Data[8:] {
		if b != byte(number)+byte(i) {
			h.t.Fatalf("stream %d: byte %d of message %d is another's", m.Stream, i, number)
		}
	}
	if m.PPID != number|1 {
		h.t.Fatalf("ppid %d of message %d", m.PPID, number)
	}
	got := p.got[l]
	if slices.Contains(got, number) {
		h.t.Fatalf("stream %d: message %d comes twice", m.Stream, number)
	}
	if len(got) > 0 && number < got[len(got)-1] && !reliabilityOf(m.Stream).Unordered {
		h.t.Fatalf("stream %d: message %d comes after %d", m.Stream, number, got[len(got)-1])
	}
	p.got[l] = append(got, number)
}

// act does one random thing.
func (h *history) act() {
	i := h.rand.IntN(2)
	p := h.parties[i]
	if !p.open {
		return
	}
	stream := uint16(h.rand.IntN(10))
	if h.rand.IntN(40) == 0 {
		if s := p.a.out.queue.streams[stream]; s != nil && s.phase == inUse {
			p.a.Reset(stream)
			p.sends[stream]++
			h.drain(i)
		}
		return
	}
	size := 8 + h.rand.IntN([]int{1, 200, 3000, 40000}[h.rand.IntN(4)])
	h.serial++
	b := make([]byte, size)
	binary.BigEndian.PutUint32(b, h.serial)
	l := lane{stream, p.sends[stream]}
	binary.BigEndian.PutUint32(b[4:], uint32(l.use))
	for i := range b[8:] {
		b[8+i] = byte(h.serial) + byte(i)
	}
	if p.a.Send(h.now, stream, h.serial|1, b, reliabilityOf(stream)) == nil {
		p.sent[l] = append(p.sent[l], h.serial)
	}
	if h.rand.IntN(2) == 0 {
		h.drain(i)
	}
}

// invariants that hold between any two calls.
func invariants(t testing.TB, a *Association) {
	t.Helper()
	bytes, chunks, used, buffered := 0, 0, 0, 0
	for i := range a.out.flight.n {
		c := a.out.flight.at(i)
		if c.tsn != a.out.flight.base+tsn(i) {
			t.Fatal("the numbers in flight have a hole")
		}
		switch c.fate {
		case flying:
			bytes += len(c.data)
		case lost:
			chunks++
		}
		if c.fate != abandoned {
			used += cost(cap(c.data))
		}
	}
	for _, s := range a.out.queue.streams {
		for c := s.head; c != nil; c = c.next {
			used += cost(cap(c.data))
		}
		buffered += s.buffered
	}
	if bytes != a.out.flying || chunks != a.out.lost || used != a.out.queue.used || buffered > used {
		t.Fatalf("counted %d flying, %d lost, %d used, found %d, %d, %d", a.out.flying, a.out.lost, a.out.queue.used, bytes, chunks, used)
	}
	if in := &a.in.assembly; in.cfg != nil && in.used > 2*in.cfg.Window {
		t.Fatalf("%d bytes are kept for a window of %d", in.used, in.cfg.Window)
	}
}

// finish lets the weather clear up, and compares everything.
func (h *history) finish() {
	h.weather.loss, h.weather.twice = 0, 0
	before := h.packets
	for deadline := h.now.Add(time.Hour); h.step(deadline); {
		if h.packets > before+20000 {
			h.t.Fatal("they do not stop")
		}
	}
	for i, p := range h.parties {
		for len(p.untaken) > 0 {
			p.a.Taken(p.untaken[0])
			p.untaken = p.untaken[1:]
		}
		if !p.a.out.empty() || p.a.out.queue.used != 0 || p.a.in.assembly.used != 0 || p.a.in.assembly.runs != nil || p.a.in.spans != nil {
			h.t.Fatalf("something is left: %d bytes to send, %d received, %v %v", p.a.out.queue.used, p.a.in.assembly.used, p.a.in.assembly.runs, p.a.in.spans)
		}
		for l, sent := range p.sent {
			r := reliabilityOf(l.stream)
			got := slices.Clone(h.parties[1-i].got[l])
			slices.Sort(got)
			if r.Limited || r.Lifetime > 0 {
				sent = slices.DeleteFunc(slices.Clone(sent), func(n uint32) bool { _, ok := slices.BinarySearch(got, n); return !ok })
			}
			if !slices.Equal(got, sent) {
				h.t.Fatalf("stream %d, use %d: %d were sent, %d came", l.stream, l.use, len(sent), len(got))
			}
		}
	}
}

func TestWhateverTheNetworkDoesMessagesArriveAsPromised(t *testing.T) {
	histories := 500
	if testing.Short() {
		histories = 50
	}
	seeds := []uint64{102588} // those that have found something
	for seed := range uint64(histories) {
		seeds = append(seeds, seed)
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			h := newHistory(t, seed)
			for range h.rand.IntN(300) {
				h.act()
				h.pass(time.Duration(h.rand.IntN(100)) * time.Millisecond)
			}
			h.finish()
		})
	}
}
